"""Build the availability: a row each decision on a title in a market that changes something."""

from cinelake.behaviour.entities import AVAILABLE, entity_changes
from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.records import LOOKBACK
from cinelake.runtime.job import JobParams, Reading, Run, job, previous
from cinelake.tables.behaviour import AVAILABILITY
from cinelake.tables.ingest import BRONZE_AVAILABILITY


@job(
    reads=[Reading(BRONZE_AVAILABILITY, lookback=LOOKBACK, accounted=True), previous(AVAILABILITY)],
    writes=[AVAILABILITY],
)
def build_availability(run: Run[JobParams]) -> None:
    told, before, keys = run.read(BRONZE_AVAILABILITY), run.read(AVAILABILITY), run.keys(IdKind)
    found = entity_changes(told, before, keys, AVAILABLE, run.start, run.end, run.account_for)
    run.write(AVAILABILITY, found)


if __name__ == "__main__":
    build_availability.main()
