"""Move landed changes of profiles into bronze: every line once, what is unreadable into quarantine."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.profiles import PROFILES_SOURCE
from cinelake.tables.ingest import BRONZE_PROFILES


@ingest(source=PROFILES_SOURCE, writes=BRONZE_PROFILES)
def ingest_profiles(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, PROFILES_SOURCE))


if __name__ == "__main__":
    ingest_profiles.main()
