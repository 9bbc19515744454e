"""Tables that say how something fares from day to day, and raise alarms: the same columns in every area.

An area declares a table of its own, for a table has one writer: `RECOMMENDER_HEALTH = health_table(...)`. Its job
writes a row for each measure of the day, and warns (`Run.warn`) of those that are alarms. An alert is a row with
`is_alarm`: its day, the table's area, the measure, the value, the threshold that it passed, and the message. A day
that is computed again replaces its rows, so an alarm stands for as long as the data says so.
"""

from __future__ import annotations

from pyspark.sql.types import BooleanType, DateType, DoubleType, LongType, StringType

from cinelake.tables.contract import Column, Layer, Partition, Table, between, one_of, satisfies


def health_table(name: str, area: str, measures: tuple[str, ...], counted: str) -> Table:
    """The health of something, by these measures; `counted` says what a value is told of, such as profiles."""
    return Table(
        name=name,
        area=area,
        layer=Layer.GOLD,
        grain="one row per day and measure",
        columns=(
            Column("day", DateType(), "the day at whose end it was measured, UTC", required=True),
            Column("measure", StringType(), "what was measured", required=True),
            Column("value", DoubleType(), "how much it was; null where it cannot be told"),
            Column("counted", LongType(), f"of how many {counted} it is told", required=True),
            Column("baseline", DoubleType(), "what is usual: the mean of the days before"),
            Column("threshold", DoubleType(), "the value at which it is an alarm; null where none can be told"),
            Column("is_alarm", BooleanType(), "whether somebody should look at it", required=True),
            Column("message", StringType(), "the same in words", required=True),
        ),
        key=("day", "measure"),
        window="day",
        partition=Partition.MONTH,
        checks=(
            between("counted", 0),
            one_of("measure", *measures),
            satisfies(
                "an_alarm_passed_its_threshold",
                "NOT is_alarm OR (value IS NOT NULL AND threshold IS NOT NULL)",
                "is_alarm", "value", "threshold",
            ),
        ),
    )  # fmt: skip
