"""Sum up by day who watches each title, where and on what."""

from cinelake.behaviour.tastes import title_audiences
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.behaviour import PROFILES
from cinelake.tables.tastes import TITLE_AUDIENCES
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS, history(PROFILES)], writes=[TITLE_AUDIENCES])
def sum_title_audiences(run: Run[JobParams]) -> None:
    run.write(TITLE_AUDIENCES, title_audiences(run.read(VIEWING_SESSIONS), run.read(PROFILES)))


if __name__ == "__main__":
    sum_title_audiences.main()
