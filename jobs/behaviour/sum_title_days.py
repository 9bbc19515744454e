"""Sum up by day how each film and episode was watched: starts, the completion curve, where viewers went back to."""

from cinelake.behaviour.features import title_days
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.features import TITLE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS], writes=[TITLE_DAYS])
def sum_title_days(run: Run[JobParams]) -> None:
    run.write(TITLE_DAYS, title_days(run.read(VIEWING_SESSIONS)))


if __name__ == "__main__":
    sum_title_days.main()
