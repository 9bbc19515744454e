"""Remove the files that no version within reach has, and what killed runs left in the staging area.

A version stays readable for as long as its table's setting says, which is what time travel and audits reach back to.
Tables with personal columns are cut shorter: rows that retention has deleted are in older files for as long as those
are there.
"""

from pydantic import Field

from cinelake.runtime.job import JobParams, MaintenanceRun, maintenance
from cinelake.tables.ddl import TIME_TRAVEL_DAYS


class VacuumFilesParams(JobParams):
    days: int = Field(TIME_TRAVEL_DAYS, ge=1, description="days that versions stay readable")
    # A run holds on to the versions that it began with, and none takes a week.
    personal_days: int = Field(7, ge=1, description="the same, of tables with personal columns")


@maintenance(params=VacuumFilesParams, after=["expire_rows", "compact_tables"])
def vacuum_files(run: MaintenanceRun[VacuumFilesParams]) -> None:
    files = size = 0
    for table in run.tables:
        days = min(run.params.days, run.params.personal_days) if table.personal else run.params.days
        removed = run.vacuum(table, days)
        files, size = files + removed[0], size + removed[1]
    if files > 0:
        run.note(f"{files:,} files of {size / 1e6:,.1f} MB are gone")
    if left := run.remove_leavings():
        run.note(f"{len(left):,} folders of killed runs are gone")


if __name__ == "__main__":
    vacuum_files.main()
