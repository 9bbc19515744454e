"""Move landed tags into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.tags import TAGS_SOURCE
from cinelake.tables.ingest import BRONZE_TAGS


@ingest(source=TAGS_SOURCE, writes=BRONZE_TAGS)
def ingest_tags(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, TAGS_SOURCE))


if __name__ == "__main__":
    ingest_tags.main()
