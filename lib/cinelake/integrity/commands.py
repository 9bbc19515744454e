"""`cinelake cases`, `case`, `verdict` and `allow`: what a person looks at, and what a person decides.

Nothing here acts on an account: a verdict is written down, and the next run heeds it.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.text import Text

from cinelake.integrity.shown import as_file, as_list
from cinelake.integrity.whereabouts import (
    in_words,
    links,
    middles_of,
    regions,
    spots,
    travelled,
    used,
)
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.runs.upkeep import append_external
from cinelake.runtime.workspace import Workspace
from cinelake.tables.integrity import (
    ALLOW_LIST,
    CONCURRENT_STREAMS,
    IMPOSSIBLE_JOURNEYS,
    INTEGRITY_CASES,
    KINDS,
    PLACE_DAYS,
    STATUSES,
    USAGE_DAYS,
    VERDICTS,
    VERDICTS_KNOWN,
)

SHOWN_STREAMS = 8


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the commands to `cinelake`."""
    _add_reading(app, context)
    _add_deciding(app, context)


def _add_reading(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    @app.command()
    def cases(
        kind: Annotated[str | None, typer.Option(help=", ".join(KINDS))] = None,
        status: Annotated[str, typer.Option(help=", ".join(STATUSES))] = "needs_review",
        top: Annotated[int, typer.Option(min=1, help="How many, the most pressing first.")] = 20,
    ) -> None:
        """List the cases that stand, as the newest day knows them."""
        _require("--kind", kind, KINDS)
        _require("--status", status, STATUSES)
        if not context().lake.exists(INTEGRITY_CASES):
            # As where nothing was ever worth a look: that is no fault.
            typer.echo(
                "No case has been opened yet; `cinelake run` does, where signals speak for it."
            )
            return
        standing = current(_states(context())).where(F.col("status") == status)
        if kind is not None:
            standing = standing.where(F.col("kind") == kind)
        rows = most_pressing(standing, top)
        Console().print(as_list(rows) if rows else Text(f"no case is {status}"))

    @app.command()
    def case(
        case_id: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
    ) -> None:
        """Show a case: what speaks for it, what a person would look at first, and how it went on."""
        states = _states(context())
        full = whole_id(states, case_id)
        own = states.where(F.col("case_id") == full).orderBy("state_date").toArrow().to_pylist()
        lake = context().lake
        streams: list[dict[str, Any]] = []
        if own[-1]["kind"] == "screens" and lake.exists(CONCURRENT_STREAMS):
            streams = first_excesses(lake.read(CONCURRENT_STREAMS), own[-1])
        where = whereabouts_of(lake, own[-1])
        given: list[dict[str, Any]] = []
        if lake.exists(VERDICTS):
            told = lake.read(VERDICTS).where(F.col("case_id") == full)
            given = told.orderBy("given_on", "number").toArrow().to_pylist()
        Console().print(as_file(own, streams, given, where))


def _add_deciding(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    @app.command()
    def verdict(
        case_id: Annotated[str, typer.Argument(help="The case's id, or how that begins.")],
        decision: Annotated[str, typer.Argument(help=", ".join(VERDICTS_KNOWN))],
        why: Annotated[str, typer.Option(help="The reason, in words.")],
        on: Annotated[
            str | None, typer.Option(help="Day from which it holds; none: the case's newest.")
        ] = None,
    ) -> None:
        """Write down what a person decided on a case; the next run heeds it."""
        _require("DECISION", decision, VERDICTS_KNOWN)
        if not why.strip():
            raise typer.BadParameter("--why is empty; say what decided it")
        states = _states(context())
        full = whole_id(states, case_id)
        seen = current(states.where(F.col("case_id") == full)).toArrow().to_pylist()[0]
        day = _day("--on", on) if on else seen["state_date"]
        lake = context().lake
        before = 0
        if lake.exists(VERDICTS):
            before = lake.read(VERDICTS).where(F.col("case_id") == full).count()
        told = {
            "case_id": full,
            "given_on": day,
            "number": before + 1,
            "verdict": decision,
            "kind": seen["kind"],
            "features": seen["features"],
            "why": why,
            "given_by": getpass.getuser(),
        }
        frame = context().spark.createDataFrame(
            [tuple(told[n] for n in VERDICTS.names)], VERDICTS.schema
        )
        with context().writing():
            append_external(context().context(), VERDICTS, frame, by="cinelake verdict")
        typer.echo(f"case {full}: {decision}, from {day} on; the next `cinelake run` heeds it")

    @app.command()
    def allow(
        case_id: Annotated[
            str, typer.Argument(help="A case of the account, or how its id begins.")
        ],
        days: Annotated[
            int, typer.Option(min=1, max=730, help="For how long, from the case's newest day.")
        ],
        why: Annotated[str, typer.Option(help="The reason, in words.")],
    ) -> None:
        """Give the account of a case leave for its kind of misuse, until a day."""
        if not why.strip():
            raise typer.BadParameter("--why is empty; say what it is allowed for")
        states = _states(context())
        full = whole_id(states, case_id)
        told = current(states.where(F.col("case_id") == full)).toArrow().to_pylist()[0]
        first = told["state_date"]
        row = (
            told["account_id"],
            told["kind"],
            first,
            first + timedelta(days=days),
            why,
            getpass.getuser(),
        )
        frame = context().spark.createDataFrame([row], ALLOW_LIST.schema)
        with context().writing():
            append_external(context().context(), ALLOW_LIST, frame, by="cinelake allow")
        typer.echo(f"{told['kind']} of account {told['account_id']}: allowed until {row[3]}")


def current(states: DataFrame) -> DataFrame:
    """Of each case the newest state."""
    newest = states.groupBy("case_id").agg(F.max("state_date").alias("state_date"))
    return states.join(newest, on=["case_id", "state_date"], how="left_semi")


def most_pressing(standing: DataFrame, top: int) -> list[dict[str, Any]]:
    """The first of these states: by severity, then probability, then what is at stake."""
    rank = F.array_position(
        F.array(F.lit("low"), F.lit("medium"), F.lit("high")), F.col("severity")
    )
    ordered = standing.orderBy(rank.desc(), F.desc("probability"), F.desc("stake_ms"), "case_id")
    found: list[dict[str, Any]] = ordered.limit(top).toArrow().to_pylist()
    return found


def whole_id(states: DataFrame, begins: str) -> str:
    """The id of the one case that begins so; raises BadParameter for none and for several."""
    found = (
        states.where(F.startswith("case_id", F.lit(begins))).select("case_id").distinct().limit(5)
    )
    ids = sorted(found.toArrow().column(0).to_pylist())
    if not ids:
        raise typer.BadParameter(
            f"no case begins with {begins!r}; `cinelake cases` lists those there are"
        )
    if len(ids) > 1:
        raise typer.BadParameter(f"several cases begin with {begins!r}: {', '.join(ids)}")
    return str(ids[0])


def first_excesses(excess: DataFrame, state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first intervals of excess of a case's account while it lasted."""
    own = excess.where(
        (F.col("account_id") == state["account_id"])
        & F.col("stream_date").between(state["opened_on"], state["last_signal_on"])
    )
    found: list[dict[str, Any]] = own.orderBy("from_at").limit(SHOWN_STREAMS).toArrow().to_pylist()
    return found


def whereabouts_of(lake: Lake, state: Mapping[str, Any]) -> list[str]:
    """Where a case's account was used in the weeks up to its newest state, in words."""
    until, accounts = state["state_date"], [state["account_id"]]
    usage, journeys, middles = seen_of(lake, accounts, until)
    return in_words(spots(usage, middles, until), links(journeys, until))


def seen_of(
    lake: Lake, accounts: Sequence[str], until: date
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """What `whereabouts` tells of accounts up to a day: uses, impossible journeys, and where their regions lie."""
    usage: list[dict[str, Any]] = []
    journeys: list[dict[str, Any]] = []
    middles: list[dict[str, Any]] = []
    if lake.exists(USAGE_DAYS):
        usage = used(lake.read(USAGE_DAYS), accounts, until).toArrow().to_pylist()
    if lake.exists(IMPOSSIBLE_JOURNEYS):
        journeys = travelled(lake.read(IMPOSSIBLE_JOURNEYS), accounts, until).toArrow().to_pylist()
    if lake.exists(PLACE_DAYS):
        wanted = regions(usage, until)
        middles = middles_of(lake.read(PLACE_DAYS), wanted, until).toArrow().to_pylist()
    return usage, journeys, middles


def _states(workspace: Workspace) -> DataFrame:
    if not workspace.lake.exists(INTEGRITY_CASES):
        raise typer.BadParameter("there are no cases yet; run `cinelake run` first")
    return workspace.lake.read(INTEGRITY_CASES)


def _require(name: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        raise typer.BadParameter(f"{name} {value!r} is not known; it is one of {', '.join(known)}")


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{name} {text!r} is no day; write it as 2026-03-28") from None
