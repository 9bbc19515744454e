"""Move landed changes of devices into bronze: every line once, what cannot be read into quarantine with the reasons."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.devices import DEVICES_SOURCE
from cinelake.tables.ingest import BRONZE_DEVICES


@ingest(source=DEVICES_SOURCE, writes=BRONZE_DEVICES)
def ingest_devices(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, DEVICES_SOURCE))


if __name__ == "__main__":
    ingest_devices.main()
