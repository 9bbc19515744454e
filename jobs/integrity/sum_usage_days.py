"""Sum up what each device of an account did on a day, and where."""

from cinelake.integrity.usage import usage_days
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.behaviour import DEVICES
from cinelake.tables.integrity import USAGE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS, history(DEVICES)], writes=[USAGE_DAYS])
def sum_usage_days(run: Run[JobParams]) -> None:
    run.write(USAGE_DAYS, usage_days(run.read(VIEWING_SESSIONS), run.read(DEVICES)))


if __name__ == "__main__":
    sum_usage_days.main()
