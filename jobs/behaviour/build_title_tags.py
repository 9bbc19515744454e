"""Build the tags: one row each act of tagging a title that the catalogue had at the time."""

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.records import LOOKBACK
from cinelake.behaviour.tags import title_tags
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.behaviour import TITLE_TAGS, TITLES
from cinelake.tables.ingest import BRONZE_TAGS


@job(
    reads=[Reading(BRONZE_TAGS, lookback=LOOKBACK, accounted=True), history(TITLES)],
    writes=[TITLE_TAGS],
    version=2,
)
def build_title_tags(run: Run[JobParams]) -> None:
    told, titles, keys = run.read(BRONZE_TAGS), run.read(TITLES), run.keys(IdKind)
    run.write(TITLE_TAGS, title_tags(told, titles, keys, run.start, run.end))


if __name__ == "__main__":
    build_title_tags.main()
