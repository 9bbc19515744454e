"""Source `playback`: what changes in a player; one record a change of state.

An attempt begins with the press of play (`attempt`) and goes through the states of media3's PlaybackStats:
joining until `first_frame`, then playing, paused, seeking and rebuffering, until `stop` (the viewer leaves),
`end` (the title is over) or `error`. A player that dies sends nothing more. `position_s` is where the picture
stands when the change happens. Every record repeats who, what and where, so that each stands alone.

A bitrate may be any number: without its event the whole play would be told wrong, so who reads it says what can be.
"""

from pyspark.sql.types import DoubleType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, matches, one_of, satisfies

EVENTS = (
    "attempt",
    "first_frame",
    "pause",
    "resume",
    "seek",
    "seek_done",
    "rebuffer_start",
    "rebuffer_end",
    "quality_switch",
    "skip_intro",
    "skip_credits",
    "error",
    "stop",
    "end",
)

PLAYBACK_SOURCE = Source(
    name="playback",
    description="A player changes its state",
    columns=(
        Column("play_id", StringType(), "The play attempt", required=True),
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("profile_id", StringType(), "Who", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device", required=True, personal="device id"),
        Column("title_id", StringType(), "The film or series", required=True),
        Column("episode_id", StringType(), "Title id of the episode; null for a film"),
        Column("event", StringType(), "What happened", required=True),
        Column("sequence", IntegerType(), "Number of the event in the attempt, from 0"),
        Column("position_s", DoubleType(), "Where the picture stands (s)"),
        Column("to_position_s", DoubleType(), "Where a seek or skip goes (s)"),
        Column("bitrate_kbps", IntegerType(), "Bitrate of the picture from now on (kbit/s)"),
        Column("cause", StringType(), "Of a rebuffer: network or seek, as the player sees it"),
        Column("error_code", StringType(), "Of an error, in media3's words"),
        Column("entry", StringType(), "Of an attempt: whence it came, as home, search, autoplay"),
        Column("row", IntegerType(), "Of an attempt from the home page: its row, from 0"),
        Column("rank", IntegerType(), "Of an attempt from the home page: its place, from 0"),
        Column("page_id", StringType(), "Of an attempt from the home page: the page view"),
        Column("cdn", StringType(), "Content delivery network"),
        Column("pop", StringType(), "Its point of presence"),
        Column("app_version", StringType(), "Version of the app"),
        Column("device_model", StringType(), "Model, as the device names itself"),
        Column("connection", StringType(), "Kind of connection, as fibre, mobile, hosting, relay"),
        Column("ip", StringType(), "Address of the player", personal="IP address"),
        Column("asn", IntegerType(), "Autonomous system of that address"),
        Column("isp", StringType(), "Who runs that system"),
        Column("country", StringType(), "Country of the address (ISO 3166-1)"),
        Column("region", StringType(), "Region of the address"),
    ),
    checks=(
        satisfies("play_id_is_not_blank", "trim(play_id) <> ''", "play_id"),
        satisfies("account_id_is_not_blank", "trim(account_id) <> ''", "account_id"),
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
        one_of("event", *EVENTS),
        # A month: no title is longer, and a position in milliseconds is.
        between("position_s", 0, 3_100_000),
        between("to_position_s", 0, 3_100_000),
        matches("country", "[A-Z]{2}"),
    ),
)
