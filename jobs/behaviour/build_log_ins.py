"""Build the log-ins: one row each attempt, under pseudonyms."""

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.log_ins import log_ins
from cinelake.behaviour.records import LOOKBACK
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.ingest import BRONZE_LOG_INS


@job(reads=[Reading(BRONZE_LOG_INS, lookback=LOOKBACK, accounted=True)], writes=[LOG_INS])
def build_log_ins(run: Run[JobParams]) -> None:
    run.write(LOG_INS, log_ins(run.read(BRONZE_LOG_INS), run.keys(IdKind), run.start, run.end))


if __name__ == "__main__":
    build_log_ins.main()
