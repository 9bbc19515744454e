"""`cinelake recommend`, `similar`, `leaderboard` and `evaluate`: what people ask the recommender first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pyspark.sql import functions as F
from rich.console import Console, Group, RenderableType
from rich.text import Text

from cinelake.behaviour.history import latest
from cinelake.behaviour.identity import LENGTH, IdKind
from cinelake.recommend.asked import (
    busiest,
    called,
    in_order,
    near_ids,
    near_names,
    newest_list,
    newest_similar,
    recent_titles,
    why_none,
    with_reasons,
)
from cinelake.recommend.eligibility import Limits
from cinelake.recommend.home import commands as home
from cinelake.recommend.newcomer import Newcomer, popular_for
from cinelake.recommend.popular_here import Popularity
from cinelake.recommend.protocols import PROTOCOLS
from cinelake.recommend.report import length_judged, models_measured
from cinelake.recommend.scoreboard import scoreboard
from cinelake.recommend.service import TOLD, Records, Service
from cinelake.recommend.strengths import Weights, strengths
from cinelake.recommend.terminal import alike, popularity, side_by_side
from cinelake.recommend.viewers import viewers
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.landing import importers
from cinelake.runtime.passing_lake import passing_lake
from cinelake.runtime.runs.progress import steps
from cinelake.runtime.runs.staleness import data_through
from cinelake.runtime.time_limit import share_spent
from cinelake.runtime.tracking.versions import CHAMPION, ModelRun, ModelVersion
from cinelake.runtime.windows import complete_days
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, PROFILES, TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import (
    PROFILE_INDEX,
    RECOMMENDATIONS,
    RECOMMENDER,
    SIMILAR_TITLES,
    TITLE_INDEX,
)

if TYPE_CHECKING:
    from cinelake.recommend.trial import Evaluation, Protocol

# Ids of this form are taken for pseudonyms.
PSEUDONYM = re.compile(f"[0-9a-f]{{{LENGTH}}}")
# An age that no title is meant for.
ANY_AGE = 99
NOTHING_RAN = "the ledger knows of no data; `cinelake run` takes in what there is"
# Settings of ALS that `evaluate` tries unless it is told otherwise.
SETTINGS_TRIED = 10
NO_MODEL = (
    "No model has been trained yet; `cinelake run` trains one on Mondays of the data, and its run in "
    "`cinelake mlflow` says why if there was nothing to train on."
)


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the commands to `cinelake`."""
    _register_similar(app, context)
    _register_popular(app, context)
    _register_evaluate(app, context)
    home.register(app, context, _pseudonyms, service_told)

    @app.command()
    def recommend(
        profiles: Annotated[
            list[str] | None,
            typer.Argument(
                help="Profile ids or their pseudonyms; without any, five with most signals."
            ),
        ] = None,
        titles: Annotated[int, typer.Option(min=1, help="How many titles on either side.")] = 10,
    ) -> None:
        """Show what profiles watched lately and what we recommend to them, side by side."""
        lake, console = context().lake, Console()
        signals, told = lake.read(TITLE_SIGNALS), service_told(context())
        recommendations, now = lake.read(RECOMMENDATIONS), day_reached(context())
        if not profiles:
            keenest = busiest(signals, 5).toArrow().to_pylist()
            profiles = [row["profile_id"] for row in keenest]
        if not profiles:
            raise typer.BadParameter(
                "nobody has watched or rated anything yet; run `cinelake run` first"
            )
        known_by = _pseudonyms(context(), profiles, "cinelake recommend")
        for asked in profiles:
            profile = known_by[asked]
            own = signals.where(F.col("profile_id") == profile)
            recent = in_order(recent_titles(own, titles), lake.read(TITLES))
            listed = newest_list(recommendations, profile, titles, told, now)
            rows = with_reasons(in_order(listed, lake.read(TITLES)), lake.read(TITLES))
            if not recent and not rows:
                # Pseudonyms of ids that look alike do not, so only what was typed as one has neighbours.
                near = near_ids(signals, profile).toArrow().to_pylist()
                known = "nobody has done anything"
                if near:
                    others = ", ".join(row["profile_id"] for row in near)
                    known = f"the nearest are {others}" if asked == profile else "check the id"
                raise typer.BadParameter(
                    f"no profile {asked!r} has a list, or has watched or rated anything; {known}"
                )
            why = "" if rows else NOTHING_RAN
            if not rows and now is not None:
                why = why_none(recommendations, profile, told(now))
            console.print(side_by_side(asked, recent, rows, why))

    @app.command()
    def leaderboard() -> None:
        """Show how the newest training did against popularity, and what the gate said, of the champion, too."""
        tracking = context().tracking
        versions = tracking.versions(RECOMMENDER)
        if not versions:
            # A service that is too small or too young for a model is in order, and what is joined by `then` goes on.
            Console().print(NO_MODEL)
            return
        champion = tracking.at_alias(RECOMMENDER, CHAMPION)
        Console().print(board(tracking.report(versions[0]), champion))


