"""Learn how likely profiles go on with what they have begun, from visits before the day.

Judged on the last of these visits against the plain order of recency, then fitted on all, registered and, if it is no
worse, approved.
"""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.labels import OneSided
from cinelake.persisted import persisted
from cinelake.recommend.evaluation import intervals
from cinelake.recommend.home import resume
from cinelake.recommend.home.judging import (
    calibrated,
    calibration_error,
    decided,
    found_of,
    held_out_from,
)
from cinelake.recommend.home.pictures import reliability
from cinelake.recommend.home.registration import registrable
from cinelake.recommend.home.resume import FEATURES, ResumeRecipe
from cinelake.recommend.home.unfinished import episodes_in_order
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking.versions import ModelVersion, proposed
from cinelake.tables.behaviour import TITLES
from cinelake.tables.home import RESUME, SHOWN_TILES, STOPPING_POINTS


class TrainResumeParams(JobParams):
    recipe: ResumeRecipe = ResumeRecipe()


@job(
    reads=[
        Reading(SHOWN_TILES, lookback=ALL, lookahead=-1),
        Reading(STOPPING_POINTS, lookback=ALL, lookahead=-1),
        Reading(TITLES, lookback=ALL, lookahead=-1),
    ],
    writes=[RESUME],
    params=TrainResumeParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
    version=2,
)
def train_resume(run: Run[TrainResumeParams]) -> None:
    run.tracker.settled(RESUME, run.inputs_fingerprint, lambda: _trained(run), OneSided)


def _trained(run: Run[TrainResumeParams]) -> ModelVersion:
    recipe, through = run.params.recipe, run.end - timedelta(days=1)
    first = through - timedelta(days=recipe.days)
    since = first - timedelta(days=recipe.keep_days)
    episodes = episodes_in_order(run.read(TITLES))
    stops = run.read(STOPPING_POINTS).where(F.col("play_date") >= F.lit(since))
    tiles = run.read(SHOWN_TILES).where(F.col("shown_date") >= F.lit(first))
    # Read by three branches of one plan, between which Spark 4.2 would prune days, and fail on its own filter.
    with persisted(stops) as points:
        visits = resume.visits(tiles, points.where(F.col("play_date") >= F.lit(first)))
        return _judged_and_fitted(run, resume.examples(visits, points, episodes, recipe), first)


def _judged_and_fitted(run: Run[TrainResumeParams], told: DataFrame, first: date) -> ModelVersion:
    recipe, tracker, through = run.params.recipe, run.tracker, run.end - timedelta(days=1)
    with persisted(told) as examples:
        cut = held_out_from(first, through)
        before = examples.where(F.col("day") < F.lit(cut))
        after = examples.where(F.col("day") >= F.lit(cut))
        judged = resume.learned(before, recipe)
        ranks = intervals(resume.reciprocal_ranks(after, judged), ["reciprocal_rank"])
        found = found_of(ranks)
        bins = resume.reliability(after, judged).toArrow().to_pylist()
        error = calibration_error(bins)
        tracker.log_metrics(
            {f"{model}.mrr": one.mean for model, one in found.items()}
            | {"calibration_error": error}
        )
        tracker.log_figure(reliability(bins), "reliability.png")
        tracker.log_params(recipe.model_dump())
        decision = decided(found, "resume", ["recency"], "mean reciprocal rank")
        decision = calibrated(decision, error, recipe.calibration_error)
        tracker.flush()
        return tracker.register(
            RESUME,
            trained_through=through,
            fingerprint=run.inputs_fingerprint,
            tags=proposed(passed=decision.passed, reason=decision.reason)
            | {"recipe": recipe.model_dump_json()},
            **registrable(resume.learned(examples, recipe), FEATURES, examples.sparkSession),
        )


if __name__ == "__main__":
    train_resume.main()
