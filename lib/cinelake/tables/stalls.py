"""The prediction of stalls: its model, and what it says of cells. Times are UTC."""

from __future__ import annotations

from pyspark.sql.types import DateType, IntegerType, LongType, StringType, TimestampType

from cinelake.tables.contract import Column, Layer, Model, Partition, Table, between, satisfies

STALLS = Model(
    "stalls",
    "qoe",
    "How likely a session that plays stalls in the next minute, from what its heartbeats tell and how its cell fares.",
    not_for=(
        "It warns of stalls to come; where the fault lies is for the search of causes, and what would help for advice.",
        "A chance is of a minute of one session. It is not for judging a provider, or a device, by its mean.",
    ),
    weak=(
        "Stalls that come without warning, as of an outage, are not foreseen: no heartbeat tells of them before.",
        "Players that send heartbeats seldom, or not of their buffer, are hardly known to it.",
    ),
)

QOE_STALL_RISKS = Table(
    name="qoe_stall_risks",
    area="qoe",
    layer=Layer.GOLD,
    grain="one CDN, point of presence, provider, region and five minutes in which sessions told that they play",
    columns=(
        Column("bucket_at", TimestampType(), "When the five minutes begin", required=True),
        Column("risk_date", DateType(), "Day of bucket_at", required=True),
        Column("cdn", StringType(), "Content delivery network; 'unknown' if not told", required=True),
        Column("pop", StringType(), "Its point of presence; 'unknown' if not told", required=True),
        Column("isp", StringType(), "Internet service provider; 'unknown' if not told", required=True),
        Column("region", StringType(), "Region of the address; 'unknown' if not told", required=True),
        Column("moments", LongType(), "Heartbeats of sessions that played", required=True),
        Column("expected_ppm", LongType(), "Sum of the chances of a stall in the minute after (1 / 1,000,000)",
               required=True),
        Column("at_risk", LongType(), "Moments at which the chance passed the model's threshold", required=True),
        Column("stalled", LongType(), "Moments after which a stall did come in the minute", required=True),
        Column("foreseen", LongType(), "Of them, those at risk", required=True),
        Column("model_version", IntegerType(), "Version of the model that was asked", required=True),
    ),
    key=("bucket_at", "cdn", "pop", "isp", "region"),
    window="risk_date",
    partition=Partition.DAY,
    checks=(
        between("moments", 1),
        between("expected_ppm", 0),
        satisfies("foreseen_were_both", "foreseen <= at_risk AND foreseen <= stalled",
                  "foreseen", "at_risk", "stalled"),
        satisfies("risks_are_of_moments", "at_risk <= moments AND stalled <= moments",
                  "at_risk", "stalled", "moments"),
    ),
)  # fmt: skip
