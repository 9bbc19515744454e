"""Silver tables of what viewers do: play, look at tiles, judge, browse and search.

Ids are strings. Times are UTC; the day column of each table is the day on which the row's matter began.
"""

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    StringType,
    TimestampType,
)

from cinelake.tables.contract import Column, Layer, Partition, Table, between, one_of, satisfies

# Seconds that are added up later: exact to the millisecond, up to eleven days.
SECONDS = DecimalType(12, 3)

# What is known of the viewer's surroundings (behaviour/surroundings.py).
DEVICE_KIND = Column(
    "device_kind", StringType(), "tv, console, phone, tablet or laptop; null if not known"
)
LOCAL_TIME = (
    Column("time_zone", StringType(), "Time zone of the account (IANA); null if not known, and then UTC counts"),
    Column("local_date", DateType(), "Day of started_at in that zone", required=True),
    Column("local_hour", IntegerType(), "Hour of started_at in that zone, 0 to 23", required=True),
    Column("local_weekday", IntegerType(), "Day of the week in that zone, 1 Monday to 7 Sunday", required=True),
)  # fmt: skip
LOCAL_TIME_CHECKS = (between("local_hour", 0, 23), between("local_weekday", 1, 7))

VIEWING_SESSIONS = Table(
    name="viewing_sessions",
    area="behaviour",
    layer=Layer.SILVER,
    grain=(
        "one play attempt: a press of play, or an episode that followed by itself, whether or not it came "
        "to a first frame"
    ),
    columns=(
        Column("play_id", StringType(), "The attempt", required=True, personal="play id"),
        Column("session_date", DateType(), "Day of its first record", required=True),
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("profile_id", StringType(), "Who", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device", required=True, personal="device id"),
        Column("title_id", StringType(), "The film or series", required=True),
        Column("episode_id", StringType(), "Title id of the episode; null for a film"),
        Column("kind", StringType(), "film or episode", required=True),
        Column("started_at", TimestampType(), "First record, as a rule the press of play", required=True),
        Column("first_frame_at", TimestampType(), "When the picture began; null if it never did"),
        Column("last_seen_at", TimestampType(), "Last record", required=True),
        Column(
            "ended_at",
            TimestampType(),
            "When it ended; if nothing said so, a grace after the last record",
            required=True,
        ),
        Column(
            "close_reason",
            StringType(),
            "stop: the viewer left; end: the title was over; error; abandoned: it was last heard of paused; "
            "lost: it was last heard of playing, joining or waiting",
            required=True,
        ),
        Column("error_code", StringType(), "Of an error, in media3's words"),
        Column("seconds_watched", SECONDS, "Time in which it played, by the clock (s)", required=True),
        Column("seconds_paused", SECONDS, "Time in which it stood paused (s)", required=True),
        Column("pauses", IntegerType(), "How often it was paused", required=True),
        Column("seeks_forward", IntegerType(), "Jumps forward, without skips of intro and credits", required=True),
        Column("seeks_back", IntegerType(), "Jumps back", required=True),
        Column(
            "went_back_to_s",
            ArrayType(DoubleType()),
            "Where jumps back went to (s of the title), in ascending order",
            required=True,
        ),
        Column("seconds_rewatched", SECONDS, "Of the title, played more than once (s)", required=True),
        Column("skipped_intro", BooleanType(), "Whether the intro was skipped", required=True),
        Column("skipped_credits", BooleanType(), "Whether the credits were skipped", required=True),
        Column("start_position_s", DoubleType(), "Where it started (s of the title); above 0 when it goes on"),
        Column("end_position_s", DoubleType(), "Where it was last heard of (s of the title)"),
        Column("furthest_position_s", DoubleType(), "The furthest point reached (s of the title)"),
        Column("runtime_s", DoubleType(), "Length of the film or episode (s), as the catalogue knew it that day"),
        Column("completion", DoubleType(), "Furthest point as a share of the length, 0 to 1; null if unknown"),
        Column(
            "is_finished",
            BooleanType(),
            "Whether it was seen to its end: the title was over, or it came to the credits, or, where the "
            "catalogue knows of none, to a share of the length set for its kind",
            required=True,
        ),
        Column(
            "binge_position",
            IntegerType(),
            "Other episodes of the series that the profile began before it in the same sitting; 0 for films",
            required=True,
        ),
        DEVICE_KIND,
        Column("device_model", StringType(), "Model, as the device names itself"),
        Column("app_version", StringType(), "Version of the app"),
        *LOCAL_TIME,
        Column("entry", StringType(), "home, search, continue, autoplay or deep_link; null if the press is missing"),
        Column("entry_row", IntegerType(), "From the home page: its row, from 0"),
        Column("entry_rank", IntegerType(), "From the home page: place in the row, from 0"),
        Column("page_id", StringType(), "From the home page: the page view", personal="page id"),
        Column("connection", StringType(), "Kind of connection, as fibre, mobile, hosting, relay"),
        Column("ip", StringType(), "The address, as silver knows it", personal="IP address"),
        Column("asn", IntegerType(), "Autonomous system of the address"),
        Column("isp", StringType(), "Who runs that system"),
        Column("country", StringType(), "Country of the address (ISO 3166-1)"),
        Column("region", StringType(), "Region of the address"),
        Column("events", IntegerType(), "Records of playback in it, copies apart", required=True),
        Column("heartbeats", IntegerType(), "Heartbeats in it, copies apart", required=True),
        Column(
            "is_by_events",
            BooleanType(),
            "Whether seconds_watched come from events, all of which are there; else from heartbeats",
            required=True,
        ),
    ),
    key=("play_id", "session_date"),
    window="session_date",
    partition=Partition.DAY,
    checks=(
        one_of("kind", "film", "episode"),
        one_of("close_reason", "stop", "end", "error", "abandoned", "lost"),
        between("seconds_watched", 0),
        between("seconds_paused", 0),
        between("seconds_rewatched", 0),
        between("completion", 0, 1),
        between("binge_position", 0),
        *LOCAL_TIME_CHECKS,
        satisfies("ends_after_it_starts", "ended_at >= started_at", "ended_at", "started_at"),
        satisfies(
            "session_date_is_of_started_at",
            "session_date = CAST(started_at AS DATE)",
            "session_date",
            "started_at",
        ),
        satisfies("kind_tells_of_episodes", "(kind = 'episode') = (episode_id IS NOT NULL)", "kind", "episode_id"),
    ),
)  # fmt: skip
