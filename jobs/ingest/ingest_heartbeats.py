"""Move landed heartbeats of players into bronze: every line once, what is unreadable into quarantine."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.tables.ingest import BRONZE_HEARTBEATS


@ingest(source=HEARTBEATS_SOURCE, writes=BRONZE_HEARTBEATS)
def ingest_heartbeats(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, HEARTBEATS_SOURCE))


if __name__ == "__main__":
    ingest_heartbeats.main()
