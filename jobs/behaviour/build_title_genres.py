"""Build the genres of titles: a row each genre of each change of a title."""

from cinelake.behaviour.titles import title_genres
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.behaviour import TITLE_GENRES, TITLES


@job(reads=[TITLES], writes=[TITLE_GENRES])
def build_title_genres(run: Run[JobParams]) -> None:
    run.write(TITLE_GENRES, title_genres(run.read(TITLES)))


if __name__ == "__main__":
    build_title_genres.main()
