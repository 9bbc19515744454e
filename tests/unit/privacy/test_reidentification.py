"""Whose pseudonym it is is told to a person at a terminal, with a key of its own, and never without a trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from conftest import make_settings
from pydantic import SecretStr
from pyspark.sql import SparkSession
from typer.testing import CliRunner, Result
from unit.behaviour.bronze import bronze, keys, landed_line, pseudonym
from unit.tables.rows import rows

from cinelake.behaviour.identity import IdKind
from cinelake.privacy import commands
from cinelake.privacy.reidentification import FEWEST_FIRST, KINDS, fields, ids_called
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.keys import Keyring
from cinelake.runtime.reidentification import (
    SEALED,
    _seal,
    faults,
    reidentification_key,
    sealed_count,
)
from cinelake.runtime.settings import ConfigError, Settings
from cinelake.runtime.workspace import Workspace
from cinelake.sources.catalog import all_sources
from cinelake.sources.log_ins import LOG_INS_SOURCE
from cinelake.tables.ingest import BRONZE_LOG_INS
from cinelake.tables.integrity import INTEGRITY_CASES
from cinelake.tables.system import REIDENTIFICATIONS

JOBS_FOLDER = Path(__file__).parents[3] / "jobs"
PSEUDONYMS, OWN = "known to all who read tests, " * 2, "known to them as well, and another " * 2
RING = Keyring(OWN.strip().encode())
THREE = sealed_count(3, RING)
TRIED = {"device_id": "d", "event": "log_in", "outcome": "success", "ip": "198.51.100.7"}
LINES = [
    landed_line("e1", "2", account_id="ada@example.org", **TRIED),
    landed_line("e2", "2", account_id="bob@example.org", **TRIED),
]


class Files:
    """A storage of texts."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def text(self, path: str) -> str | None:
        return self.files.get(path)

    def put(self, path: str, text: str) -> None:
        self.files[path] = text


def with_keys(settings: Settings, **secrets: str) -> Settings:
    given = {name: SecretStr(text) for name, text in secrets.items()}
    return settings.model_copy(update={"secrets": settings.secrets.model_copy(update=given)})


# ---- the key


def test_without_a_key_of_its_own_or_with_another_than_before_it_is_refused(tmp_path: Path) -> None:
    storage = Files()

    def ring(**secrets: str) -> Keyring:
        settings = with_keys(make_settings(tmp_path), **secrets)
        return reidentification_key(settings, cast(Storage, storage))

    for secrets, says in (
        ({}, "CINELAKE_SECRETS__REIDENTIFICATION_KEY to at least 32"),
        ({"reidentification_key": "short"}, "secrets.reidentification_key has 5 characters"),
        ({"reidentification_key": OWN, "pseudonym_key": OWN}, "is the secret of pseudonyms"),
    ):
        with pytest.raises(ConfigError, match=says):
            ring(**secrets)
    assert storage.files == {}
    assert ring(reidentification_key=OWN, pseudonym_key=PSEUDONYMS).check == RING.check
    assert OWN.strip() not in str(storage.files)
    with pytest.raises(ConfigError, match=r"not the one that .* sealed with; give that one"):
        ring(reidentification_key=PSEUDONYMS)


# ---- the log


@pytest.fixture
def log() -> list[dict[str, Any]]:
    told = []
    for number in (1, 2, 3):
        row: dict[str, Any] = dict.fromkeys(SEALED, f"x{number}")
        row |= {"number": number, "asked_at": datetime(2026, 3, number, 12, 0, 0, 5, tzinfo=UTC)}
        told.append(row | {"seal": _seal(row, RING)})
    return told


def changed(rows: list[dict[str, Any]]) -> None:
    rows[1]["why"] = "harmless"


def removed(rows: list[dict[str, Any]]) -> None:
    del rows[1]


def invented(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[2] | {"number": 4, "asked_by": "somebody else"})


def shortened(rows: list[dict[str, Any]]) -> None:
    del rows[2]


