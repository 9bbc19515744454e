"""Move landed impressions of home pages into bronze: every line once, what is unreadable into quarantine."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.impressions import IMPRESSIONS_SOURCE
from cinelake.tables.ingest import BRONZE_IMPRESSIONS


@ingest(source=IMPRESSIONS_SOURCE, writes=BRONZE_IMPRESSIONS)
def ingest_impressions(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, IMPRESSIONS_SOURCE))


if __name__ == "__main__":
    ingest_impressions.main()
