"""Relate titles to each other: for each the titles most like it, by content, by who likes both and by the model."""

from datetime import timedelta

from pydantic import Field
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend.lists import numbered
from cinelake.recommend.similar import Evidence, Likeness, similar_titles
from cinelake.recommend.strengths import Weights, strengths
from cinelake.runtime.job import Cadence, JobParams, Run, history, job
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import ALS, SIMILAR_TITLES

SAID = (
    "kind", "genres", "moods", "themes", "directors", "cast", "language", "pace", "synopsis",
)  # fmt: skip


class RelateTitlesParams(JobParams):
    titles: int = Field(20, ge=1, le=200, description="length of a list")
    weights: Weights = Weights()
    likeness: Likeness = Likeness()


@job(
    reads=[history(TITLE_SIGNALS), history(TITLES), ALS],
    writes=[SIMILAR_TITLES],
    params=RelateTitlesParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def relate_titles(run: Run[RelateTitlesParams]) -> None:
    until = run.end
    known = strengths(run.read(TITLE_SIGNALS), run.params.weights, until)
    version = run.approved_or_none(ALS)
    factors = run.tracker.tracking.read_frame(version, "titles") if version is not None else None
    titles = latest(run.read(TITLES), ["title_id"], *SAID)
    # Read by several branches of one plan; Spark lets go of it when the plan is gone.
    interactions = known.join(numbered(known), on="title_id", how="inner").localCheckpoint()
    evidence = Evidence(titles, interactions, factors)
    found = similar_titles(evidence, run.params.likeness, run.params.titles)
    run.write(SIMILAR_TITLES, found.select(F.lit(until - timedelta(days=1)).alias("as_of"), "*"))


if __name__ == "__main__":
    relate_titles.main()
