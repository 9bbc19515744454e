"""Who asked whose pseudonym it is: a log that is written before anything is told, under a key of its own.

Whoever re-identifies needs two secrets: the one that pseudonyms are made with, and `secrets.reidentification_key`,
which opens nothing else. The lake remembers a check value of the latter from its first use on, and refuses another.

Each row of the log is sealed: its last column is the HMAC of the others under that key. Rows are numbered. So a row
that somebody without the key invents or changes does not fit its seal, and one that is taken away leaves a gap. After
the newest there is no gap to leave, so a file beside the log holds the highest number, sealed as well.

Caveats: who can write to the lake can put back an older state of the log together with that file, and the two fit
each other. And who holds both secrets and can read bronze needs no command to put a name to a pseudonym. The log binds
people who are given the command and not the secrets, as by a service that runs it for them.
"""

from __future__ import annotations

import getpass
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import functions as F

from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.keys import CHECK_FILE as PSEUDONYM_CHECK
from cinelake.runtime.keys import LEAST_LENGTH, Keyring, long_enough
from cinelake.runtime.runs.context import new_run_id
from cinelake.runtime.settings import ConfigError, Settings
from cinelake.tables.system import REIDENTIFICATIONS

CHECK_FILE = "reidentifications.check"
COUNT_FILE = "reidentifications.count"
COMMAND = "cinelake reidentify"
SEALED = tuple(name for name in REIDENTIFICATIONS.names if name != "seal")


@dataclass(frozen=True)
class Request:
    """A question whose pseudonym one is: about what kind of id, from which case if any, and why."""

    kind: str
    pseudonym: str
    case_id: str | None
    why: str


def reidentification_key(settings: Settings, storage: Storage) -> Keyring:
    """The key under which re-identifications are sealed.

    Raises ConfigError where none is given, it is that of pseudonyms, or not the one that the lake knows.
    """
    given = settings.secrets.reidentification_key
    if given is None:
        raise ConfigError(
            "re-identification needs a secret of its own: set the environment variable "
            f"CINELAKE_SECRETS__REIDENTIFICATION_KEY to at least {LEAST_LENGTH} random characters"
        )
    ring = Keyring(long_enough(given.get_secret_value(), "secrets.reidentification_key"))
    root = settings.lake.root.rstrip("/")
    pseudonyms = settings.secrets.pseudonym_key
    used = [storage.text(f"{root}/{PSEUDONYM_CHECK}")]
    if pseudonyms is not None:
        used.append(Keyring(pseudonyms.get_secret_value().strip().encode()).check)
    if ring.check in used:
        raise ConfigError(
            "secrets.reidentification_key is the secret of pseudonyms; whoever makes pseudonyms could then undo them, "
            "so give another one"
        )
    path = f"{root}/{CHECK_FILE}"
    known = storage.text(path)
    if known is None:
        storage.put(path, ring.check)
    elif known.strip() != ring.check:
        raise ConfigError(
            "secrets.reidentification_key is not the one that this lake's re-identifications are sealed with; give "
            f"that one, or, where it is lost, keep the table {REIDENTIFICATIONS.name} aside and remove {path}"
        )
    return ring


def record(lake: Lake, ring: Keyring, request: Request) -> int:
    """Write a request into the log, now and under the name of the operating system's user; returns its number.

    The caller holds the lake's lock.
    """
    # A number whose row was taken away is not given out again: the gap is to stay.
    before = _counted(count_of_rows(lake) or "", ring) or 0
    if lake.exists(REIDENTIFICATIONS):
        newest = lake.read(REIDENTIFICATIONS).agg(F.max("number").alias("number"))
        before = max(before, newest.toArrow().to_pylist()[0]["number"] or 0)
    row: dict[str, Any] = {
        "number": before + 1,
        "asked_at": datetime.now(UTC),
        "asked_by": getpass.getuser(),
        "kind": request.kind,
        "pseudonym": request.pseudonym,
        "case_id": request.case_id,
        "why": request.why,
    }
    row["seal"] = _seal(row, ring)
    frame = lake.spark.createDataFrame(
        [tuple(row[name] for name in REIDENTIFICATIONS.names)], REIDENTIFICATIONS.schema
    )
    note = Note(run=new_run_id(), job=COMMAND, code=code_version(), action="record")
    lake.append(REIDENTIFICATIONS, frame, note)
    # After the row, or a kill in between would accuse somebody; nothing is told before both are written.
    lake.storage.put(_count_path(lake), sealed_count(before + 1, ring))
    return before + 1


def count_of_rows(lake: Lake) -> str | None:
    """What the lake holds of the highest number, sealed; None where no question was written down with it."""
    return lake.storage.text(_count_path(lake))


def sealed_count(number: int, ring: Keyring) -> str:
    """The highest number, as it is kept beside the log."""
    return (
        f"{number} {ring.hmac('the highest number of the log of re-identifications', str(number))}"
    )


def faults(rows: Iterable[Mapping[str, Any]], ring: Keyring, count: str | None) -> list[str]:
    """What is wrong with the log, in words: rows that do not fit their seal, and numbers missing or doubled.

    `count` is the `count_of_rows`. Logs of earlier versions have none, until somebody asks the next time.
    """
    told = sorted(rows, key=lambda row: int(row["number"]))
    found = [
        f"row {row['number']} does not fit its seal: somebody changed or invented it"
        for row in told
        if not hmac.compare_digest(_seal(row, ring), row["seal"])
    ]
    for place, row in enumerate(told, start=1):
        if row["number"] != place:
            return [*found, f"row {place} is missing or doubled: rows were taken away, or added"]
    if count is None:
        unknown = (
            f"{COUNT_FILE} is missing: whether the newest rows were taken away cannot be told; the next question "
            "makes it"
        )
        return [*found, unknown] if told else found
    highest = _counted(count, ring)
    if highest is None:
        return [*found, f"{COUNT_FILE} does not fit its seal: somebody changed or invented it"]
    if highest > len(told):
        return [*found, f"row {len(told) + 1} is missing: the newest rows were taken away"]
    return found


def _count_path(lake: Lake) -> str:
    return f"{lake.root}/{COUNT_FILE}"


def _counted(count: str, ring: Keyring) -> int | None:
    """The number of a sealed count; None where it does not fit its seal."""
    number = count.partition(" ")[0]
    fits = number.isdecimal() and hmac.compare_digest(sealed_count(int(number), ring), count)
    return int(number) if fits else None


def _seal(row: Mapping[str, Any], ring: Keyring) -> str:
    # The stored moment has microseconds and no zone: as text it is the same before and after.
    told = [
        value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value
        for value in (row[name] for name in SEALED)
    ]
    return ring.hmac("a row of the log of re-identifications", json.dumps(told))
