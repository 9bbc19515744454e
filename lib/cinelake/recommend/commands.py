"""`cinelake recommend [PROFILE …]` and `cinelake leaderboard`: what people ask the recommender first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from cinelake.behaviour.history import latest
from cinelake.behaviour.identity import LENGTH, IdKind
from cinelake.recommend.gate import CHALLENGER, CHAMPION, POPULAR
from cinelake.recommend.report import metric_named
from cinelake.runtime.tracking import ModelRun
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import ALS, RECOMMENDATIONS

# Ids of this form are taken for pseudonyms.
PSEUDONYM = re.compile(f"[0-9a-f]{{{LENGTH}}}")
MEASURES = (
    "ndcg",
    "recall",
    "precision",
    "average_precision",
    "coverage",
    "popularity",
    "gini",
)
NO_MODEL = (
    "No model has been trained yet; `cinelake run` trains one on Mondays of the data, and its run in "
    "`cinelake mlflow` says why if there was nothing to train on."
)


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the commands to `cinelake`."""

    @app.command()
    def recommend(
        profiles: Annotated[
            list[str] | None,
            typer.Argument(
                help="Profile ids or their pseudonyms; without any, two with most signals."
            ),
        ] = None,
        titles: Annotated[int, typer.Option(min=1, help="How many titles on either side.")] = 10,
    ) -> None:
        """Show what profiles watched lately and what we recommend to them, side by side."""
        lake, console = context().lake, Console()
        signals = lake.read(TITLE_SIGNALS)
        if not profiles:
            keenest = busiest(signals, 2).toArrow().to_pylist()
            profiles = [row["profile_id"] for row in keenest]
        if not profiles:
            raise typer.BadParameter(
                "nobody has watched or rated anything yet; run `cinelake run` first"
            )
        known_by = {text: text for text in profiles}
        delivered = [text for text in profiles if not PSEUDONYM.fullmatch(text)]
        if delivered:
            known_by |= context().pseudonyms(
                IdKind.PROFILE, delivered, LENGTH, "cinelake recommend"
            )
        for asked in profiles:
            profile = known_by[asked]
            own = signals.where(F.col("profile_id") == profile)
            recent = _rows(recent_titles(own, titles), lake.read(TITLES))
            if not recent:
                # Pseudonyms of ids that look alike do not, so only what was typed as one has neighbours.
                near = near_ids(signals, profile).toArrow().to_pylist()
                known = "nobody has done anything"
                if near:
                    others = ", ".join(row["profile_id"] for row in near)
                    known = f"the nearest are {others}" if asked == profile else "check the id"
                raise typer.BadParameter(
                    f"no profile {asked!r} has watched or rated anything; {known}"
                )
            listed = newest_list(lake.read(RECOMMENDATIONS), profile, titles)
            console.print(side_by_side(asked, recent, _rows(listed, lake.read(TITLES))))

    @app.command()
    def leaderboard() -> None:
        """Show how the newest training did against popularity, and what the gate said."""
        tracking = context().tracking
        versions = tracking.versions(ALS)
        # A service that is too small or too young for a model is in order, and what is joined by `then` goes on.
        Console().print(board(tracking.report(versions[0])) if versions else NO_MODEL)


def recent_titles(signals: DataFrame, n: int) -> DataFrame:
    """What one profile last played or rated, one row a title and day: `place, title_id, note`."""
    stars = F.concat(F.col("rating").cast("string"), F.lit(" stars"))
    watched = F.when(
        F.col("plays") > 0,
        F.when(
            F.col("completion").isNotNull(),
            F.format_string("%.0f %% seen", F.col("completion") * 100),
        ).otherwise("played"),
    )
    newest = (
        signals.where("plays > 0 OR rating IS NOT NULL")
        .orderBy(F.desc("signal_date"), F.desc_nulls_last("rated_at"), "title_id")
        .limit(n)
    )
    return newest.select(
        F.coalesce("rated_at", F.col("signal_date").cast("timestamp")).alias("place"),
        "title_id",
        F.concat_ws("  ", stars, watched, F.col("signal_date").cast("string")).alias("note"),
    )


def busiest(signals: DataFrame, n: int) -> DataFrame:
    """The n profiles that played and rated most."""
    counted = signals.groupBy("profile_id").agg(
        F.sum(F.col("plays") + F.col("rating").isNotNull().cast("int")).alias("told")
    )
    return counted.where("told > 0").orderBy(F.desc("told"), "profile_id").limit(n)


