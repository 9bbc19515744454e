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

from cinelake.recommend.lists import lists_for_everyone, numbered
from cinelake.recommend.models.als import NamedFactors
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
    frames = {}
    if version is not None:
        read = run.tracker.tracking.read_frame
        frames = {name: read(version, name) for name in ("profiles", "titles")}
    number = F.lit(version.version if version else None).cast("int")

    def lists_of(day: date) -> DataFrame:
        until = day + timedelta(days=1)
        known = strengths(signals, run.params.weights, until)
        numbers = numbered(known, *([frames["titles"]] if frames else []))
        model = None
        if frames:
            titles = frames["titles"].join(numbers, on="title_id", how="inner")
            model = NamedFactors(frames["profiles"], titles)
        known = known.join(numbers, on="title_id", how="inner")
        return lists_for_everyone(known, model, run.params.titles, source="als").select(
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
