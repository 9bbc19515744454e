"""Move landed changes of availability into bronze: every line once, what is unreadable into quarantine."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.availability import AVAILABILITY_SOURCE
from cinelake.sources.bronze import bronze_rows
from cinelake.tables.ingest import BRONZE_AVAILABILITY


@ingest(source=AVAILABILITY_SOURCE, writes=BRONZE_AVAILABILITY)
def ingest_availability(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, AVAILABILITY_SOURCE))


if __name__ == "__main__":
    ingest_availability.main()
