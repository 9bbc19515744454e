"""Make the day's list of titles for every profile.

One row per profile and place. Who has liked a title that the model knows gets its titles, from the
history as it is on that day; all others get the popular ones. No list holds a title its profile has
seen. Without an approved model everyone gets the popular ones.
"""

from datetime import date, timedelta
from functools import reduce

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend.fold_in import FoldedIn, Ridge
from cinelake.recommend.lists import Arrangement, lists_for_everyone, numbered
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.rerank import Taste
from cinelake.recommend.strengths import Weights, strengths
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import ALS, RECOMMENDATIONS


class RecommendTitlesParams(JobParams):
    titles: int = Field(50, ge=1, le=500, description="length of a list")
    reasons: int = Field(
        3, ge=1, le=20, description="titles of the history that are named as reasons"
    )
    weights: Weights = Weights()
    taste: Taste = Taste()


@job(
    reads=[history(TITLE_SIGNALS), history(TITLES), ALS],
    writes=[RECOMMENDATIONS],
    params=RecommendTitlesParams,
    catchup=False,
)
def recommend_titles(run: Run[RecommendTitlesParams]) -> None:
    signals = run.read(TITLE_SIGNALS)
    said = latest(run.read(TITLES), ["title_id"], "genres", "release_date")
    version = run.approved_or_none(ALS)
    factors = ridge = None
    if version is not None:
        factors = run.tracker.tracking.read_frame(version, "titles")
        recipe = AlsRecipe.model_validate_json(version.tags["recipe"])
        ridge = Ridge(recipe.alpha, recipe.reg_param)
    number = F.lit(version.version if version else None).cast("int")

    def lists_of(day: date) -> DataFrame:
        until = day + timedelta(days=1)
        known = strengths(signals, run.params.weights, until)
        numbers = numbered(known, *([factors] if factors is not None else []))
        model = None
        if factors is not None and ridge is not None:
            model = FoldedIn(factors.join(numbers, on="title_id", how="inner"), ridge)
        made = lists_for_everyone(
            known.join(numbers, on="title_id", how="inner"),
            model,
            run.params.titles,
            source="als",
            reasons=run.params.reasons,
            arrangement=Arrangement(run.params.taste, said, until),
        )
        return made.select(
            F.lit(day).alias("as_of"),
            "profile_id",
            "rank",
            "title_id",
            "score",
            "source",
            F.when(F.col("source") == "als", number).alias("model_version"),
            "because",
        )

    run.write(RECOMMENDATIONS, reduce(DataFrame.unionByName, map(lists_of, run.window.days)))


if __name__ == "__main__":
    recommend_titles.main()
