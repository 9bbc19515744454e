"""The calendar of maintenance: work that was announced, during which nobody needs to be told that quality is worse."""

from __future__ import annotations

from pyspark.sql.types import BooleanType, DateType, IntegerType, StringType, TimestampType

from cinelake.tables.contract import Column, Kind, Layer, Partition, Table, between, satisfies
from cinelake.tables.qoe import DIMENSIONS

# What goes on for longer is what is usual by then; and a day's alarms need no older rows than this.
LONGEST_DAYS = 7

QOE_MAINTENANCE = Table(
    name="qoe_maintenance",
    area="qoe",
    layer=Layer.SILVER,
    kind=Kind.EXTERNAL,
    grain="one announcement of work, or word that it was called off; the newest of a piece of work holds",
    columns=(
        Column("maintenance_id", StringType(), "The piece of work", required=True),
        Column("from_date", DateType(), "Day on which it begins", required=True),
        Column("number", IntegerType(), "Of the announcements of that work, from 1", required=True),
        Column("starts_at", TimestampType(), "When it begins", required=True),
        Column("ends_at", TimestampType(), "When it is over", required=True),
        *(Column(name, StringType(), f"The {name} it is at; null: any") for name in DIMENSIONS),
        Column("is_cancelled", BooleanType(), "Whether it was called off", required=True),
        Column("why", StringType(), "What is done, in words", required=True, personal="free text"),
        Column("given_by", StringType(), "Who entered it", required=True, personal="operator name"),
    ),
    key=("maintenance_id", "from_date", "number"),
    window="from_date",
    partition=Partition.MONTH,
    checks=(
        between("number", 1),
        satisfies("it_ends_after_it_starts", "ends_at > starts_at", "ends_at", "starts_at"),
        satisfies("it_ends_within_a_week", f"ends_at <= starts_at + INTERVAL '{LONGEST_DAYS}' DAY",
                  "ends_at", "starts_at"),
        satisfies("from_date_is_of_starts_at", "from_date = CAST(starts_at AS DATE)", "from_date", "starts_at"),
        satisfies("it_is_somewhere", f"coalesce({', '.join(DIMENSIONS)}) IS NOT NULL", *DIMENSIONS),
    ),
)  # fmt: skip
