"""Find credential stuffing: network operators from which log-ins fail at unusually many accounts."""

from pydantic import Field

from cinelake.integrity.stuffing import USUAL_DAYS, BurstRules, bursts
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.integrity import LOG_IN_BURSTS


class FindLogInBurstsParams(JobParams):
    accounts: int = Field(5, ge=2, description="fewest accounts that are failed at on a day")
    failing: float = Field(0.6, gt=0, le=1, description="smallest share of attempts that fail")
    deviations: float = Field(
        4.0, gt=0, description="standard deviations above the usual number of failing accounts"
    )


@job(
    reads=[Reading(LOG_INS, lookback=USUAL_DAYS)],
    writes=[LOG_IN_BURSTS],
    params=FindLogInBurstsParams,
)
def find_log_in_bursts(run: Run[FindLogInBurstsParams]) -> None:
    rules = BurstRules(**run.params.model_dump())
    run.write(LOG_IN_BURSTS, bursts(run.read(LOG_INS), run.start, run.end, rules))


if __name__ == "__main__":
    find_log_in_bursts.main()
