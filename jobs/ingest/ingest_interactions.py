"""Move landed interactions into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.interactions import INTERACTIONS_SOURCE
from cinelake.tables.ingest import BRONZE_INTERACTIONS


@ingest(source=INTERACTIONS_SOURCE, writes=BRONZE_INTERACTIONS)
def ingest_interactions(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, INTERACTIONS_SOURCE))


if __name__ == "__main__":
    ingest_interactions.main()
