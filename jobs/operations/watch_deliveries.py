"""Watch whether sources tell as much as they usually do, and warn of missing hours and of days out of bounds.

An alarm is a row, and a warning of the run. What comes late fills the hours again, and the alarm is gone.
"""

from pydantic import Field

from cinelake.operations.deliveries import REACH, Expectations, delivery_health
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.operations import DELIVERY_HEALTH, DELIVERY_HOURS


class WatchDeliveriesParams(JobParams):
    expected: Expectations = Expectations()
    warnings: int = Field(10, ge=1, description="alarms that are warned of, the newest first")


@job(
    reads=[Reading(DELIVERY_HOURS, lookback=REACH)],
    writes=[DELIVERY_HEALTH],
    params=WatchDeliveriesParams,
)
def watch_deliveries(run: Run[WatchDeliveriesParams]) -> None:
    params = run.params
    judged = delivery_health(run.read(DELIVERY_HOURS), run.start, run.end, params.expected)
    run.write(DELIVERY_HEALTH, judged)
    alarms = judged.where("is_alarm").orderBy("day", "source", "measure", ascending=[0, 1, 1])
    found = alarms.select("day", "message").limit(params.warnings + 1).toArrow().to_pylist()
    for row in found[: params.warnings]:
        run.warn(f"{row['day']}: {row['message']}")
    if len(found) > params.warnings:
        run.warn("there are more alarms in delivery_health")


if __name__ == "__main__":
    watch_deliveries.main()
