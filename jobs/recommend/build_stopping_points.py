"""Build where each profile stopped in each title that it played."""

from cinelake.recommend.home.unfinished import stopping_points
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.home import STOPPING_POINTS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS], writes=[STOPPING_POINTS])
def build_stopping_points(run: Run[JobParams]) -> None:
    run.write(STOPPING_POINTS, stopping_points(run.read(VIEWING_SESSIONS)))


if __name__ == "__main__":
    build_stopping_points.main()
