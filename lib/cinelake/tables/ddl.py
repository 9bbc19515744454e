"""The CREATE TABLE statement of a contract: types, comments, NOT NULL, CHECK constraints, layout.

The constraints are the safety net behind the quarantine gate: a writer that goes round the gate is stopped
by Delta itself, with the whole write.
"""

from __future__ import annotations

from cinelake.tables.contract import Column, Partition, Table

# Derived from the window column by Delta itself, so that writers need not know of it.
MONTH_COLUMN = "_month"

# A window replaced today must stay readable for runs that pinned the version before it.
TIME_TRAVEL_DAYS = 30


def ddl(table: Table, identifier: str) -> str:
    """The statement that makes `table` under `identifier` (a quoted path or a catalog name)."""
    columns = [_column(column) for column in table.columns]
    clauses = []
    if table.partition is Partition.MONTH:
        columns.append(
            f"{MONTH_COLUMN} DATE GENERATED ALWAYS AS (CAST(TRUNC({table.window}, 'MM') AS DATE)) "
            f"COMMENT 'first day of the month of {table.window}; the partition'"
        )
    if partition := partition_column(table):
        clauses.append(f"PARTITIONED BY ({partition})")
    if table.cluster:
        clauses.append(f"CLUSTER BY ({', '.join(table.cluster)})")
    clauses.append(f"COMMENT {quoted(table.grain)}")
    settings = ", ".join(f"{quoted(k)} = {quoted(v)}" for k, v in sorted(properties(table).items()))
    clauses.append(f"TBLPROPERTIES ({settings})")
    body = ",\n  ".join(columns)
    return f"CREATE TABLE IF NOT EXISTS {identifier} (\n  {body}\n)\nUSING delta\n" + "\n".join(
        clauses
    )


def partition_column(table: Table) -> str | None:
    """The physical column that the files are split by."""
    if table.partition is Partition.MONTH:
        return MONTH_COLUMN
    return table.window if table.partition else None


def properties(table: Table) -> dict[str, str]:
    """Delta table properties, constraints among them."""
    # Delta takes null for a breach; a check of ours does not.
    constraints = {
        f"delta.constraints.{check.name}": f"COALESCE({check.sql}, TRUE)" for check in table.checks
    }
    return constraints | {
        "delta.deletedFileRetentionDuration": f"interval {TIME_TRAVEL_DAYS} days",
        # A bulk load touches hundreds of months from every task; this gives each few files, for a shuffle's cost.
        **(
            {"delta.autoOptimize.optimizeWrite": "true"}
            if table.partition is Partition.MONTH
            else {}
        ),
        # Rows of one file are in no order but that of the layout, so statistics on anything else skip nothing,
        # and they cost a quarter of the write.
        **(
            {"delta.dataSkippingStatsColumns": ",".join(ordered)}
            if (ordered := _ordered_by(table))
            else {"delta.dataSkippingNumIndexedCols": "0"}
        ),
    }


def _ordered_by(table: Table) -> list[str]:
    window = [table.window] if table.window else []
    return [name for name in (*window, *table.cluster) if name != partition_column(table)]


def quoted(text: str) -> str:
    """`text` as a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _column(column: Column) -> str:
    null = " NOT NULL" if column.required else ""
    return f"{column.name} {column.type.simpleString()}{null} COMMENT {quoted(column.comment)}"
