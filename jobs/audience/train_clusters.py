"""Find groups of profiles with similar tastes in everything before the day, adults and kids apart.

Kind and number of clusters are chosen on the days before the last week, by how compact, stable and useful they are;
then clusters are fitted to all days, registered and judged. The newest approved clustering of the days before is one
start of the fit, so that clusters stay where they are while tastes do. A rerun takes up where the last one broke off.
"""

from dataclasses import replace
from datetime import date, timedelta
from functools import partial

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.audience import cells, gate, pictures
from cinelake.audience.cells import TOLD, Told
from cinelake.audience.choice import Candidate, Choice, ClusterRecipe
from cinelake.audience.factors import RECIPE, Behind, behind, fitted_before
from cinelake.audience.features import FeatureRecipe
from cinelake.audience.registration import registrable
from cinelake.audience.training import Day, Kept, NobodyWatched, choose, fit
from cinelake.persisted import persisted
from cinelake.recommend.models.mixture import MixtureRecipe
from cinelake.recommend.search import UnknownSetting
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking.versions import ModelVersion, proposed
from cinelake.tables.audience import TASTE_CLUSTERS
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import PROFILE_INDEX, RECOMMENDER, TITLE_INDEX


class TrainClustersParams(JobParams):
    features: FeatureRecipe = FeatureRecipe()
    clusters: ClusterRecipe = ClusterRecipe()
    tastes: MixtureRecipe = Field(
        RECIPE,
        description="classes of taste of which profiles' factors are made, where tastes count",
    )
    fits: int = Field(
        3,
        ge=1,
        le=20,
        description="of these, from other starts; what they expect stands side by side",
    )
    least_stability: float = Field(
        0.4,
        ge=0,
        le=1,
        description="mean adjusted Rand index with resamples from which on a clustering may replace another",
    )
    first_stability: float = Field(
        0.2,
        ge=0,
        le=1,
        description="the same of a first clustering; what is less stable is chance, and its population one cluster",
    )
    most_in_one: float = Field(
        0.8,
        gt=0,
        le=1,
        description="share of the profiles in the largest of several clusters up to which it may",
    )


@job(
    reads=[
        *(
            Reading(table, lookback=ALL, lookahead=-1)
            for table in (*TOLD, PROFILE_INDEX, TITLE_INDEX)
        ),
        RECOMMENDER,
    ],
    writes=[TASTE_CLUSTERS],
    params=TrainClustersParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
    version=5,
)
def train_clusters(run: Run[TrainClustersParams]) -> None:
    run.tracker.settled(
        TASTE_CLUSTERS, run.inputs_fingerprint, lambda: _trained(run), NobodyWatched
    )


def _trained(run: Run[TrainClustersParams]) -> ModelVersion:
    params, tracker, until = run.params, run.tracker, run.end - timedelta(days=1)
    told, asked = Told(*map(run.read, TOLD)), _behind(run)
    # Of another day: what an earlier run made of this one is no part of it.
    champion = tracker.tracking.newest_approved(TASTE_CLUSTERS, until - timedelta(days=1))
    choices = _chosen(run, told, asked, champion)
    if champion is None:
        choices = gate.no_chance(choices, params.first_stability, params.most_in_one)
    model = _until(run, told, asked, until)
    day = Day.at(told, until, params.features, model)
    rank = model.rank if day.factors is not None and model else 0
    with persisted(day.cells) as kept:
        known = Day(kept, day.people, day.factors)
        held = _held(run, told, until, champion)
        populations = fit(known, choices, params.features, params.clusters, rank, held)
    decision = gate.decide(
        choices,
        params.least_stability,
        params.most_in_one,
        has_champion=champion is not None,
    )
    for population, choice in choices.items():
        taken = choice.taken
        tracker.log_metrics(
            {
                f"{population}.clusters": taken.found,
                f"{population}.silhouette": taken.silhouette,
                f"{population}.stability": taken.stability,
                f"{population}.least_jaccard": min(taken.jaccards),
                f"{population}.largest": taken.largest,
                f"{population}.gain": taken.gain.mean,
                f"{population}.gain.error": taken.gain.error,
                f"{population}.explained": float(populations[population].reduction.explained.sum())
                if population in populations
                else 0.0,
            }
        )
        tracker.log_figure(pictures.curves(choice), f"{population}.png")
    shares = {name: own.reduction.explained for name, own in populations.items()}
    tracker.log_figure(pictures.explained(shares), "explained.png")
    recipes = {"features": params.features, "clusters": params.clusters}
    tracker.log_params({name: recipe.model_dump_json() for name, recipe in recipes.items()})
    tracker.flush()
    kinds = {
        f"candidate.{name}": f"{choice.taken.candidate.kind} {choice.taken.candidate.k}"
        for name, choice in choices.items()
    }
    return tracker.register(
        TASTE_CLUSTERS,
        trained_through=until,
        fingerprint=run.inputs_fingerprint,
        tags=proposed(passed=decision.passed, reason=decision.reason)
        | {"features": params.features.model_dump_json()}
        | kinds
        | (model.tags if model and rank else {}),
        **registrable(populations, model if rank else None, kept.sparkSession),
    )


