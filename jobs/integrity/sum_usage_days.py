"""Sum up what each device of an account did on a day, and where."""

from cinelake.integrity.usage import usage_days
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.behaviour import DEVICES, TITLES
from cinelake.tables.integrity import USAGE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS, history(DEVICES), history(TITLES)], writes=[USAGE_DAYS], version=2)
def sum_usage_days(run: Run[JobParams]) -> None:
    sessions, devices, titles = run.read(VIEWING_SESSIONS), run.read(DEVICES), run.read(TITLES)
    run.write(USAGE_DAYS, usage_days(sessions, devices, titles))


if __name__ == "__main__":
    sum_usage_days.main()
