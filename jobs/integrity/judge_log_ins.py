"""Judge log-ins by how unusual they are for their account, and whether stuffing tried it before."""

from cinelake.integrity.log_in_risk import PAST_DAYS, TRIED_DAYS, log_in_risks
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.integrity import LOG_IN_BURSTS, LOG_IN_RISKS, USAGE_DAYS


@job(
    reads=[
        Reading(LOG_INS, lookback=TRIED_DAYS),
        Reading(LOG_IN_BURSTS, lookback=TRIED_DAYS),
        # Of the past alone: what is done on the day itself may be the intruder's.
        Reading(USAGE_DAYS, lookback=PAST_DAYS, lookahead=-1),
    ],
    writes=[LOG_IN_RISKS],
)
def judge_log_ins(run: Run[JobParams]) -> None:
    log_ins, usage, bursts = run.read(LOG_INS), run.read(USAGE_DAYS), run.read(LOG_IN_BURSTS)
    run.write(LOG_IN_RISKS, log_in_risks(log_ins, usage, bursts, run.start, run.end))


if __name__ == "__main__":
    judge_log_ins.main()
