"""Which inlet a source has: a topic where `ingest.kafka.topics` names one, its folder everywhere else."""

from __future__ import annotations

from pydantic import SecretStr

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.inlet import Folder, Inlet
from cinelake.runtime.intake.topics import Broker, Topic
from cinelake.runtime.settings import ConfigError, IngestSettings
from cinelake.sources.catalog import all_sources
from cinelake.spelling import hint


class Inlets:
    """The inlets of a lake; raises ConfigError where a topic is configured for a source that there is not."""

    def __init__(
        self,
        lake: Lake,
        settings: IngestSettings | None = None,
        kafka_password: SecretStr | None = None,
    ) -> None:
        self._lake = lake
        self._settings = settings = settings or IngestSettings()
        known = all_sources()
        for source in settings.kafka.topics:
            if source not in known:
                raise ConfigError(
                    f"ingest.kafka.topics.{source}: there is no such source; {hint(source, known)}"
                )
        self._broker = Broker.of(settings.kafka, kafka_password) if settings.kafka.topics else None

    def of(self, source: str) -> Inlet:
        """The inlet of the source named `source`."""
        topic = self._settings.kafka.topics.get(source)
        if topic is None or self._broker is None:
            return Folder(self._lake, source, self._settings.max_files_per_batch)
        at_most = self._settings.kafka.max_records_per_batch
        return Topic(self._lake, self._broker, source, topic, at_most)
