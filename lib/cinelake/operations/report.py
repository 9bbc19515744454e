"""The health of the suite: alarms of all areas, whether deliveries come as usual, what failed and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from pyspark.sql import functions as F

from cinelake.operations import pictures
from cinelake.report.page import Cards, Cell, Grid, Part, Picture, Points, Section
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.freshness import stopped_by_now
from cinelake.runtime.runs.books import Books
from cinelake.runtime.runs.run_history import (
    Cost,
    Failure,
    Timed,
    failures,
    newest_costs,
    size,
    timed,
)
from cinelake.runtime.windows import complete_days
from cinelake.runtime.workspace import Workspace
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Table
from cinelake.tables.operations import DELIVERY_HEALTH, RECORDS

# What makes a table one of alarms.
OF_ALARMS = {"day", "measure", "is_alarm", "message"}
SHOWN_DAYS, SHOWN_ALARMS = 42, 25
FAILED_DAYS, SHOWN_FAILURES = 7, 10
# A longest task of that many medians, and seconds, is worth a look at how its keys are spread.
SKEWED, LONG_TASK = 5.0, 10.0


def sections(workspace: Workspace) -> Iterator[Section]:
    """Nothing, where nothing has run."""
    lake = workspace.lake
    entries = workspace.ledger.entries()
    if not entries:
        return
    found = lake.read(DELIVERY_HEALTH)
    (newest,) = found.agg(F.max("day").alias("day")).toArrow().to_pylist()
    received, limit = Books(entries).received_through, workspace.settings.pipeline.freshness
    # Other areas have alarms, too, and no deliveries need to have been judged for that.
    last = newest["day"] or (complete_days(received) - timedelta(days=1) if received else None)
    alarms, records = [], []
    if last is not None:
        since = last - timedelta(days=SHOWN_DAYS)
        recent = found.where((F.col("day") > F.lit(since)) & (F.col("measure") == RECORDS))
        alarms = _alarms(lake, since)
        records = recent.orderBy("day", "source").toArrow().to_pylist()
    yield health(
        alarms,
        records,
        newest_costs(entries),
        [run for run in timed(entries) if run.is_slow],
        failures(entries, FAILED_DAYS),
        waiting=len(workspace.waiting.waiting()),
        stopped=stopped_by_now(received, limit, lake.landing),
    )


def _alarms(lake: Lake, since: date) -> list[Mapping[str, Any]]:
    """The alarms of every area after a day, the newest first."""
    rows: list[Mapping[str, Any]] = []
    for table in all_tables().values():
        if set(table.names) >= OF_ALARMS and lake.exists(table):
            alarms = lake.read(table, start=since + timedelta(days=1)).where("is_alarm")
            told = alarms.select("day", "measure", "message").toArrow().to_pylist()
            rows += [row | {"area": _area(table)} for row in told]
    return sorted(rows, key=lambda row: (-row["day"].toordinal(), row["area"], row["message"]))


def _area(table: Table) -> str:
    return table.area


def health(
    alarms: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    costs: Sequence[Cost],
    slow: Sequence[Timed],
    failed: Sequence[Failure] = (),
    waiting: int = 0,
    stopped: str | None = None,
) -> Section:
    """The section; `records` are rows of `DELIVERY_HEALTH`, `failed` runs of the last days, newest first, `waiting`
    runs that MLflow has not got yet, `stopped` what is wrong with the age of the newest record.
    """
    newest = max((row["day"] for row in records or alarms), default=None)
    today = sum(row["day"] == newest for row in alarms)
    spilled = sum(each.usage.bytes_spilled for each in costs)
    seconds = sum(each.seconds for each in costs)
    busy = sum(min(each.usage.busy_seconds, each.seconds) for each in costs)
    cards = [
        (str(today), f"alarms of {newest or 'no day'}, the newest whole day"),
        (str(len(alarms)), f"alarms in {SHOWN_DAYS} days, over all areas"),
        (f"{busy / seconds:.0%}" if seconds else "–", "of their time the newest runs let Spark work"),
        (size(spilled) or "none", "spilled to disk by the newest runs"),
    ]  # fmt: skip
    parts: list[Part] = [Cards(cards)]
    if stopped:
        parts.append(Grid(("deliveries",), [(Cell(stopped[0].upper() + stopped[1:], "bad"),)]))
    if failed:
        shown_failures = [_failed(each) for each in failed[:SHOWN_FAILURES]]
        more = len(failed) - len(shown_failures)
        parts.append(
            Grid(
                ("failed run", "began (UTC)", "days", "error", "since"),
                shown_failures,
                f"and {more} more; `cinelake runs --failed` lists them" if more > 0 else "",
            )
        )
    if waiting:
        parts.append(
            Points([f"{waiting} runs wait for MLflow; `cinelake mlflow flush` delivers them."])
        )
    if alarms:
        shown = [
            (f"{row['day']}", row["area"], Cell(row["message"], "bad" if row["day"] == newest else "warn"))
            for row in alarms[:SHOWN_ALARMS]
        ]  # fmt: skip
        more = len(alarms) - len(shown)
        parts.append(Grid(("day", "area", "alarm"), shown, f"and {more} more" if more > 0 else ""))
    if records:
        caption = (
            "Records of each source and day beside what is usual for its weekday; a ring is an alarm. Grey is where "
            "too little comes, or for too short a time, to know."
        )
        parts.append(Picture(pictures.deliveries(records), caption))
    if costs:
        spent = [
            pictures.Spent(c.job, c.seconds, c.usage.busy_seconds, c.usage.bytes_spilled > 0)
            for c in costs
        ]
        caption = (
            "The newest run of each job that did something. What is not Spark's is planning, tracking "
            "and commits."
        )
        parts.append(Picture(pictures.costs(spent), caption))
        parts.append(Grid(_COST, [_cost(each) for each in sorted(costs, key=lambda c: -c.seconds)]))
    if slow:
        headings = ("slow run", "window", "seconds", "usually")
        parts.append(Grid(headings, [_slow(run) for run in slow[-10:]]))
    return Section(
        "Health",
        "What somebody should look at: alarms of all areas, whether deliveries come as they usually do, and what the "
        "jobs cost by Spark's own measures.",
        parts,
    )


_COST = (
    "job",
    "seconds",
    "Spark at work",
    "tasks",
    "read",
    "written",
    "shuffled",
    "spilled",
    "most a task held",
    "skew",
)


def _cost(each: Cost) -> tuple[str | int | float | Cell | None, ...]:
    usage = each.usage
    skewed = (usage.skew or 0) >= SKEWED and (usage.longest_task_seconds or 0) >= LONG_TASK
    return (
        each.job,
        each.seconds,
        f"{min(usage.busy_seconds / each.seconds, 1):.0%}" if each.seconds else "",
        usage.tasks,
        size(usage.bytes_read),
        size(usage.bytes_written),
        size(usage.bytes_shuffled),
        Cell(size(usage.bytes_spilled), "warn"),
        size(usage.peak_task_bytes),
        Cell(f"{usage.skew:,.1f}" if usage.skew else "", "warn" if skewed else ""),
    )


def _failed(failure: Failure) -> tuple[str | Cell, ...]:
    entry = failure.entry
    return (
        entry.job,
        f"{entry.started_at:%F %T}",
        f"{entry.start} – {entry.end}" if entry.start else "",
        Cell((entry.error or "").partition("\n")[0], "warn" if failure.is_over else "bad"),
        "it has succeeded" if failure.is_over else "",
    )


def _slow(run: Timed) -> tuple[str | float, ...]:
    entry, usual = run.entry, (run.usual or 0.0) * run.days
    return entry.job, f"{entry.start} – {entry.end}" if entry.start else "", entry.seconds, usual
