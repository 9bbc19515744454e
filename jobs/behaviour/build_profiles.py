"""Build the profiles: a row each change of a profile, under pseudonyms."""

from cinelake.behaviour.entities import PROFILE, entity_changes
from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.records import LOOKBACK
from cinelake.runtime.job import JobParams, Reading, Run, job, previous
from cinelake.tables.behaviour import PROFILES
from cinelake.tables.ingest import BRONZE_PROFILES


@job(
    reads=[Reading(BRONZE_PROFILES, lookback=LOOKBACK, accounted=True), previous(PROFILES)],
    writes=[PROFILES],
)
def build_profiles(run: Run[JobParams]) -> None:
    told, before, keys = run.read(BRONZE_PROFILES), run.read(PROFILES), run.keys(IdKind)
    found = entity_changes(told, before, keys, PROFILE, run.start, run.end, run.account_for)
    run.write(PROFILES, found)


if __name__ == "__main__":
    build_profiles.main()
