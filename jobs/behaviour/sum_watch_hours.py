"""Sum up by day at which hours, and on what, each profile watches."""

from cinelake.behaviour.features import watch_hours
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.features import WATCH_HOURS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS], writes=[WATCH_HOURS])
def sum_watch_hours(run: Run[JobParams]) -> None:
    run.write(WATCH_HOURS, watch_hours(run.read(VIEWING_SESSIONS)))


if __name__ == "__main__":
    sum_watch_hours.main()
