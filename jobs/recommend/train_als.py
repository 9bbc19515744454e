"""Train the recommender on everything before the day, and let it through the gate if it earns it.

Measured on temporal holdouts against popularity and the champion's recipe; then fitted on
everything, registered and judged. A rerun takes up where the last one broke off.
"""

from datetime import timedelta

from pydantic import Field

from cinelake.recommend import gate, pictures
from cinelake.recommend.holdout import temporal_holdouts
from cinelake.recommend.model import NothingLiked
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.persisted import persisted
from cinelake.recommend.strengths import Weights
from cinelake.recommend.training import compare, fit_named, indexed, registrable
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking import CHALLENGER, FAILED, PASSED, ModelVersion
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import ALS, PROFILE_INDEX, TITLE_INDEX


class TrainAlsParams(JobParams):
    top: int = Field(10, ge=1, le=100, description="length of the lists that are judged")
    holdout_share: float = Field(0.1, gt=0, lt=1, description="share of the signals in a holdout")
    holdouts: int = Field(3, ge=1, le=9, description="how many holdouts, one before the other")
    recipe: AlsRecipe = AlsRecipe()
    weights: Weights = Weights()


def _before(table: Table) -> Reading:
    return Reading(table, lookback=ALL, lookahead=-1)


@job(
    reads=[_before(TITLE_SIGNALS), _before(PROFILE_INDEX), _before(TITLE_INDEX)],
    writes=[ALS],
    params=TrainAlsParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def train_als(run: Run[TrainAlsParams]) -> None:
    tracking = run.tracker.tracking
    try:
        version = run.tracker.resume(ALS, run.inputs_fingerprint) or _trained(run)
    except NothingLiked as nothing:
        run.tracker.set_tags({"skipped": nothing})
        return
    tracking.advance(ALS, version, CHALLENGER)
    if not version.judged:
        passed = version.tags["proposal"] == PASSED
        version = tracking.judge(version, passed=passed, reason=version.tags["proposal.reason"])
    if version.approved:
        tracking.promote(ALS, version)


def _trained(run: Run[TrainAlsParams]) -> ModelVersion:
    """Measure, fit and register; the gate's decision rides along, so that a rerun need not measure again."""
    params, tracker = run.params, run.tracker
    recipes, incumbent = {gate.CHALLENGER: params.recipe}, "there is no champion yet"
    champion = tracker.tracking.newest_approved(ALS, run.end - timedelta(days=1))
    if champion is not None:
        incumbent = f"the champion, version {champion.version}, has the same recipe on older data"
        recipe = AlsRecipe.model_validate_json(champion.tags["recipe"])
        if recipe != params.recipe:
            recipes[gate.CHAMPION] = recipe
    signals = indexed(run.read(TITLE_SIGNALS), run.read(PROFILE_INDEX), run.read(TITLE_INDEX))
    with persisted(signals):
        holdouts = temporal_holdouts(signals, params.holdout_share, params.holdouts)
        comparison = compare(signals, holdouts, recipes, weights=params.weights, k=params.top)
        decision = gate.decide(comparison.measured("ndcg"), f"nDCG@{params.top}", incumbent)
        tracker.log_params(
            params.recipe.model_dump()
            | {f"weights.{name}": value for name, value in params.weights}
        )
        tracker.log_metrics(comparison.metrics())
        tracker.flush()
        if comparison.measures:
            tracker.log_figure(pictures.quality(comparison), "quality.png")
        factors = fit_named(signals, params.recipe, params.weights, run.end)
        proposal = {
            "proposal": PASSED if decision.passed else FAILED,
            "proposal.reason": decision.reason,
        }
        return tracker.register(
            ALS,
            trained_through=run.end - timedelta(days=1),
            fingerprint=run.inputs_fingerprint,
            tags=proposal | {"recipe": params.recipe.model_dump_json()},
            **registrable(factors, signals, params.recipe, params.weights, run.end),
        )


if __name__ == "__main__":
    train_als.main()
