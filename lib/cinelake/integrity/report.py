"""Cases of account integrity that stand, each of the first with a picture of what streamed when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from matplotlib.figure import Figure
from pyspark.sql import functions as F

from cinelake.integrity.commands import current, most_pressing, seen_of
from cinelake.integrity.whereabouts import DAYS, drawn, links, spots
from cinelake.report.page import COLD, INK, QUIET, WARM, Cards, Grid, Part, Picture, Points, Section
from cinelake.runtime.workspace import Workspace
from cinelake.tables.integrity import ACCOUNT_PARTIES, INTEGRITY_CASES, USAGE_DAYS

LISTED, PICTURED = 15, 4
# Of the list of cases.
HEADINGS = (
    "case",
    "kind",
    "severity",
    "chance",
    "since",
    "days",
    "hours at stake",
    "suggested",
    "because",
)
EPOCH = datetime.combine(date(1970, 1, 1), datetime.min.time())
COLOURS = (WARM, "#e08e45", "#8f6bb3", "#4b9b7a")


@dataclass(frozen=True)
class Seen:
    """What is known of the accounts of pictured cases: rows of tables, and what `whereabouts` tells of places."""

    usage: Sequence[Mapping[str, Any]]
    parties: Sequence[Mapping[str, Any]]
    places: Sequence[Mapping[str, Any]] = ()
    journeys: Sequence[Mapping[str, Any]] = ()
    middles: Sequence[Mapping[str, Any]] = ()


def sections(workspace: Workspace) -> Iterator[Section]:
    """The cases that wait for a person, as the newest day knows them."""
    lake = workspace.lake
    states = lake.read(INTEGRITY_CASES)
    standing = current(states)
    counts = {
        row["status"]: row["count"]
        for row in standing.groupBy("status").count().toArrow().to_pylist()
    }
    first = most_pressing(standing.where(F.col("status") == "needs_review"), LISTED)
    if not first:
        return
    pictured = first[:PICTURED]
    accounts = sorted({row["account_id"] for row in pictured})

    until = max(row["state_date"] for row in pictured)
    own = F.col("account_id").isin(accounts)
    near = F.date_diff(F.lit(until), "use_date") < 2 * DAYS
    usage = lake.read(USAGE_DAYS).where(own & near).toArrow().to_pylist()
    parties = lake.read(ACCOUNT_PARTIES).where(own).toArrow().to_pylist()
    yield cases_that_stand(
        counts, first, pictured, Seen(usage, parties, *seen_of(lake, accounts, until))
    )


def cases_that_stand(
    counts: Mapping[str, int],
    first: Sequence[Mapping[str, Any]],
    pictured: Sequence[Mapping[str, Any]],
    seen: Seen,
) -> Section:
    """How many cases there are by status, the most pressing, and timelines and maps of the first."""
    grid = Grid(
        HEADINGS,
        [
            (
                row["case_id"],
                row["kind"],
                row["severity"],
                f"{row['probability']:.0%}",
                str(row["opened_on"]),
                row["signal_days"],
                round(row["stake_ms"] / 3_600_000, 1),
                row["suggested_action"].replace("_", " "),
                "; ".join(each["text"] for each in row["reasons"][:3]),
            )
            for row in first
        ],
    )
    parts: list[Part] = [
        Cards([(str(n), status.replace("_", " ")) for status, n in sorted(counts.items())]),
        grid,
    ]
    for case in pictured:
        own = _of_account(case, seen.usage)
        figure = timeline(case, own, party_of(case, seen.parties))
        if figure is not None:
            parts.append(
                Picture(
                    figure,
                    f"Case {case['case_id']} ({case['kind']}): devices, by day and hour of their plays. "
                    "Grey devices belong to the home.",
                )
            )
        until = case["state_date"]
        found = spots(_of_account(case, seen.places), seen.middles, until)
        chart = drawn(found, links(_of_account(case, seen.journeys), until))
        if chart is not None:
            parts.append(
                Picture(
                    chart,
                    f"Case {case['case_id']}: where the account was used in {DAYS} days, the larger the longer. "
                    "Distances are from where it was used most; dashed, what nobody could travel so fast.",
                )
            )
        parts.append(Points(list(case["evidence"])))
    lead = (
        "Accounts that a person should look at. Nothing acts by itself: "
        "`cinelake verdict` writes down what was decided."
    )
    return Section("Account integrity", lead, parts)


def _of_account(
    case: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["account_id"] == case["account_id"]]


def party_of(case: Mapping[str, Any], parties: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The number of the party of each device on the newest day, the home's being 0."""
    own = _of_account(case, parties)
    newest = max((row["as_of"] for row in own), default=None)
    ordered = sorted(
        (row for row in own if row["as_of"] == newest),
        key=lambda row: (not row["is_home"], row["party"]),
    )
    return {device: number for number, row in enumerate(ordered) for device in row["devices"]}


def timeline(
    case: Mapping[str, Any], usage: Sequence[Mapping[str, Any]], party: Mapping[str, int]
) -> Figure | None:
    """Hours of play by device over the weeks up to a case's newest day; None where nothing is known of them."""
    last: date = case["state_date"]
    since = last - timedelta(days=DAYS)
    near = [row for row in usage if since < row["use_date"] <= last]
    if not near:
        return None
    devices = sorted({row["device_id"] for row in near}, key=lambda d: (party.get(d, 0), d))
    place = {device: number for number, device in enumerate(devices)}
    figure = Figure(figsize=(11, 0.3 * len(devices) + 1.4), layout="constrained")
    axes = figure.subplots()
    for row in near:
        number = party.get(row["device_id"], 0)
        colour = QUIET if number == 0 else COLOURS[(number - 1) % len(COLOURS)]
        day = datetime.combine(row["use_date"], datetime.min.time())
        hours = [hour for hour in range(24) if row["hours"] >> hour & 1]
        spans = [(_days(day + timedelta(hours=hour)), 1 / 24) for hour in hours]
        axes.broken_barh(spans, (place[row["device_id"]] - 0.4, 0.8), color=colour)
    opened = datetime.combine(case["opened_on"], datetime.min.time())
    axes.axvline(_days(opened), color=COLD, lw=1, ls="--")
    kinds = {row["device_id"]: (row["device_kind"], row["region"]) for row in near}
    names = [f"{kinds[device][0]} {device[:6]}, {kinds[device][1]}" for device in devices]
    axes.set_yticks(range(len(devices)), names, fontsize=8, color=INK)
    first = int(_days(datetime.combine(since, datetime.min.time()))) + 1
    weeks = range(first, first + DAYS, 3)
    axes.set_xticks(weeks, [f"{EPOCH + timedelta(days=day):%d %b}" for day in weeks])
    axes.set_xlim(first, first + DAYS)
    axes.set_ylim(-0.6, len(devices) - 0.4)
    return figure


def _days(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds() / 86_400
