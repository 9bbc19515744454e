"""Make the day's list of titles for every profile.

One row per profile and place. Who has liked or picked a title that the model knows gets its titles, from the history
as it is on that day; all others get what is popular where they are, and so does who has fewer of these titles left
than a list has places, after them. No list holds a title that its profile has seen,
that is not on offer in its market, or that is not meant for its age. Without an approved model everyone gets the
popular ones.

Titles that nobody had liked when the model was trained compete with the rest by their content.
"""

from datetime import date, timedelta
from functools import partial, reduce

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.cold_titles import counts
from cinelake.recommend.eligibility import Limits
from cinelake.recommend.keeping import known_by
from cinelake.recommend.lists import Known, lists_for_everyone
from cinelake.recommend.popular_here import Popularity
from cinelake.recommend.rerank import Taste
from cinelake.recommend.search import explained, of_tag
from cinelake.recommend.service import TOLD, Records
from cinelake.recommend.strengths import Weights, strengths
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDATIONS, RECOMMENDER, SOURCES


class RecommendTitlesParams(JobParams):
    titles: int = Field(50, ge=1, le=500, description="length of a list")
    reasons: int = Field(
        3, ge=1, le=20, description="titles of the history that are named as reasons"
    )
    weights: Weights = Weights()
    taste: Taste = Taste()
    limits: Limits = Limits()
    popularity: Popularity = Popularity()


@job(
    reads=[history(TITLE_SIGNALS), *map(history, TOLD), RECOMMENDER],
    writes=[RECOMMENDATIONS],
    params=RecommendTitlesParams,
    catchup=False,
    version=5,
)
def recommend_titles(run: Run[RecommendTitlesParams]) -> None:
    params, signals, records = run.params, run.read(TITLE_SIGNALS), Records(*map(run.read, TOLD))
    version = run.approved_or_none(RECOMMENDER)
    number = F.lit(version.version if version else None).cast("int")
    weights = params.weights
    if version and "weights" in version.tags:
        # A history is told as those were that the model has learned from.
        with explained(version.name, version.version, "lists"):
            weights = of_tag(Weights, version.tags, "weights")

    def lists_of(day: date) -> DataFrame:
        until = day + timedelta(days=1)
        service = records.before(until).describe(until, params.limits, params.popularity)
        made = lists_for_everyone(
            strengths(signals, weights, until),
            service,
            _known(run, version, service.said) if version else None,
            params.titles,
            reasons=params.reasons,
            taste=params.taste,
            tell=lambda index: run.tracker.log_metrics(
                {"index_recall": index.recall, "index_probed": index.probed}
            ),
        )
        of_model = F.when(F.col("source") != "popular", number)
        return made.select("*", F.lit(day).alias("as_of"), of_model.alias("model_version")).select(
            *RECOMMENDATIONS.names
        )

    made = reduce(DataFrame.unionByName, map(lists_of, run.window.days))
    has_list = F.col("rank").isNotNull()
    lists = run.log_figures(made, {"viewers_without_list": F.count_if(~has_list)}).where(has_list)
    shares = {f"share_of_{source}": F.col("source") == source for source in SOURCES}
    run.write(
        RECOMMENDATIONS, run.log_shares(lists, shares | {"share_of_cold_titles": F.col("is_cold")})
    )


def _known(run: Run[RecommendTitlesParams], version: ModelVersion, said: DataFrame) -> Known:
    """The titles of the model, and those of the catalogue that it knows by their content."""
    frame = partial(run.tracker.tracking.read_frame, version)
    with explained(version.name, version.version, "lists"):
        known = known_by(version.tags, frame, said, version.trained_through)
    run.tracker.log_metrics(counts(known.titles, said))
    return known


if __name__ == "__main__":
    recommend_titles.main()
