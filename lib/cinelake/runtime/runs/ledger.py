"""The ledger on disk: entries to and from the table `job_runs`."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from cinelake.runtime.delta.commits import LogDamaged, Note
from cinelake.runtime.delta.lake import Lake, LakeError
from cinelake.runtime.runs.books import Books, DayEntry, Entry
from cinelake.runtime.runs.conservation import Balance
from cinelake.runtime.runs.digest import Digest
from cinelake.runtime.runs.usage import Usage
from cinelake.tables.system import JOB_RUNS

# An append a job and run makes many small files; reading them all is what planning costs.
COMPACT_EVERY_COMMITS = 60


class Ledger:
    """Reads and appends entries; the order of entries is the order of their `sequence`."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._read_version = 0

    def books(self) -> Books:
        """All entries, taken into account in order."""
        return Books(self.entries())

    def version(self) -> int | None:
        """Of the table, None where nothing was ever noted; another one means that somebody has noted something.

        Raises LakeError where the newest commit was cut off: nothing else would be as it seems.
        """
        try:
            return self._lake.version(JOB_RUNS)
        except LogDamaged as damaged:
            # Not what to ask of `cinelake fsck`, for it cannot do without the ledger, either.
            raise LakeError(
                f"the ledger {JOB_RUNS.name} is damaged: {damaged.what}. Where that is its newest commit, remove the "
                "file: what was done at that time is then found stale, and is done again"
            ) from damaged

    def entries(self) -> list[Entry]:
        """Every entry, oldest first. Raises LakeError as `version` does."""
        self._read_version = self.version() or 0
        rows = self._lake.read(JOB_RUNS).toArrow().to_pylist()
        rows.sort(key=lambda row: (row["sequence"], row["started_at"], row["run_id"]))
        return [_entry(row) for row in rows]

    def record(self, entry: Entry, transaction: tuple[str, int] | None = None) -> Entry | None:
        """Append the entry and return it with its sequence; None, and nothing, under a transaction seen before."""
        self._lake.create(JOB_RUNS)
        version = self._lake.version(JOB_RUNS)
        placed = _placed(entry, (version or 0) + 1)
        frame = self._lake.spark.createDataFrame([_row(placed)], JOB_RUNS.schema)
        note = Note(run=entry.run_id, job=entry.job, code=entry.code_version or "", action="record")
        receipt = self._lake.append(JOB_RUNS, frame, note, transaction)
        return placed if receipt.version is not None else None

    def tidy(self) -> None:
        """Compact the table at every sixtieth commit or so; each adds a file, and to count those is a Spark job."""
        newest = self._lake.version(JOB_RUNS) or 0
        if newest // COMPACT_EVERY_COMMITS > self._read_version // COMPACT_EVERY_COMMITS:
            self._lake.compact(JOB_RUNS)
            self._read_version = newest


def _placed(entry: Entry, sequence: int) -> Entry:
    return replace(entry, sequence=sequence, started_at=entry.started_at or datetime.now(UTC))


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "run_id": entry.run_id,
        "sequence": entry.sequence,
        "job": entry.job,
        "kind": entry.kind,
        "status": entry.status,
        "window_start": entry.start,
        "window_end": entry.end,
        "fingerprint": entry.fingerprint,
        "code_version": entry.code_version,
        "input_versions": _pairs(entry.input_versions, "version"),
        "output_versions": _pairs(entry.output_versions, "version"),
        "rows_in": _pairs(entry.rows_in, "rows"),
        "rows_out": _pairs(entry.rows_out, "rows"),
        "quarantined": _pairs(entry.quarantined, "rows"),
        "days": [
            {
                "day": day.day,
                "read": day.read,
                "outputs": [
                    {"name": name, "digest": str(digest)}
                    for name, digest in sorted(day.outputs.items())
                ],
            }
            for day in entry.days
        ],
        "balances": [
            {
                "source": balance.source,
                "target": balance.table,
                "given": balance.given,
                "kept": balance.kept,
                "turned_away": _pairs(dict(balance.turned_away), "rows"),
                "files": _pairs(dict(balance.files), "rows"),
                "missing": balance.missing,
            }
            for balance in entry.balances
        ],
        "warnings": list(entry.warnings),
        "notes": list(entry.notes),
        "usage": entry.usage and asdict(entry.usage),
        "received_through": entry.received_through,
        "started_at": entry.started_at,
        "seconds": entry.seconds,
        "error": entry.error,
    }


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        run_id=row["run_id"],
        job=row["job"],
        kind=row["kind"],
        status=row["status"],
        sequence=row["sequence"],
        start=row["window_start"],
        end=row["window_end"],
        fingerprint=row["fingerprint"],
        code_version=row["code_version"],
        input_versions=_mapping(row["input_versions"], "version"),
        output_versions=_mapping(row["output_versions"], "version"),
        rows_in=_mapping(row["rows_in"], "rows"),
        rows_out=_mapping(row["rows_out"], "rows"),
        quarantined=_mapping(row["quarantined"], "rows"),
        days=tuple(
            DayEntry(
                day=day["day"],
                read=day["read"],
                outputs={
                    output["name"]: Digest.parse(output["digest"])
                    for output in day["outputs"] or ()
                },
            )
            for day in row["days"] or ()
        ),
        balances=tuple(
            Balance(
                balance["source"],
                balance["target"],
                balance["given"],
                balance["kept"],
                _mapping(balance["turned_away"], "rows"),
                _mapping(balance["files"], "rows"),
            )
            for balance in row["balances"] or ()
        ),
        warnings=tuple(row["warnings"] or ()),
        notes=tuple(row["notes"] or ()),
        usage=Usage(**row["usage"]) if row["usage"] else None,
        received_through=row["received_through"],
        started_at=row["started_at"],
        seconds=row["seconds"],
        error=row["error"],
    )


def _pairs(values: dict[str, int], label: str) -> list[dict[str, Any]]:
    return [{"name": name, label: value} for name, value in sorted(values.items())]


def _mapping(pairs: list[dict[str, Any]] | None, label: str) -> dict[str, int]:
    return {pair["name"]: pair[label] for pair in pairs or ()}
