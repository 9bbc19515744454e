"""Build the titles: a row each change of a title, from what the catalogue says and how it looked before."""

from cinelake.behaviour.records import LOOKBACK
from cinelake.behaviour.titles import title_changes
from cinelake.runtime.job import JobParams, Reading, Run, job, previous
from cinelake.tables.behaviour import TITLES
from cinelake.tables.ingest import BRONZE_TITLES


@job(
    reads=[Reading(BRONZE_TITLES, lookback=LOOKBACK, accounted=True), previous(TITLES)],
    writes=[TITLES],
)
def build_titles(run: Run[JobParams]) -> None:
    told, before = run.read(BRONZE_TITLES), run.read(TITLES)
    run.write(TITLES, title_changes(told, before, run.start, run.end, run.account_for))


if __name__ == "__main__":
    build_titles.main()
