"""Move landed log-ins into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.log_ins import LOG_INS_SOURCE
from cinelake.tables.ingest import BRONZE_LOG_INS


@ingest(source=LOG_INS_SOURCE, writes=BRONZE_LOG_INS)
def ingest_log_ins(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, LOG_INS_SOURCE))


if __name__ == "__main__":
    ingest_log_ins.main()
