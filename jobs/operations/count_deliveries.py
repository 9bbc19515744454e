"""Count what each source told of each hour."""

from cinelake.operations.deliveries import delivery_hours
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.operations import DELIVERED, DELIVERY_HOURS


@job(reads=DELIVERED, writes=[DELIVERY_HOURS])
def count_deliveries(run: Run[JobParams]) -> None:
    told = {table.name.removeprefix("bronze_"): run.read(table) for table in DELIVERED}
    run.write(DELIVERY_HOURS, delivery_hours(told))


if __name__ == "__main__":
    count_deliveries.main()
