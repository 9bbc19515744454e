"""Relate titles to each other: for each the titles most like it, by content, by who likes both and by the model.

The lists made before are judged by what was watched together since, and their precision is a metric.
"""

from datetime import timedelta
from functools import partial

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend.co_watched import precision
from cinelake.recommend.cold_titles import listable_of
from cinelake.recommend.content import SAID
from cinelake.recommend.lists import numbered
from cinelake.recommend.search import explained
from cinelake.recommend.similar import Evidence, Likeness, similar_titles
from cinelake.recommend.strengths import Weights, strengths
from cinelake.runtime.job import Cadence, JobParams, Run, history, job, previous
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDER, SIMILAR_TITLES


class RelateTitlesParams(JobParams):
    titles: int = Field(20, ge=1, le=200, description="length of a list")
    judged: int = Field(10, ge=1, le=200, description="titles of a list that are judged")
    weights: Weights = Weights()
    likeness: Likeness = Likeness()


@job(
    reads=[history(TITLE_SIGNALS), history(TITLES), previous(SIMILAR_TITLES), RECOMMENDER],
    writes=[SIMILAR_TITLES],
    params=RelateTitlesParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def relate_titles(run: Run[RelateTitlesParams]) -> None:
    until = run.end
    signals = run.read(TITLE_SIGNALS)
    _judge(run, signals)
    known = strengths(signals, run.params.weights, until)
    version = run.approved_or_none(RECOMMENDER)
    titles = latest(run.read(TITLES), ["title_id"], *SAID)
    factors = None
    if version is not None:
        frame = partial(run.tracker.tracking.read_frame, version)
        with explained(version.name, version.version, "lists of similar titles"):
            factors = listable_of(version.tags, frame, titles, version.trained_through)
    # Read by several branches of one plan; Spark lets go of it when the plan is gone.
    interactions = known.join(numbered(known), on="title_id", how="inner").localCheckpoint()
    evidence = Evidence(titles, interactions, factors)
    found = similar_titles(evidence, run.params.likeness, run.params.titles)
    run.write(SIMILAR_TITLES, found.select(F.lit(until - timedelta(days=1)).alias("as_of"), "*"))


def _judge(run: Run[RelateTitlesParams], signals: DataFrame) -> None:
    """Log how good the newest lists before were on the days since."""
    lists = run.read(SIMILAR_TITLES)
    made = lists.agg(F.max("as_of")).first()
    if made is None or made[0] is None:
        return
    since = signals.where(F.col("signal_date") > F.lit(made[0]))
    week = strengths(since, run.params.weights, run.end)
    newest = lists.where(F.col("as_of") == F.lit(made[0]))
    numbered_week = week.join(numbered(week), on="title_id", how="inner")
    k = run.params.judged
    found = precision(newest, numbered_week, k, run.params.likeness.longest_history).first()
    if found is not None and found.titles:
        run.tracker.log_metrics(
            {
                f"precision_at_{k}": found.precision,
                f"precision_at_{k}.at_random": found.at_random,
                "titles_judged": found.titles,
            }
        )


if __name__ == "__main__":
    relate_titles.main()