def _chosen(
    run: Run[TrainClustersParams], told: Told, asked: Behind | None, champion: ModelVersion | None
) -> dict[str, Choice]:
    """By days that no model has seen: that behind factors is fitted anew to the days before."""
    params, until = run.params, run.end - timedelta(days=1)
    cut = until - timedelta(days=params.clusters.days_held_out)
    earlier = _until(run, told, asked, cut)
    before = Day.at(told, cut, params.features, earlier)
    # What it has seen it foretells too well.
    is_blind = champion is not None and champion.trained_through <= cut
    held = _held(run, told, cut, champion) if is_blind else None
    # No title fades within the few days that judge.
    lately = told.title_signals.where(F.col("signal_date") >= F.lit(cut))
    after = cells.of_titles(lately, told.before(until).titles, until)
    rank = earlier.rank if before.factors is not None and earlier else 0
    with persisted(before.cells) as past, persisted(after) as future:
        return choose(
            Day(past, before.people, before.factors), future, params.features, params.clusters,
            _candidates(champion), rank, held,
        )  # fmt: skip


def _until(
    run: Run[TrainClustersParams], told: Told, asked: Behind | None, until: date
) -> Behind | None:
    """The model that has seen the days before alone; None without one, or where nothing was wanted."""
    if asked is None:
        return None
    tables = map(run.read, (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX))
    return fitted_before(asked, *tables, cells.people(told.before(until)), until)


def _held(
    run: Run[TrainClustersParams], told: Told, until: date, champion: ModelVersion | None
) -> DataFrame | None:
    """Where the champion puts profiles by the days before; None without one."""
    if champion is None:
        return None
    kept = Kept.of(dict(champion.tags), partial(run.tracker.tracking.read_frame, champion))
    placed = kept.placed(kept.day(told, until))
    return placed.select("profile_id", "population", "component").localCheckpoint()


def _behind(run: Run[TrainClustersParams]) -> Behind | None:
    """What is wanted, and of which kind a model of it is, as the recommender has it; its tastes are as asked for."""
    version = run.approved_or_none(RECOMMENDER)
    if version is None:
        run.tracker.set_tags(
            {"without_factors": "no recommender is approved; tastes are told by shares alone"}
        )
        return None
    try:
        known = behind(dict(version.tags), partial(run.tracker.tracking.read_frame, version))
    except UnknownSetting as unknown:
        run.tracker.set_tags(
            {"without_factors": f"version {version.version} of {RECOMMENDER.name}: {unknown}"}
        )
        return None
    recipe = known.recipe.model_copy(update={"mixture": run.params.tastes})
    return replace(known, recipe=recipe, fits=run.params.fits)


def _candidates(champion: ModelVersion | None) -> dict[str, Candidate]:
    """What the champion has, by population."""
    found = {}
    for tag, value in (champion.tags if champion else {}).items():
        if tag.startswith("candidate."):
            kind, _, k = value.partition(" ")
            found[tag.removeprefix("candidate.")] = Candidate(kind, int(k))  # type: ignore[arg-type]
    return found


if __name__ == "__main__":
    train_clusters.main()
