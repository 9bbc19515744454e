"""Put old runs into MLflow's bin, but none that a version of a model came from; `mlflow gc` empties the bin."""

from pydantic import Field

from cinelake.runtime.job import JobParams, MaintenanceRun, maintenance


class PruneTrackingParams(JobParams):
    # A year ago is what people compare with; beyond, a run a job and day is a heap that nobody opens.
    days: int = Field(400, ge=1, description="days that runs are kept")


@maintenance(params=PruneTrackingParams)
def prune_tracking(run: MaintenanceRun[PruneTrackingParams]) -> None:
    if gone := run.prune_tracking(run.params.days):
        run.note(f"{gone:,} runs of MLflow are in its bin")


if __name__ == "__main__":
    prune_tracking.main()