def _register_similar(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    @app.command()
    def similar(
        title: Annotated[str, typer.Argument(help="A title's name, or its id.")],
        titles: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    ) -> None:
        """Show the titles most like one, and why."""
        lake, console = context().lake, Console()
        if not lake.exists(SIMILAR_TITLES):
            raise typer.BadParameter(
                "nobody has related titles yet; `cinelake run` does, on Mondays of the data"
            )
        named = latest(lake.read(TITLES), ["title_id"], "name", "release_year")
        found = called(named, title).toArrow().to_pylist()
        if not found:
            near = near_names(named, title).toArrow().to_pylist()
            others = ", ".join(repr(row["name"]) for row in near)
            raise typer.BadParameter(
                f"there is no title {title!r}" + (f"; the nearest are {others}" if near else "")
            )
        for one in found:
            listed = newest_similar(lake.read(SIMILAR_TITLES), one["title_id"], titles)
            console.print(alike(one, in_order(listed, lake.read(TITLES))))


def _register_popular(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    @app.command()
    def popular(
        market: Annotated[str, typer.Argument(help="A market, as DE (ISO 3166-1).")],
        kind: Annotated[str, typer.Option(help="Kind of profile: adult or kid.")] = "adult",
        age_limit: Annotated[
            int | None,
            typer.Option(
                min=0,
                help="Age of titles at most (years), for a kid no more than that of kids; none: any.",
            ),
        ] = None,
        device: Annotated[
            str | None, typer.Option(help="tv, console, phone, tablet or laptop.")
        ] = None,
        hour: Annotated[
            int | None, typer.Option(min=0, max=23, help="Hour by the viewer's clock.")
        ] = None,
        titles: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    ) -> None:
        """Show what a new profile gets: what is popular in its market, on its device, at the hour."""
        lake, console = context().lake, Console()
        newest = lake.read(TITLE_SIGNALS).agg(F.max("signal_date")).first()
        if newest is None or newest[0] is None:
            raise typer.BadParameter("nobody has watched anything yet; run `cinelake run` first")
        until = newest[0] + timedelta(days=1)
        service = service_told(context())(until)
        asked = Newcomer(market, kind, ANY_AGE if age_limit is None else age_limit, device, hour)
        known = strengths(lake.read(TITLE_SIGNALS), Weights(), until)
        found = popular_for(asked, known, service, _limits(context()), titles)
        listed = in_order(found, lake.read(TITLES))
        if not listed:
            raise typer.BadParameter(
                f"no title is on offer in {market!r} to a profile of kind {kind!r} and that age; "
                "`cinelake tables availability` says how titles come on offer"
            )
        console.print(popularity(listed))


def _register_evaluate(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    @app.command()
    def evaluate(
        kind: Annotated[
            str | None,
            typer.Argument(help="What the folder holds, such as movielens; none: the lake itself."),
        ] = None,
        folder: Annotated[Path | None, typer.Argument(help="The folder to read.")] = None,
        protocol: Annotated[str, typer.Option(help=", ".join(PROTOCOLS))] = "temporal",
        test: Annotated[float, typer.Option(help="The share that is held out.")] = 0.1,
        seed: Annotated[int, typer.Option(help="Of the random protocol.")] = 42,
        k: Annotated[
            list[int] | None,
            typer.Option(
                min=1,
                max=500,
                help="Length of the lists. Of several (--k 10 --k 50) the first decides. If not told: 10.",
            ),
        ] = None,
        like_from: Annotated[
            float | None,
            typer.Option(
                help="Ratings from here on are likes. If not told: 4; every rating where the protocol is not temporal."
            ),
        ] = None,
        tune: Annotated[
            int | None,
            typer.Option(
                min=0,
                help="Settings of ALS to try first, within what is trained on, and lines of others; 0: none. "
                f"If not told: {SETTINGS_TRIED}, where that can be split again.",
            ),
        ] = None,
        minutes: Annotated[
            float,
            typer.Option(
                min=0,
                help="After so long nothing more is tried, of ALS after half of it; what has begun is finished.",
            ),
        ] = 60,
        json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Measure every kind of model on a data set, tuned within what it is trained on, or as it comes."""
        from cinelake.recommend.trial import (
            NothingToMeasure,
            Protocol,
            as_json,
            liked_from,
            table,
        )

        if protocol not in PROTOCOLS or not 0 < test < 1:
            raise typer.BadParameter(
                f"--protocol is one of {', '.join(PROTOCOLS)}, and --test a share between 0 and 1"
            )
        if (kind is None) != (folder is None) or kind not in {None, *importers()}:
            raise typer.BadParameter(
                f"say what the folder holds ({', '.join(importers())}), and where it is"
            )
        notices = Console(stderr=True)
        lengths, tried = tuple(k or [10]), SETTINGS_TRIED if tune is None else tune
        like = liked_from(protocol, like_from)
        how = Protocol(protocol, test, seed, lengths[0], like, tried, minutes, lengths[1:])
        must_tune = tune is not None
        try:
            if kind is None or folder is None:
                found = _evaluated(context().lake, how, notices, must_tune, _limits(context()))
            else:
                needed = (TITLE_SIGNALS, TITLES, PROFILE_INDEX, TITLE_INDEX)
                with passing_lake(context(), kind, folder, needed, notices) as passing:
                    found = _evaluated(passing.lake, how, notices, must_tune, Limits())
        except NothingToMeasure as nothing:
            raise typer.BadParameter(str(nothing)) from nothing
        if found.untuned:
            notices.print(f"Not tuned: {found.untuned}.", highlight=False, soft_wrap=True)
        if json_:
            typer.echo(json.dumps(as_json(found, how)))
        else:
            Console().print(table(found, how))


def _evaluated(
    lake: Lake, how: Protocol, notices: Console, must_tune: bool, limits: Limits
) -> Evaluation:
    # What trains models takes a second to import, and other commands need none of it.
    from cinelake.recommend.training import indexed
    from cinelake.recommend.trial import evaluated

    # Who is where, for what is on offer differs by market, and who fares how by group; a data set of ratings tells of
    # nobody.
    described = (PROFILES, ACCOUNTS, DEVICES)
    people = viewers(*map(lake.read, described)) if all(map(lake.exists, described)) else None
    signals, profiles, titles = map(lake.read, (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX))
    told = indexed(signals, profiles, titles, people)
    service_at = None
    if all(map(lake.exists, TOLD)):
        service_at = Records(*map(lake.read, TOLD)).at_cuts(limits, Popularity())
    with steps(notices, "tuning") as tell:
        return evaluated(
            told, lake.read(TITLES), how, tell,
            people=people, service_at=service_at, spent=share_spent(how.minutes or 0), must_tune=must_tune,
        )  # fmt: skip


def board(run: ModelRun, champion: ModelVersion | None) -> RenderableType:
    """The metrics of a training beside the baseline's, and what the gate said of it and of the champion."""
    version = run.version
    heading = f"{version.name} version {version.version}, trained through {version.trained_through}"
    shown = scoreboard(run.metrics, models_measured(run.metrics), length_judged(run.metrics))
    lines = [Text(_judged(version))]
    if champion is None:
        lines.append(Text("champion: none yet"))
    elif champion != version:
        trained = f"version {champion.version}, trained through {champion.trained_through}"
        lines.append(Text(f"champion: {trained}; {_judged(champion)}"))
    return Group(Text(heading), shown, *lines)


def _judged(version: ModelVersion) -> str:
    gate = (
        {True: "passed", False: "failed"}[version.approved] if version.judged else "not judged yet"
    )
    return f"gate: {gate}: {version.reason}" if version.reason else f"gate: {gate}"


def _pseudonyms(workspace: Workspace, profiles: Sequence[str], command: str) -> dict[str, str]:
    """Profile ids as they were typed, and how the lake knows them."""
    known_by = {text: text for text in profiles}
    delivered = [text for text in profiles if not PSEUDONYM.fullmatch(text)]
    if delivered:
        known_by |= workspace.pseudonyms(IdKind.PROFILE, delivered, LENGTH, command)
    return known_by


def service_told(workspace: Workspace) -> Callable[[date], Service]:
    """What the lake tells of the service by now."""
    records = Records(*map(workspace.lake.read, TOLD))
    limits = _limits(workspace)
    return lambda until: records.describe(until, limits, Popularity())


def day_reached(workspace: Workspace) -> date | None:
    """The end of the last whole day of which the lake has data; None of an empty one."""
    tables = [table.name for table in (TITLE_SIGNALS, *TOLD)]
    through = data_through(workspace.ledger.books(), tables)
    return through and complete_days(through)


def _limits(workspace: Workspace) -> Limits:
    """Those that lists and pages are made with."""
    return Limits.model_validate(workspace.settings.shared.get(Limits.shared_as, {}))
