"""Rewrite small files as few large ones, in the partitions that are crowded with them. No row changes."""

from pydantic import Field

from cinelake.maintenance.crowding import crowded, saved
from cinelake.runtime.job import JobParams, MaintenanceRun, maintenance


class CompactTablesParams(JobParams):
    # Delta aims at 128 MB where it sizes files itself; a quarter of that is far from it.
    small_mb: int = Field(32, ge=1, description="files below are small (MB)")
    at_least: int = Field(4, ge=2, description="small files in a partition that make it crowded")


@maintenance(params=CompactTablesParams, after=["expire_rows"])
def compact_tables(run: MaintenanceRun[CompactTablesParams]) -> None:
    small, at_least = run.params.small_mb * 1_000_000, run.params.at_least
    before, after = {}, {}
    for table in run.tables:
        held = run.partitions(table)
        days = crowded(((each.day, each.sizes) for each in held), small, at_least)
        if days:
            run.compact(table, days)
            before[table.name] = sum(len(each.sizes) for each in held)
            after[table.name] = sum(len(each.sizes) for each in run.partitions(table))
    if before:
        run.note(saved(before, after))


if __name__ == "__main__":
    compact_tables.main()
