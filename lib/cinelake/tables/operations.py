"""Whether what the lake is fed with comes when it should, and as much as it should.

`DELIVERY_HEALTH` has the columns of `tables/health.py`, and the source beside the measure: an alert is a row with
`is_alarm`, which stands for as long as the data says so.
"""

from __future__ import annotations

from pyspark.sql.types import (
    BooleanType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
)

from cinelake.tables import ingest
from cinelake.tables.contract import (
    Column,
    Layer,
    Partition,
    Table,
    between,
    one_of,
    satisfies,
)

# Every bronze table there is.
DELIVERED = tuple(
    sorted(
        (value for value in vars(ingest).values() if isinstance(value, Table)),
        key=lambda table: table.name,
    )
)

RECORDS, EMPTY_HOURS = "records", "empty_hours"

DELIVERY_HOURS = Table(
    name="delivery_hours",
    area="operations",
    layer=Layer.GOLD,
    grain="one row per source, day and hour in which something happened of which the source told",
    columns=(
        Column("event_date", DateType(), "The day, UTC", required=True),
        Column("hour", IntegerType(), "The hour of the day, UTC", required=True),
        Column("source", StringType(), "The source", required=True),
        Column("records", LongType(), "Records, repetitions among them", required=True),
        Column("events", LongType(), "Different events among them, within some 2 %", required=True),
    ),
    key=("event_date", "source", "hour"),
    window="event_date",
    partition=Partition.MONTH,
    checks=(between("hour", 0, 23), between("records", 1), between("events", 1)),
)

DELIVERY_HEALTH = Table(
    name="delivery_health",
    area="operations",
    layer=Layer.GOLD,
    grain="one row per day, source and measure",
    columns=(
        Column("day", DateType(), "The day whose events are meant, UTC", required=True),
        Column("source", StringType(), "The source", required=True),
        Column("measure", StringType(), "What was measured", required=True),
        Column("value", DoubleType(), "How much it was", required=True),
        Column("baseline", DoubleType(), "What is usual; null where that is not known yet"),
        Column("low", DoubleType(), "Below it is an alarm; null where none can be told"),
        Column("high", DoubleType(), "Above it is an alarm; null where none can be told"),
        Column("is_alarm", BooleanType(), "Whether somebody should look at it", required=True),
        Column("message", StringType(), "The same in words", required=True),
    ),
    key=("day", "source", "measure"),
    window="day",
    partition=Partition.MONTH,
    checks=(
        one_of("measure", RECORDS, EMPTY_HOURS),
        satisfies(
            "an_alarm_is_out_of_bounds",
            "NOT is_alarm OR value < low OR value > high",
            "is_alarm", "value", "low", "high",
        ),
    ),
)  # fmt: skip
