"""What the lake says of itself: how the jobs ran, what the tables hold, and what was turned away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import add

from matplotlib.figure import Figure
from pyspark.sql import functions as F

from cinelake.report.page import COLD, INK, QUIET, WARM, Cards, Cell, Grid, Part, Picture, Section
from cinelake.runtime.runs.books import Entry
from cinelake.runtime.runs.conservation import Balance
from cinelake.runtime.workspace import Workspace
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Layer, Table
from cinelake.tables.system import CHECK_RESULTS

TONES = {"succeeded": "good", "failed": "bad", "yielded": "warn"}
LAYERS = {Layer.BRONZE: "#a8703a", Layer.SILVER: "#8795a5", Layer.GOLD: "#c9a227"}
_SHOWN_REASONS = 4
_SHOWN_JOBS = 25
_AT_ONCE = 8


@dataclass(frozen=True)
class Held:
    """What a table holds."""

    table: Table
    rows: int
    files: int
    bytes: int


@dataclass(frozen=True)
class Checked:
    """The newest validation of a table."""

    table: str
    passed: bool
    expectations: int
    failed: Sequence[str]


def sections(workspace: Workspace) -> Iterator[Section]:
    """The lake's own part of the report."""
    lake = workspace.lake
    entries = workspace.ledger.entries()
    yield pipeline(entries)
    there = [table for table in all_tables().values() if lake.exists(table)]
    # Each asks Spark for little and waits for it long.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        held = pool.map(
            lambda table: Held(table, lake.read(table).count(), *lake.size(table)), there
        )
        yield contents(list(held))
    newest = (
        lake.read(CHECK_RESULTS)
        .groupBy("target")
        .agg(F.max_by(F.struct("passed", "expectations", "failed"), "checked_at").alias("check"))
        .select(F.col("target").alias("table"), "check.*")
    )
    rows = newest.orderBy("table").toArrow().to_pylist()
    checks = [Checked(**(row | {"failed": row["failed"] or ()})) for row in rows]
    yield quality(entries, checks)


@dataclass
class _JobLine:
    """A job's newest run, and what its runs took together."""

    newest: Entry
    spent: float = 0.0
    rows_in: int = 0
    rows_out: int = 0
    turned_away: int = 0


def _lines(entries: Iterable[Entry]) -> dict[str, _JobLine]:
    lines: dict[str, _JobLine] = {}
    for entry in entries:
        if entry.kind not in {"job", "ingest"}:
            continue
        line = lines.setdefault(entry.job, _JobLine(entry))
        line.newest = entry
        # Ingestion enters each batch, and these add up; an entry beside them holds the time of all of them again.
        is_batch = entry.kind == "ingest" and bool(entry.balances)
        line.spent += entry.seconds if is_batch or entry.kind == "job" else 0.0
        if entry.kind == "job":
            line.rows_in = line.rows_out = line.turned_away = 0
        line.rows_in += sum(entry.rows_in.values())
        line.rows_out += sum(entry.rows_out.values())
        line.turned_away += sum(entry.quarantined.values())
    return lines


def pipeline(entries: Sequence[Entry]) -> Section:
    """How the jobs ran."""
    lines = _lines(entries)
    failed = sum(line.newest.status == "failed" for line in lines.values())
    rows = [
        (
            job,
            _ended(line.newest),
            f"{line.newest.start} to {line.newest.end}" if line.newest.start else "all that landed",
            line.rows_in,
            line.rows_out,
            _warned(line.turned_away),
            line.spent,
        )
        for job, line in lines.items()
    ]
    spent = {job: line.spent for job, line in lines.items()}
    cards = Cards(
        [
            (str(len(lines)), "jobs have run"),
            (str(failed), "failed when they last ran"),
            (f"{sum(spent.values()):,.0f} s", "spent in them, over all runs"),
        ]
    )
    headings = ("job", "status", "days", "rows in", "rows out", "turned away", "seconds, all runs")
    return Section(
        "Pipeline",
        "Each job as it last ran, in the order in which they first ran. Days are UTC; the last is not included.",
        [
            cards,
            Picture(_spent(spent), "Time spent in each job, over all its runs."),
            Grid(headings, rows),
        ],
    )


def _ended(newest: Entry) -> Cell:
    """How a run ended, with what it warned of."""
    if newest.warnings:
        return Cell(f"{newest.status}: {' '.join(newest.warnings)}", "warn")
    return Cell(newest.status, TONES.get(newest.status, ""))


def _spent(spent: Mapping[str, float]) -> Figure:
    longest = sorted(spent.items(), key=lambda item: item[1])[-_SHOWN_JOBS:]
    return _bars([(job, seconds, COLD) for job, seconds in longest], "seconds")


