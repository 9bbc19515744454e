"""What would have helped the sessions that incidents of streaming quality struck.

Times are UTC. Nothing reads this table to change a service: it is advice, and a person decides.
"""

from __future__ import annotations

from pyspark.sql.types import DateType, DoubleType, IntegerType, LongType, StringType

from cinelake.tables.contract import Column, Layer, Partition, Table, between, one_of

# What can be changed: where a session is fetched from, on what it runs, how good a picture it asks for.
CHANGES = ("cdn", "app_version", "bitrate_cap")
VERDICTS = ("would_have_helped", "uncertain", "no_gain", "little_overlap")

QOE_MITIGATIONS = Table(
    name="qoe_mitigations",
    area="qoe",
    layer=Layer.GOLD,
    grain="one incident, day on which it gave alarms, kind of change and alternative",
    columns=(
        Column("incident_id", StringType(), "The incident", required=True),
        Column("state_date", DateType(), "The day of the alarms, whose hours are looked at", required=True),
        Column("change", StringType(), ", ".join(CHANGES), required=True),
        Column("alternative", StringType(), "The CDN, the version, or the cap (kbit/s)", required=True),
        Column("place", IntegerType(), "Among all alternatives of the incident and day, the best first", required=True),
        Column("verdict", StringType(), ", ".join(VERDICTS), required=True),
        Column("alike_by", StringType(), "What compared sessions had in common, as isp+region", required=True),
        Column("struck", LongType(), "Struck sessions that did not have the alternative", required=True),
        Column("matched", LongType(), "Of them, those with enough like them that had it", required=True),
        Column("overlap", DoubleType(), "Share of the struck that is matched, 0 to 1", required=True),
        Column("compared", LongType(), "Sessions with it that the matched are held against", required=True),
        Column("lost_minutes", DoubleType(), "What the matched lost (min)", required=True),
        Column("saved_minutes", DoubleType(), "What of it they would not have lost, as expected (min)", required=True),
        Column("least_saved_minutes", DoubleType(), "Lower bound of that, 95 % one-sided (min); null if not known"),
        Column("load", DoubleType(), "Struck sessions to each that is compared; null of none"),
    ),
    key=("incident_id", "state_date", "change", "alternative"),
    window="state_date",
    partition=Partition.MONTH,
    checks=(
        one_of("change", *CHANGES),
        one_of("verdict", *VERDICTS),
        between("place", 1),
        between("overlap", 0, 1),
        between("struck", 1),
    ),
)  # fmt: skip
