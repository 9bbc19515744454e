"""Train the recommender on everything before the day, and let it through the gate if it earns it.

Measured on temporal holdouts against popularity and the champion's recipe; then fitted on
everything, registered and judged. A rerun takes up where the last one broke off.
"""

from datetime import timedelta

from cinelake.tables.behaviour import RATINGS
from pydantic import Field
from pyspark.sql import DataFrame

from cinelake.recommend import gate, pictures
from cinelake.recommend.als import NothingLiked, Recipe
from cinelake.recommend.holdout import temporal_holdouts
from cinelake.recommend.persisted import persisted
from cinelake.recommend.training import compare, fit_named, indexed, registrable
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking import CHALLENGER, ModelVersion
from cinelake.tables.contract import Table
from cinelake.tables.recommend import ALS, PROFILE_INDEX, TITLE_INDEX


class TrainAlsParams(JobParams):
    like_from: float = Field(4.0, description="ratings from here on count as liked")
    top: int = Field(10, ge=1, le=100, description="length of the lists that are judged")
    holdout_share: float = Field(0.1, gt=0, lt=1, description="share of the ratings in a holdout")
    holdouts: int = Field(3, ge=1, le=9, description="how many holdouts, one before the other")
    recipe: Recipe = Recipe()


def _before(table: Table) -> Reading:
    return Reading(table, lookback=ALL, lookahead=-1)


@job(
    reads=[_before(RATINGS), _before(PROFILE_INDEX), _before(TITLE_INDEX)],
    writes=[ALS],
    params=TrainAlsParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def train_als(run: Run[TrainAlsParams]) -> None:
    version = run.tracker.resume(ALS, run.inputs_fingerprint)
    if version is None or not version.judged:
        ratings = indexed(run.read(RATINGS), run.read(PROFILE_INDEX), run.read(TITLE_INDEX))
        try:
            with persisted(ratings):
                version = _judged(run, ratings, version)
        except NothingLiked as nothing:
            run.tracker.set_tags({"skipped": nothing})
            return
    if version.approved:
        run.tracker.tracking.promote(ALS, version)


def _judged(
    run: Run[TrainAlsParams], ratings: DataFrame, version: ModelVersion | None
) -> ModelVersion:
    params, tracker = run.params, run.tracker
    recipes = {gate.CHALLENGER: params.recipe}
    champion = tracker.tracking.newest_approved(ALS, run.end - timedelta(days=1))
    incumbent = "there is no champion yet"
    if champion is not None:
        recipe = Recipe.model_validate_json(champion.tags["recipe"])
        incumbent = f"the champion, version {champion.version}, has the same recipe on older data"
        if recipe != params.recipe:
            recipes[gate.CHAMPION] = recipe
    holdouts = temporal_holdouts(ratings, params.holdout_share, params.holdouts)
    comparison = compare(ratings, holdouts, recipes, like_from=params.like_from, k=params.top)
    tracker.log_params(
        params.recipe.model_dump() | {"like_from": params.like_from, "holdouts": holdouts}
    )
    tracker.log_metrics(comparison.metrics())
    if comparison.measures:
        tracker.log_figure(pictures.quality(comparison), "quality.png")
    if version is None:
        factors = fit_named(ratings, params.recipe, params.like_from)
        version = tracker.register(
            ALS,
            trained_through=run.end - timedelta(days=1),
            fingerprint=run.inputs_fingerprint,
            **registrable(factors, ratings, params.recipe, params.like_from),
        )
    tracker.tracking.advance(ALS, version, CHALLENGER)
    decision = gate.decide(comparison.measured("ndcg"), f"nDCG@{params.top}", incumbent)
    return tracker.tracking.judge(
        version, passed=decision.passed, reason=decision.reason, run_id=tracker.mlflow_run_id
    )


if __name__ == "__main__":
    train_als.main()
