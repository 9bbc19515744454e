"""Move landed ratings into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.tables.ingest import BRONZE_RATINGS


@ingest(source=RATINGS_SOURCE, writes=BRONZE_RATINGS)
def ingest_ratings(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, RATINGS_SOURCE))


if __name__ == "__main__":
    ingest_ratings.main()
