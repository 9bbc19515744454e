"""Delete the rows that are older than their table's contract keeps them, and what was turned away or judged long ago.

Age counts back from the end of the data, so a lake that gets none loses none. Windows that read what is gone are
sealed: they stay as they are, and are never computed again from what is left. Validations go like what was turned
away, for those that failed hold keys of rows.
"""

from datetime import timedelta

from pydantic import Field

from cinelake.runtime.job import JobParams, MaintenanceRun, maintenance
from cinelake.tables.contract import Kind
from cinelake.tables.system import CHECK_RESULTS, QUARANTINE


class ExpireRowsParams(JobParams):
    quarantine_days: int = Field(
        QUARANTINE.retention_days or 30, ge=1, description="days that what was turned away is kept"
    )
    checks_days: int = Field(
        QUARANTINE.retention_days or 30, ge=1, description="days that validations are kept"
    )


@maintenance(params=ExpireRowsParams)
def expire_rows(run: MaintenanceRun[ExpireRowsParams]) -> None:
    for table in run.tables:
        if table.retention_days is None or table.kind is Kind.SYSTEM or run.through is None:
            continue
        before = run.through - timedelta(days=table.retention_days)
        if gone := run.expire(table, before):
            run.note(f"{table.name}: {gone:,} rows of days before {before} are gone")
    if gone := run.expire_quarantine(run.params.quarantine_days):
        run.note(f"{QUARANTINE.name}: {gone:,} rows are gone")
    if gone := run.expire_checks(run.params.checks_days):
        run.note(f"{CHECK_RESULTS.name}: {gone:,} rows are gone")


if __name__ == "__main__":
    expire_rows.main()
