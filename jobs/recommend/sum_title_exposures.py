"""Sum up by day how often each profile saw a tile of each title."""

from cinelake.recommend.home.tiles import title_exposures
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.home import SHOWN_TILES, TITLE_EXPOSURES


@job(reads=[SHOWN_TILES], writes=[TITLE_EXPOSURES])
def sum_title_exposures(run: Run[JobParams]) -> None:
    run.write(TITLE_EXPOSURES, title_exposures(run.read(SHOWN_TILES)))


if __name__ == "__main__":
    sum_title_exposures.main()
