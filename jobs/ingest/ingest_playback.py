"""Move landed playback events into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.ingest import BRONZE_PLAYBACK


@ingest(source=PLAYBACK_SOURCE, writes=BRONZE_PLAYBACK)
def ingest_playback(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, PLAYBACK_SOURCE))


if __name__ == "__main__":
    ingest_playback.main()
