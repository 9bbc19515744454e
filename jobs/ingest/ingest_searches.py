"""Move landed searches into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.searches import SEARCHES_SOURCE
from cinelake.tables.ingest import BRONZE_SEARCHES


@ingest(source=SEARCHES_SOURCE, writes=BRONZE_SEARCHES)
def ingest_searches(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, SEARCHES_SOURCE))


if __name__ == "__main__":
    ingest_searches.main()
