"""Look whether the lake is whole, as `cinelake fsck` does, and warn of what is not. Reads only."""

from cinelake.runtime.job import JobParams, MaintenanceRun, maintenance


@maintenance(after=["expire_rows", "compact_tables", "vacuum_files"])
def inspect_lake(run: MaintenanceRun[JobParams]) -> None:
    for finding in run.inspect():
        run.warn(finding)


if __name__ == "__main__":
    inspect_lake.main()