def emptied(rows: list[dict[str, Any]]) -> None:
    rows.clear()


@pytest.mark.parametrize(
    ("done", "found"),
    [
        (None, []),
        (changed, ["row 2 does not fit its seal"]),
        (removed, ["row 2 is missing or doubled"]),
        (invented, ["row 4 does not fit its seal"]),
        (shortened, ["row 3 is missing"]),
        (emptied, ["row 1 is missing"]),
    ],
    ids=["as written", "changed", "removed", "invented", "shortened", "emptied"],
)
def test_what_is_done_to_the_log_shows(
    log: list[dict[str, Any]],
    done: Callable[[list[dict[str, Any]]], None] | None,
    found: list[str],
) -> None:
    if done is not None:
        done(log)
    assert [fault.partition(":")[0] for fault in faults(log, RING, THREE)] == found


@pytest.mark.parametrize(
    ("count", "found"),
    [
        # A command that was killed between the two writes.
        (sealed_count(2, RING), []),
        (THREE.replace("3 ", "2 "), ["reidentifications.count does not fit its seal"]),
        ("³ ", ["reidentifications.count does not fit its seal"]),
        (None, ["reidentifications.count is missing"]),
    ],
    ids=["older", "changed", "no number", "missing"],
)
def test_what_is_done_to_the_count_shows(
    log: list[dict[str, Any]], count: str | None, found: list[str]
) -> None:
    assert [fault.partition(":")[0] for fault in faults(log, RING, count)] == found
    assert faults([], RING, None) == []


def test_a_moment_is_sealed_as_tables_give_it_back(log: list[dict[str, Any]]) -> None:
    given_back = [row | {"asked_at": row["asked_at"].replace(tzinfo=None)} for row in log]
    assert faults(given_back, RING, THREE) == []
    assert faults(log, Keyring(PSEUDONYMS.encode()), THREE) != []


# ---- the search


def test_the_one_id_whose_pseudonym_it_is_is_found_and_no_other(spark: SparkSession) -> None:
    held = bronze(spark, LOG_INS_SOURCE, LINES)

    def found(kind: IdKind, field: str, called: str) -> list[str]:
        told = ids_called(called, kind, held, LOG_INS_SOURCE, field, keys(spark))
        return [row["id"] for row in told.collect()]

    ada = pseudonym(IdKind.ACCOUNT, "ada@example.org")
    assert found(IdKind.ACCOUNT, "account_id", ada) == ["ada@example.org"]
    # It is nobody's under the key of another kind.
    assert found(IdKind.PROFILE, "account_id", ada) == []


def test_every_kind_is_sought_in_all_that_holds_it_where_records_are_few_first() -> None:
    known = all_sources()
    assert set(FEWEST_FIRST) <= set(known)
    for kind in KINDS:
        sought = [source.name for source, _ in fields(known.values(), kind)]
        held = {s.name for s in known.values() for c in s.columns if c.personal == KINDS[kind]}
        assert set(sought) == held
        assert [name for name in FEWEST_FIRST if name in held] == sought[
            : len(held & set(FEWEST_FIRST))
        ]
    assert next(field for _, field in fields(known.values(), IdKind.IP)) == "ip"


# ---- the command


@pytest.fixture(scope="module")
def workspace(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    settings = make_settings(tmp_path_factory.mktemp("asked") / "lake")
    both = with_keys(settings, pseudonym_key=PSEUDONYMS, reidentification_key=OWN)
    found = Workspace(both, spark, JOBS_FOLDER)
    note = Note(run="test", job="test", code="0", action="append")
    found.lake.append(BRONZE_LOG_INS, bronze(spark, LOG_INS_SOURCE, LINES), note)
    case = {
        "case_id": "3fa4c0de",
        "account_id": called(found, "bob@example.org"),
        "kind": "sharing",
        "status": "needs_review",
        "severity": "low",
        "suggested_action": "notify",
    }
    found.lake.append(INTEGRITY_CASES, rows(spark, INTEGRITY_CASES, case), note)
    return found


def called(workspace: Workspace, text: str, kind: IdKind = IdKind.ACCOUNT) -> str:
    return workspace.keyring.hmac(kind, text)[:32]


def asked(workspace: Workspace, *words: str) -> Result:
    app = typer.Typer()
    commands.register(app, lambda: workspace)
    return CliRunner().invoke(app, [*words])


def kept(workspace: Workspace) -> list[dict[str, Any]]:
    if not workspace.lake.exists(REIDENTIFICATIONS):
        return []
    return workspace.lake.read(REIDENTIFICATIONS).orderBy("number").toArrow().to_pylist()


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "is_terminal", lambda: True)


