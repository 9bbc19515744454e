"""Streaming quality as it happens: what the batch will say of today, as far as records have come in.

Each has the columns of the table that it goes ahead of; what that says of a day holds, once it says anything. Only
`qoe_moments_live` goes ahead of none: what a session was about to do a minute ago nobody asks for a day later, and the
batch keeps how many were.
"""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql.types import (
    BooleanType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
)

from cinelake.tables.contract import Column, Kind, Layer, Partition, Table
from cinelake.tables.qoe import QOE_ANOMALIES, QOE_CELLS, QOE_SESSIONS
from cinelake.tables.stalls import QOE_STALL_RISKS

# The batch has it by then, and a stream's memory goes back two.
KEPT_DAYS = 7


def _live(table: Table) -> Table:
    return replace(
        table,
        name=f"{table.name}_live",
        kind=Kind.LIVE,
        grain=f"{table.grain}; of records so far, until the batch says it",
        retention_days=KEPT_DAYS,
    )


QOE_SESSIONS_LIVE = _live(QOE_SESSIONS)
QOE_CELLS_LIVE = _live(QOE_CELLS)
QOE_ANOMALIES_LIVE = _live(QOE_ANOMALIES)
QOE_STALL_RISKS_LIVE = _live(QOE_STALL_RISKS)

_OWN = {
    "buffer_s": "Seconds of video in the buffer",
    "buffer_change": "How much more than at the heartbeat before (s)",
    "buffer_least": "The least of the last few (s)",
    "throughput": "Logarithm of the throughput to base 2 (kbit/s)",
    "throughput_trend": "It against the mean of the last few",
    "headroom": "Logarithm of throughput ÷ bitrate to base 2",
    "headroom_least": "The least of the last few",
    "headroom_change": "How much more than at the heartbeat before",
    "bitrate": "Logarithm of the bitrate to base 2 (kbit/s)",
    "rebuffers": "Times that it rebuffered of late",
    "rebuffer_s": "For how long (s)",
    "since_rebuffer": "ln(1 + seconds since it last did)",
    "beats": "ln(1 + heartbeats so far)",
    "dropped": "ln(1 + frames dropped of late)",
}
QOE_MOMENTS_LIVE = Table(
    name="qoe_moments_live",
    area="qoe",
    layer=Layer.SILVER,
    kind=Kind.LIVE,
    grain="one heartbeat of a session, of records so far: what it tells of the minute that follows",
    columns=(
        Column("play_id", StringType(), "Play attempt", required=True, personal="play id"),
        Column("beat", LongType(), "Hash of the heartbeat's id", required=True),
        Column("told_at", TimestampType(), "When the heartbeat was", required=True),
        Column("bucket_at", TimestampType(), "When its five minutes began", required=True),
        Column("moment_date", DateType(), "Day of told_at", required=True),
        Column("cdn", StringType(), "Content delivery network; 'unknown' if not told", required=True),
        Column("pop", StringType(), "Its point of presence; 'unknown' if not told", required=True),
        Column("isp", StringType(), "Internet service provider; 'unknown' if not told", required=True),
        Column("region", StringType(), "Region of the address; 'unknown' if not told", required=True),
        Column("device_model", StringType(), "Model of the device; 'unknown' if not told", required=True),
        Column("is_playing", BooleanType(), "Whether the player played", required=True),
        Column("is_stalled", BooleanType(), "Whether it had stalled since the heartbeat before", required=True),
        Column("stalls", BooleanType(), "Whether a stall has come in the minute after", required=True),
        Column("chance", DoubleType(), "Chance of that by the model; null where none is approved, or nothing played"),
        Column("at_risk", BooleanType(), "Whether the chance passes the model's threshold; null where chance is"),
        Column("model_version", IntegerType(), "Version of the model that was asked; null where none was"),
        *(Column(name, DoubleType(), f"{about}; null if not told") for name, about in _OWN.items()),
    ),
    key=("play_id", "beat"),
    window="moment_date",
    partition=Partition.DAY,
    retention_days=KEPT_DAYS,
)  # fmt: skip
