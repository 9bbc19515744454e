"""Build the devices: a row each change of a device of an account, under pseudonyms."""

from cinelake.behaviour.entities import DEVICE, entity_changes
from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.records import LOOKBACK
from cinelake.runtime.job import JobParams, Reading, Run, job, previous
from cinelake.tables.behaviour import DEVICES
from cinelake.tables.ingest import BRONZE_DEVICES


@job(
    reads=[Reading(BRONZE_DEVICES, lookback=LOOKBACK, accounted=True), previous(DEVICES)],
    writes=[DEVICES],
)
def build_devices(run: Run[JobParams]) -> None:
    told, before, keys = run.read(BRONZE_DEVICES), run.read(DEVICES), run.keys(IdKind)
    found = entity_changes(told, before, keys, DEVICE, run.start, run.end, run.account_for)
    run.write(DEVICES, found)


if __name__ == "__main__":
    build_devices.main()
