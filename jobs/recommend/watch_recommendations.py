"""Watch how recommendations fare: what moved in the data, what came of yesterday's lists, and how much lists change.

One row per day and measure. An alarm is a row, and a warning of the run.
"""

from cinelake.recommend.drift import measured
from cinelake.recommend.health import USUAL_DAYS, Watch, health
from cinelake.recommend.strengths import Weights
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDATIONS, RECOMMENDER_HEALTH


class WatchRecommendationsParams(JobParams):
    weights: Weights = Weights()
    watch: Watch = Watch()


@job(
    reads=[
        history(TITLE_SIGNALS),
        Reading(RECOMMENDATIONS, lookback=1),
        Reading(RECOMMENDER_HEALTH, lookback=USUAL_DAYS, previous=True),
    ],
    writes=[RECOMMENDER_HEALTH],
    params=WatchRecommendationsParams,
    # As lists are, which are made for the newest day; and what is usual it reads from the days before.
    catchup=False,
    sequential=True,
)
def watch_recommendations(run: Run[WatchRecommendationsParams]) -> None:
    day, watch = run.start, run.params.watch
    signals, lists = run.read(TITLE_SIGNALS), run.read(RECOMMENDATIONS)
    values = measured(signals, lists, run.params.weights, day, top=watch.top, weeks=watch.weeks)
    before = run.read(RECOMMENDER_HEALTH).toArrow().to_pylist()
    rows = health(values, before, watch, day)
    run.write(
        RECOMMENDER_HEALTH, signals.sparkSession.createDataFrame(rows, RECOMMENDER_HEALTH.schema)
    )
    run.tracker.log_metrics({one.measure: one.value for one in values if one.value is not None})
    for row in rows:
        if row["is_alarm"]:
            run.warn(f"{day}: {row['message']}")


if __name__ == "__main__":
    watch_recommendations.main()
