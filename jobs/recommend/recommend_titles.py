"""Make the day's list of titles for every profile.

One row per profile and place. Profiles that the model knows get its titles, all others the popular
ones; no list holds a title its profile has seen. Without an approved model everyone gets the
popular ones.
"""

from datetime import date, timedelta
from functools import reduce

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.lists import NamedFactors, lists_for_everyone
from cinelake.recommend.strengths import Weights, strengths
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import ALS, RECOMMENDATIONS


class RecommendTitlesParams(JobParams):
    titles: int = Field(50, ge=1, le=500, description="length of a list")
    weights: Weights = Weights()


@job(
    reads=[history(TITLE_SIGNALS), ALS],
    writes=[RECOMMENDATIONS],
    params=RecommendTitlesParams,
    catchup=False,
)
def recommend_titles(run: Run[RecommendTitlesParams]) -> None:
    signals = run.read(TITLE_SIGNALS)
    version = run.approved_or_none(ALS)
    factors = None
    if version is not None:
        read = run.tracker.tracking.read_frame
        factors = NamedFactors(read(version, "profiles"), read(version, "titles"))
    number = F.lit(version.version if version else None).cast("int")

    def lists_of(day: date) -> DataFrame:
        until = day + timedelta(days=1)
        known = strengths(signals, run.params.weights, until)
        return lists_for_everyone(known, factors, run.params.titles).select(
            F.lit(day).alias("as_of"),
            "profile_id",
            "rank",
            "title_id",
            "score",
            "source",
            F.when(F.col("source") == "als", number).alias("model_version"),
        )

    run.write(RECOMMENDATIONS, reduce(DataFrame.unionByName, map(lists_of, run.window.days)))


if __name__ == "__main__":
    recommend_titles.main()
