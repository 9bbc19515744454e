"""What of topics needs no broker: settings, extents, and the offsets of a batch. The rest is in the soak."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from cinelake.runtime.intake.inlet import Batch, Folder
from cinelake.runtime.intake.inlets import Inlets
from cinelake.runtime.intake.topics import Broker, Topic
from cinelake.runtime.settings import ConfigError, IngestSettings, KafkaSettings

PASSWORD = SecretStr('p"w\\d')


def ingest(**kafka: Any) -> IngestSettings:
    return IngestSettings.model_validate({"kafka": kafka})


class FakeLake:
    """A lake with checkpoints and nothing else."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.landing = f"{root}/landing"
        self.storage = SimpleNamespace(text=self._text)

    def _text(self, path: str) -> str | None:
        file = Path(path)
        return file.read_text() if file.exists() else None


def test_only_sources_with_a_topic_come_in_through_it(tmp_path: Path) -> None:
    settings = ingest(servers="b:9092", topics={"playback": "events"}, max_records_per_batch=7)
    inlets = Inlets(FakeLake(tmp_path), settings)  # type: ignore[arg-type]
    topic = inlets.of("playback")
    assert isinstance(topic, Topic)
    assert (topic.name, topic.source, topic.at_most) == ("events", "playback", 7)
    assert isinstance(inlets.of("titles"), Folder)


@pytest.mark.parametrize(
    ("settings", "password", "said"),
    [
        ({"topics": {"playback": "p"}}, None, "ingest.kafka.servers"),
        ({"topics": {"playbak": "p"}, "servers": "b"}, None, "did you mean 'playback'"),
        (
            {"topics": {"playback": "p"}, "servers": "b", "username": "u"},
            None,
            "secrets.kafka_password belong together",
        ),
        (
            {"topics": {"playback": "p"}, "servers": "b"},
            PASSWORD,
            "secrets.kafka_password belong together",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_named(
    tmp_path: Path, settings: dict[str, Any], password: SecretStr | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Inlets(FakeLake(tmp_path), ingest(**settings), password)  # type: ignore[arg-type]


def test_a_password_in_the_options_is_refused() -> None:
    with pytest.raises(ValidationError, match="secrets.kafka_password"):
        KafkaSettings(options={"sasl.jaas.config": "…"})


def test_a_login_is_quoted_encrypted_by_default_and_never_shown() -> None:
    kafka = KafkaSettings(servers="b:9092", username="cine", options={"client.id": "x"})
    broker = Broker.of(kafka, PASSWORD)
    assert broker.consumer == {
        "bootstrap.servers": "b:9092",
        "client.id": "x",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            r'username="cine" password="p\"w\\d";'
        ),
    }
    assert "p" + '"w' not in repr(broker)
    assert r"\"w" not in repr(broker)


def test_extents_count_offsets_and_those_of_other_inlets_count_for_nothing(tmp_path: Path) -> None:
    lake: Any = FakeLake(tmp_path)
    topic = Topic(lake, Broker({}), "playback", "events", 1)
    folder = Folder(lake, "playback", 1)
    assert topic.count_since("120:events", "100:events") == 20
    assert topic.count_since("120:events", None) == 120
    assert topic.count_since("120:events", "100:older_events") == 120
    assert topic.count_since("120:events", "7:52340") == 120
    assert folder.count_since("9:60000", "7:52340") == 2
    assert folder.count_since("9:60000", "100:events") == 9


def test_a_batch_counts_the_offsets_since_the_one_before(tmp_path: Path) -> None:
    topic = Topic(FakeLake(tmp_path), Broker({}), "playback", "events", 1)  # type: ignore[arg-type]
    offsets = tmp_path / "checkpoints" / "playback@events" / "offsets"
    offsets.mkdir(parents=True)
    (offsets / "0").write_text('v1\n{"conf":{}}\n{"events":{"0":5,"1":2}}\n')
    (offsets / "1").write_text('v1\n{"conf":{}}\n{"events":{"0":9,"1":2,"2":1}}\n')
    assert [topic.batch(number) for number in (0, 1)] == [Batch(7, []), Batch(5, [])]


def test_a_batch_before_there_was_a_topic_counts_nothing(tmp_path: Path) -> None:
    topic = Topic(FakeLake(tmp_path), Broker({}), "playback", "events", 1)  # type: ignore[arg-type]
    offsets = tmp_path / "checkpoints" / "playback@events" / "offsets"
    offsets.mkdir(parents=True)
    (offsets / "0").write_text('v1\n{"conf":{}}\n{}\n')
    (offsets / "1").write_text('v1\n{"conf":{}}\n{"events":{"0":3}}\n')
    assert [topic.batch(number).count for number in (0, 1)] == [0, 3]