def contents(held: Sequence[Held]) -> Section:
    """What the tables hold."""
    rows = [
        (each.table.name, each.table.layer.value, each.table.grain, each.rows, each.files, each.bytes / 1e6)
        for each in held
    ]  # fmt: skip
    cards = Cards(
        [
            (f"{sum(e.rows for e in held if e.table.layer is layer):,}", f"rows in {layer.value}")
            for layer in LAYERS
        ]
        + [(f"{sum(e.bytes for e in held) / 1e6:,.1f} MB", "in the newest versions of all tables")]
    )
    return Section(
        "Tables",
        "What stands in the lake now. `cinelake tables NAME` documents every column.",
        [
            cards,
            Picture(_sizes(held), "Rows by table, on a logarithmic scale; the colour is the layer."),
            Grid(("table", "layer", "one row is", "rows", "files", "MB"), rows),
        ],
    )  # fmt: skip


def _sizes(held: Sequence[Held]) -> Figure:
    drawn = [each for each in held if each.table.layer in LAYERS and each.rows]
    drawn.sort(key=lambda each: (list(LAYERS).index(each.table.layer), each.rows), reverse=True)
    bars = [(each.table.name, each.rows, LAYERS[each.table.layer]) for each in drawn]
    return _bars(bars, "rows", scale="log")


def quality(entries: Iterable[Entry], checks: Sequence[Checked]) -> Section:
    """What was turned away, and what the audits found."""
    accounts: dict[tuple[str, str], Balance] = {}
    for entry in entries:
        # Of ingestion, batches add up; a window that is computed again counts anew.
        adds_up = entry.kind == "ingest"
        for balance in entry.balances if entry.status == "succeeded" else ():
            key = (balance.source, balance.table)
            known = [accounts[key]] if adds_up and key in accounts else []
            accounts[key] = reduce(add, [*known, balance])
    rows = [
        (
            balance.source,
            balance.table,
            balance.given,
            balance.kept,
            _warned(_turned_away(balance)),
            _reasons(balance),
            Cell(f"{balance.missing:,}", "bad" if balance.missing else "good"),
        )
        for balance in accounts.values()
    ]
    failed = [check for check in checks if not check.passed]
    cards = Cards(
        [
            (f"{sum(check.expectations for check in checks):,}", "expectations held against tables"),
            (f"{len(failed):,}", "tables whose newest validation failed"),
            (f"{sum(abs(balance.missing) for balance in accounts.values()):,}", "rows unaccounted for"),
        ]
    )  # fmt: skip
    parts: list[Part] = [cards]
    if accounts:
        caption = "Of what was given, the share that was turned away."
        parts.append(Picture(_shares(accounts.values()), caption))
        headings = (
            "from",
            "to",
            "given",
            "kept",
            "turned away",
            "most frequent reasons",
            "missing",
        )
        parts.append(Grid(headings, rows))
    if failed:
        parts.append(
            Grid(
                ("table", "failed expectations"),
                [(check.table, Cell(", ".join(check.failed), "bad")) for check in failed],
            )
        )
    return Section(
        "Data quality",
        "Every row that is given is kept, or turned away with its reasons. What was turned away stands in the table "
        "quarantine; `cinelake checks docs` shows every expectation.",
        parts,
    )


def _turned_away(balance: Balance) -> int:
    return sum(count for _, count in balance.reasons)


def _reasons(balance: Balance) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in balance.reasons[:_SHOWN_REASONS])


def _shares(accounts: Iterable[Balance]) -> Figure:
    shares = [
        (f"{balance.source} → {balance.table}", 100 * _turned_away(balance) / balance.given)
        for balance in accounts
        if balance.given
    ]
    bars = [(name, share, WARM if share >= 1 else QUIET) for name, share in reversed(shares)]
    return _bars(bars, "% turned away")


def _bars(bars: Sequence[tuple[str, float, str]], unit: str, scale: str = "linear") -> Figure:
    """Name, length and colour of each bar, from the bottom up."""
    figure = Figure(figsize=(10, 0.9 + 0.24 * len(bars)), layout="constrained")
    axes = figure.subplots()
    names, lengths, colours = zip(*bars, strict=True) if bars else ((), (), ())
    axes.barh(names, lengths, color=colours, height=0.7)
    axes.set_xscale(scale)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=9, colors=INK)
    axes.set_xlabel(unit)
    axes.margins(y=0.01)
    return figure


def _warned(count: int) -> Cell:
    return Cell(f"{count:,}", "warn") if count else Cell("0")