def newest_list(recommendations: DataFrame, profile: str, n: int) -> DataFrame:
    """The newest list of one profile: `place, title_id, note`."""
    own = recommendations.where(F.col("profile_id") == profile)
    newest = own.agg(F.max("as_of").alias("as_of"))
    return (
        own.join(newest, on="as_of", how="left_semi")
        .where(F.col("rank") <= n)
        .select(
            F.col("rank").alias("place"),
            "title_id",
            F.col("source").alias("note"),
            "as_of",
            "model_version",
        )
    )


def near_ids(signals: DataFrame, profile: str, n: int = 5) -> DataFrame:
    """The profile ids most like what was typed."""
    return (
        signals.select("profile_id")
        .distinct()
        .orderBy(
            F.levenshtein("profile_id", F.lit(profile)),
            F.abs(F.length("profile_id") - len(profile)),
            "profile_id",
        )
        .limit(n)
    )


def side_by_side(
    profile: str, recent: Sequence[dict[str, Any]], listed: Sequence[dict[str, Any]]
) -> RenderableType:
    """What a profile played or rated lately beside its list."""
    newest_first = list(recent)[::-1]
    grid = Grid()
    for heading in ("played or rated lately", "how, day", "", "recommended"):
        grid.add_column(heading, justify="right" if heading == "" else "left")
    for place in range(max(len(newest_first), len(listed))):
        left, right = ("", ""), ("", "")
        if place < len(newest_first):
            left = (_name(newest_first[place]), newest_first[place]["note"])
        if place < len(listed):
            right = (str(listed[place]["place"]), _name(listed[place]))
        # Text, for a title in square brackets is no markup.
        grid.add_row(*(Text(cell) for cell in (*left, *right)))
    return Group(Text(f"Profile {profile}"), grid, Text(_origin(listed)))


def board(run: ModelRun) -> RenderableType:
    """The metrics of a training beside the baseline's, and the gate's words."""
    version = run.version
    heading = f"{version.name} version {version.version}, trained through {version.trained_through}"
    grid = Grid()
    models = [
        m
        for m in (CHALLENGER, CHAMPION, POPULAR)
        if any(k.startswith(f"{m}.") for k in run.metrics)
    ]
    grid.add_column("measure")
    for model in models:
        grid.add_column(model, justify="right")
    for measure in MEASURES:
        names = {m: metric_named(run.metrics, f"{m}.{measure}_at_") for m in models}
        cells = [_cell(run, names[model]) for model in models]
        label = next((name.partition(".")[2] for name in names.values() if name), measure)
        if any(cells):
            grid.add_row(label, *cells)
    gate = (
        {True: "passed", False: "failed"}[version.approved] if version.judged else "not judged yet"
    )
    decision = f"gate: {gate}: {version.reason}" if version.reason else f"gate: {gate}"
    return Group(Text(heading), grid, Text(decision))


def _cell(run: ModelRun, name: str | None) -> str:
    if name is None:
        return ""
    low, high = run.metrics.get(f"{name}.low"), run.metrics.get(f"{name}.high")
    interval = f" [{low:.4f}, {high:.4f}]" if low is not None and high is not None else ""
    return f"{run.metrics[name]:.4f}{interval}"


def _rows(listed: DataFrame, titles: DataFrame) -> list[dict[str, Any]]:
    """A short list with the newest name and year of each title, in order of place."""
    named = latest(titles, ["title_id"], "name", "release_year")
    joined = listed.join(named, on="title_id", how="left")
    rows: list[dict[str, Any]] = joined.orderBy("place", "title_id").toArrow().to_pylist()
    return rows


def _name(row: dict[str, Any]) -> str:
    year = f" ({row['release_year']})" if row["release_year"] else ""
    return f"{row['name']}{year}" if row["name"] else f"title {row['title_id']}"


def _origin(listed: Sequence[dict[str, Any]]) -> str:
    if not listed:
        return (
            "No list: either `cinelake run` has not made the day's lists yet, or the profile has seen every "
            "title there is."
        )
    first = listed[0]
    if first["note"] == "popular":
        return f"Popular titles as of {first['as_of']}: no approved model knows this profile."
    return f"From ALS version {first['model_version']}, as of {first['as_of']}."
