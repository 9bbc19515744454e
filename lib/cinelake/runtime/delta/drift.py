"""Where a stored table differs from its contract by more than a write may settle, and the statements that mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql.types import StructType

from cinelake.tables.contract import Table
from cinelake.tables.ddl import MONTH_COLUMN, partition_column, properties, quoted

CONSTRAINT = "delta.constraints."


@dataclass(frozen=True)
class Layout:
    """Partition columns, clustering columns and properties of a stored table."""

    partition: list[str]
    cluster: list[str]
    properties: dict[str, str]


def drift(table: Table, stored: StructType, layout: Layout, identifier: str) -> str | None:
    """Both schemas and what to run, as text; None where they agree but for nullable columns that are new.

    `identifier` is how SQL names the table.
    """
    wanted_partition = [c for c in [partition_column(table)] if c]
    migrations = [
        *_column_migrations(table, stored, identifier),
        *_constraint_migrations(table, layout.properties, identifier),
    ]
    if layout.partition != wanted_partition or layout.cluster != list(table.cluster):
        migrations.append(
            f"the layout differs (stored: partitioned by {layout.partition}, clustered by "
            f"{layout.cluster}; contract: {wanted_partition}, {list(table.cluster)}): drop the "
            f"table and recompute it with `cinelake rebuild {table.name}`"
        )
    if not migrations:
        return None
    columns = "\n  ".join(
        f"{f.name} {f.dataType.simpleString()}" + ("" if f.nullable else " NOT NULL")
        for f in stored
    )
    contract = "\n  ".join(
        f"{c.name} {c.type.simpleString()}" + (" NOT NULL" if c.required else "")
        for c in table.columns
    )
    return (
        f"table {table.name!r} does not match its contract.\nstored:\n  {columns}\ncontract:\n  {contract}\n"
        "to migrate, run:\n  " + "\n  ".join(migrations)
    )


def _column_migrations(table: Table, stored: StructType, identifier: str) -> Iterator[str]:
    have = {f.name: f for f in stored.fields if f.name != MONTH_COLUMN}
    for column in table.columns:
        field = have.pop(column.name, None)
        kind = column.type.simpleString()
        if field is None:
            if column.required:
                yield (
                    f"ALTER TABLE {identifier} ADD COLUMN {column.name} {kind}; fill it for the rows there are; "
                    f"ALTER TABLE {identifier} ALTER COLUMN {column.name} SET NOT NULL"
                )
        elif field.dataType.simpleString() != kind:
            yield (
                f"ALTER TABLE {identifier} ALTER COLUMN {column.name} TYPE {kind}  "
                f"-- if Delta can widen it; else `cinelake rebuild {table.name}`"
            )
        elif field.nullable == column.required:
            change = "SET NOT NULL" if column.required else "DROP NOT NULL"
            yield f"ALTER TABLE {identifier} ALTER COLUMN {column.name} {change}"
    for name in have:
        yield (
            f"ALTER TABLE {identifier} DROP COLUMN {name}  "
            "-- needs delta.columnMapping.mode = name; or declare it in the contract again"
        )


def _constraint_migrations(table: Table, stored: dict[str, str], identifier: str) -> Iterator[str]:
    def only(settings: dict[str, str]) -> dict[str, str]:
        return {
            k.removeprefix(CONSTRAINT): v for k, v in settings.items() if k.startswith(CONSTRAINT)
        }

    have, want = only(stored), only(properties(table))
    for name in sorted(have.keys() | want.keys()):
        if have.get(name) == want.get(name):
            continue
        if name in have:
            yield f"ALTER TABLE {identifier} DROP CONSTRAINT {name}  -- was {quoted(have[name])}"
        if name in want:
            yield f"ALTER TABLE {identifier} ADD CONSTRAINT {name} CHECK ({want[name]})"