@pytest.mark.thorough
def test_into_a_file_or_without_a_reason_nothing_is_told_and_nothing_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = called(workspace, "ada@example.org")
    into_a_file = asked(workspace, "reidentify", ada, "--why", "appeal")
    assert (into_a_file.exit_code, "the answer is for a terminal" in into_a_file.output) == (
        2,
        True,
    )
    monkeypatch.setattr(commands, "is_terminal", lambda: True)
    without = asked(workspace, "reidentify", ada, "--why", " ")
    assert (without.exit_code, "--why is empty" in without.output) == (2, True)
    unknown = asked(workspace, "reidentify", "77", "--why", "appeal")
    assert (unknown.exit_code, "no case begins with '77'" in unknown.output) == (2, True)
    assert kept(workspace) == []


@pytest.mark.thorough
@pytest.mark.usefixtures("at_a_terminal")
def test_the_answer_is_told_once_its_question_is_written_down_and_is_kept_nowhere(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asked(workspace, "reidentify", "3fa4", "--why", "an appeal by post")
    assert (first.exit_code, first.stdout) == (0, "bob@example.org\n")
    second = asked(
        workspace, "reidentify", called(workspace, "d", IdKind.DEVICE), "--kind", "device", "--why", "stolen"
    )  # fmt: skip
    assert (second.exit_code, second.stdout) == (0, "d\n")
    gone = asked(workspace, "reidentify", called(workspace, "eve@example.org"), "--why", "gone")
    assert (gone.exit_code, gone.stdout) == (1, "")

    # Whatever goes wrong with the search, the question stands.
    def breaks(*_: Any) -> None:
        raise RuntimeError("the search broke")

    monkeypatch.setattr(commands, "ids_called", breaks)
    ada = called(workspace, "ada@example.org")
    assert asked(workspace, "reidentify", ada, "--why", "broken").exit_code == 1
    told = kept(workspace)
    assert [(row["number"], row["kind"], row["case_id"], row["why"]) for row in told] == [
        (1, "account", "3fa4c0de", "an appeal by post"),
        (2, "device", None, "stolen"),
        (3, "account", None, "gone"),
        (4, "account", None, "broken"),
    ]
    assert told[0]["pseudonym"] == called(workspace, "bob@example.org")
    assert "example.org" not in str(told)
    listed = asked(workspace, "reidentifications")
    assert (listed.exit_code, listed.output.count("\n")) == (0, 4)
    note = Note(run="test", job="test", code="0", action="append")
    forged = rows(workspace.spark, REIDENTIFICATIONS, told[3] | {"number": 5, "why": "forged"})
    workspace.lake.append(REIDENTIFICATIONS, forged, note)
    assert asked(workspace, "reidentifications").exit_code == 1

    log = f"delta.`{workspace.lake.location(REIDENTIFICATIONS)}`"
    workspace.spark.sql(f"DELETE FROM {log} WHERE number >= 4")
    shortened = asked(workspace, "reidentifications")
    told_of = "row 4 is missing: the newest rows were taken away"
    assert (shortened.exit_code, told_of in shortened.output) == (1, True)
    assert asked(workspace, "reidentify", ada, "--why", "again").exit_code == 1
    assert [row["number"] for row in kept(workspace)] == [1, 2, 3, 5]
