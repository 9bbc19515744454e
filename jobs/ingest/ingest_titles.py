"""Move landed titles into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.titles import TITLES_SOURCE
from cinelake.tables.ingest import BRONZE_TITLES


@ingest(source=TITLES_SOURCE, writes=BRONZE_TITLES)
def ingest_titles(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, TITLES_SOURCE))


if __name__ == "__main__":
    ingest_titles.main()
