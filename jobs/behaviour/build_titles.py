"""Build the titles: a row each change of a title, from all that the catalogue said up to then."""

from cinelake.behaviour.titles import title_changes
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.behaviour import TITLES
from cinelake.tables.ingest import BRONZE_TITLES


@job(reads=[history(BRONZE_TITLES)], writes=[TITLES])
def build_titles(run: Run[JobParams]) -> None:
    run.write(TITLES, title_changes(run.read(BRONZE_TITLES), run.start, run.end))


if __name__ == "__main__":
    build_titles.main()
