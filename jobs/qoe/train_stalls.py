"""Learn how likely a session stalls in the next minute, from the heartbeats of the days before.

Judged on the last quarter of these days against the emptiest buffers, then fitted to later days, registered and, if it
foresees more than that rule, approved.
"""

from datetime import timedelta

from pyspark.sql import functions as F

from cinelake.labels import OneSided
from cinelake.persisted import persisted
from cinelake.qoe.stalls.judging import RECALL, by_cell, judged, reliability, scored_bins
from cinelake.qoe.stalls.learning_curve import learning_curve, losses
from cinelake.qoe.stalls.moments import AFTER, BEFORE, NEEDED, moments
from cinelake.qoe.stalls.registration import THRESHOLD, registrable
from cinelake.qoe.stalls.trees import Recipe, learned, with_chance
from cinelake.runtime.job import Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking.versions import ModelVersion, proposed
from cinelake.sources.bronze import payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.stalls import STALLS

# What the longest recipe looks back.
MOST_DAYS = 91


class TrainStallsParams(JobParams):
    recipe: Recipe = Recipe()


@job(
    reads=[
        Reading(BRONZE_HEARTBEATS, lookback=MOST_DAYS, lookahead=-1),
        Reading(BRONZE_PLAYBACK, lookback=MOST_DAYS, lookahead=-1),
    ],
    writes=[STALLS],
    params=TrainStallsParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def train_stalls(run: Run[TrainStallsParams]) -> None:
    run.tracker.settled(STALLS, run.inputs_fingerprint, lambda: _trained(run), OneSided)


def _trained(run: Run[TrainStallsParams]) -> ModelVersion:
    recipe, tracker, through = run.params.recipe, run.tracker, run.end - timedelta(days=1)
    # The minute after the last day is not known; its last moments have no stall in it, and are left out.
    last = through - timedelta(days=AFTER)
    first = last - timedelta(days=recipe.days)
    since = F.lit(first - timedelta(days=BEFORE))
    beats = payload(
        run.read(BRONZE_HEARTBEATS).where(F.col("event_date") >= since), HEARTBEATS_SOURCE, *NEEDED
    )
    playback = payload(
        run.read(BRONZE_PLAYBACK).where(F.col("event_date") >= since), PLAYBACK_SOURCE
    )
    told = moments(beats, playback, first, last, recipe.share_of_plays)
    quarter = timedelta(days=max(1, recipe.days // 4))
    day = F.col("day")
    with persisted(told) as examples:
        spark = examples.sparkSession
        judges = last - quarter
        judged_on = examples.where(day >= F.lit(judges))
        fitted_to = examples.where(day < F.lit(judges - quarter))
        shown = learned(
            fitted_to,
            examples.where((day >= F.lit(judges - quarter)) & (day < F.lit(judges))),
            recipe,
        )
        scored = with_chance(judged_on, shown)
        bins = scored_bins(scored).toArrow().to_pylist()
        if not any(row["stalled"] for row in bins):
            raise OneSided("no moment of the days that judge was followed by a stall")
        found = judged(bins)
        tracker.log_params(recipe.model_dump() | {"recall": RECALL})
        tracker.log_metrics(found.metrics())
        tracker.log_figure(reliability(bins), "reliability.png")
        curve = {"fitted": losses(fitted_to, shown), "unseen": losses(judged_on, shown)}
        for name, values in curve.items():
            for trees, loss in enumerate(values, start=1):
                tracker.log_metrics({f"loss.{name}": loss}, step=trees)
        tracker.log_figure(learning_curve(curve), "learning_curve.png")
        cells = by_cell(scored, found.model.threshold).toArrow().to_pandas()
        tracker.log_text(cells.to_csv(index=False), "by_cell.csv")
        tracker.flush()
        kept = learned(examples.where(day < F.lit(judges)), judged_on, recipe)
        # From which of its own chances on it tells of a risk: those of another fit are of another scale.
        own = scored_bins(with_chance(judged_on, kept)).toArrow().to_pylist()
        threshold = judged(own).model.threshold
        return tracker.register(
            STALLS,
            trained_through=through,
            fingerprint=run.inputs_fingerprint,
            tags=proposed(passed=found.passed, reason=found.reason)
            | {"recipe": recipe.model_dump_json(), THRESHOLD: repr(threshold)},
            **registrable(kept, spark),
        )


if __name__ == "__main__":
    train_stalls.main()
