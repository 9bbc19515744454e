"""Sum up where log-ins of each region were looked up to be, day by day."""

from cinelake.integrity.journeys import place_days
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.integrity import PLACE_DAYS


@job(reads=[LOG_INS], writes=[PLACE_DAYS], version=3)
def sum_place_days(run: Run[JobParams]) -> None:
    run.write(PLACE_DAYS, place_days(run.read(LOG_INS)))


if __name__ == "__main__":
    sum_place_days.main()
