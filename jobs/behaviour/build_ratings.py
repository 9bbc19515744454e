"""Build the ratings: one row each act of rating of a title that the catalogue had at the time."""

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.ratings import ratings
from cinelake.behaviour.records import LOOKBACK
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.behaviour import RATINGS, TITLES
from cinelake.tables.ingest import BRONZE_RATINGS


@job(
    reads=[Reading(BRONZE_RATINGS, lookback=LOOKBACK, accounted=True), history(TITLES)],
    writes=[RATINGS],
    version=2,
)
def build_ratings(run: Run[JobParams]) -> None:
    told, titles, keys = run.read(BRONZE_RATINGS), run.read(TITLES), run.keys(IdKind)
    run.write(RATINGS, ratings(told, titles, keys, run.start, run.end))


if __name__ == "__main__":
    build_ratings.main()
