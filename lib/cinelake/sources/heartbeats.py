"""Source `heartbeats`: a sign of life from a player, at regular times while it lives.

One record every 30 seconds or so and attempt, from the press of play. Counters tell what happened since the
heartbeat before, so that they may be summed. Who and what is played is said by the attempt in `playback`.

Rates, counters and the buffer may be any number: a device that takes another unit or resets a counter still lives, so
who reads them says what can be.
"""

from pyspark.sql.types import DoubleType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, one_of, satisfies

STATES = ("joining", "playing", "paused", "seeking", "rebuffering")

HEARTBEATS_SOURCE = Source(
    name="heartbeats",
    description="A player says that it lives, and how it fares",
    columns=(
        Column("play_id", StringType(), "The play attempt", required=True),
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("device_id", StringType(), "On which device", required=True, personal="device id"),
        Column("sequence", IntegerType(), "Number in the attempt, from 0", required=True),
        Column("state", StringType(), "What the player is doing", required=True),
        Column("position_s", DoubleType(), "Where the picture stands (s)", required=True),
        Column("bitrate_kbps", IntegerType(), "Bitrate of the picture (kbit/s)"),
        Column("buffer_s", DoubleType(), "Picture in the buffer (s)"),
        Column("throughput_kbps", IntegerType(), "Measured throughput (kbit/s)"),
        Column("dropped_frames", IntegerType(), "Frames dropped since the last heartbeat"),
        Column("played_s", DoubleType(), "Time in which it played since the last heartbeat (s)"),
        Column("rebuffers", IntegerType(), "Rebuffers since the last heartbeat"),
        Column("rebuffer_s", DoubleType(), "Time in them since the last heartbeat (s)"),
        Column("cdn", StringType(), "Content delivery network"),
        Column("pop", StringType(), "Its point of presence"),
        Column("connection", StringType(), "Kind of connection, as fibre, mobile, hosting, relay"),
    ),
    checks=(
        satisfies("play_id_is_not_blank", "trim(play_id) <> ''", "play_id"),
        satisfies("device_id_is_not_blank", "trim(device_id) <> ''", "device_id"),
        one_of("state", *STATES),
        between("sequence", 0),
        between("position_s", 0, 3_100_000),
    ),
)
