"""Gold tables of features: daily sums of what profiles do with titles, from which later areas roll up what they need.

A row is what one day adds. Sums over days are then sums of rows, so a late record changes one day and no history is
read again. Profiles stand under their pseudonyms. Days are UTC.
"""

from pyspark.sql.types import (
    ArrayType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from cinelake.tables.contract import Column, Layer, Partition, Table, between, satisfies

# Sums of the seconds of silver: exact to the millisecond.
SECONDS = DecimalType(18, 3)
# A bucket and the greatest rank in it, packed, in ascending order.
SKETCH = ArrayType(IntegerType())
# Minutes of a title to which viewers went back, in order.
MINUTES = ArrayType(
    StructType([StructField("minute", IntegerType()), StructField("times", LongType())])
)

# What several of the tables count.
PLAY_DATE = Column("play_date", DateType(), "The day, UTC", required=True)
DEVICE_KIND = Column(
    "device_kind", StringType(), "tv, console, phone, tablet, laptop, or unknown", required=True
)
LOCAL_HOUR = (
    Column("local_weekday", IntegerType(), "Day of the week there, 1 Monday to 7 Sunday", required=True),
    Column("local_hour", IntegerType(), "Hour there, 0 to 23", required=True),
)  # fmt: skip
LOCAL_HOUR_CHECKS = (between("local_hour", 0, 23), between("local_weekday", 1, 7))
STARTS = Column("starts", LongType(), "Plays that came to a first frame", required=True)
SECONDS_WATCHED = Column("seconds_watched", SECONDS, "Time in which they played (s)", required=True)
FINISHED = Column("finished", LongType(), "Of the starts, those seen to the end", required=True)
WERE_FINISHED = satisfies("finished_were_started", "finished <= starts", "finished", "starts")
BINGED = Column(
    "binged",
    LongType(),
    "Of the starts, those that followed another episode in a sitting",
    required=True,
)
WERE_BINGED = satisfies("binged_were_started", "binged <= starts", "binged", "starts")

TITLE_SIGNALS = Table(
    name="title_signals",
    area="behaviour",
    layer=Layer.GOLD,
    grain=(
        "one profile, title and day on which it played, judged, kept, looked at or rated the title; "
        "a tile that was only shown makes no row"
    ),
    columns=(
        Column("profile_id", StringType(), "Who", required=True),
        Column("title_id", StringType(), "The film or series", required=True),
        Column("signal_date", DateType(), "The day", required=True),
        Column("plays", LongType(), "Plays that came to a first frame", required=True),
        SECONDS_WATCHED,
        Column("seconds_rewatched", SECONDS, "Of the title, played more than once in a play (s)", required=True),
        Column("finished", LongType(), "Plays seen to the end", required=True),
        Column(
            "completion",
            DoubleType(),
            "The furthest that one of them came, as a share of the film or episode, 0 to 1; null if unknown",
        ),
        Column("clicks", LongType(), "Clicks on its tile", required=True),
        Column("details", LongType(), "Looks at its details", required=True),
        Column("hovers", LongType(), "Stops on its tile", required=True),
        Column("thumbs_up", LongType(), "Thumbs up", required=True),
        Column("thumbs_down", LongType(), "Thumbs down", required=True),
        Column("added_to_list", LongType(), "Times it was put on the profile's list", required=True),
        Column("removed_from_list", LongType(), "Times it was taken off", required=True),
        Column("not_interested", LongType(), "Times the profile wanted to see no more of it", required=True),
        Column("rating", DoubleType(), "The day's last rating, 0.5 to 5; null without one"),
        Column("rated_at", TimestampType(), "When that was given"),
    ),
    key=("profile_id", "title_id", "signal_date"),
    window="signal_date",
    partition=Partition.MONTH,
    checks=(
        between("plays", 0),
        between("seconds_watched", 0),
        between("completion", 0, 1),
        between("rating", 0.5, 5),
        satisfies("finished_were_played", "finished <= plays", "finished", "plays"),
        satisfies(
            "a_rating_has_its_time", "(rating IS NULL) = (rated_at IS NULL)", "rating", "rated_at"
        ),
        satisfies(
            "there_is_a_signal",
            "plays + clicks + details + hovers + thumbs_up + thumbs_down + added_to_list + removed_from_list "
            "+ not_interested > 0 OR rating IS NOT NULL",
            "plays", "clicks", "details", "hovers", "thumbs_up", "thumbs_down", "added_to_list",
            "removed_from_list", "not_interested", "rating",
        ),
    ),
)  # fmt: skip

TITLE_DAYS = Table(
    name="title_days",
    area="behaviour",
    layer=Layer.GOLD,
    grain="one film or episode and day on which somebody pressed play on it",
    columns=(
        Column("watched_id", StringType(), "The film or episode", required=True),
        Column("title_id", StringType(), "The film or the episode's series", required=True),
        Column("play_date", DateType(), "The day", required=True),
        Column("attempts", LongType(), "Play attempts", required=True),
        Column("starts", LongType(), "Of them, those that came to a first frame", required=True),
        Column("viewers", LongType(), "Profiles with a start; days do not add up", required=True),
        Column(
            "viewers_sketch",
            SKETCH,
            "The same as a HyperLogLog sketch (behaviour/distinct.py), of which days add up",
            required=True,
        ),
        Column("seconds_watched", SECONDS, "Time in which it played (s)", required=True),
        Column("seconds_rewatched", SECONDS, "Of the title, played more than once in a play (s)", required=True),
        Column("finished", LongType(), "Starts seen to the end", required=True),
        Column(
            "reached",
            ArrayType(LongType()),
            "The completion curve: starts whose furthest point was at least 10 %, 20 % … 100 % of the length. "
            "Where it falls is where viewers drop off",
            required=True,
        ),
        Column(
            "measured", LongType(), "Starts of which the completion is known: what `reached` is a share of",
            required=True,
        ),
        Column(
            "went_back_to", MINUTES, "Minutes of the title to which viewers jumped back, and how often",
            required=True,
        ),
    ),
    key=("watched_id", "title_id", "play_date"),
    window="play_date",
    partition=Partition.MONTH,
    checks=(
        between("attempts", 1),
        satisfies("starts_were_attempts", "starts <= attempts", "starts", "attempts"),
        satisfies("viewers_started", "viewers <= starts", "viewers", "starts"),
        satisfies("reached_has_ten_steps", "size(reached) = 10", "reached"),
        satisfies("reached_is_of_measured", "reached[0] <= measured", "reached", "measured"),
    ),
)  # fmt: skip

WATCH_HOURS = Table(
    name="watch_hours",
    area="behaviour",
    layer=Layer.GOLD,
    grain="one profile, day, kind of device and hour of the week, by the viewer's clock, in which it started to watch",
    columns=(
        Column("profile_id", StringType(), "Who", required=True),
        PLAY_DATE,
        DEVICE_KIND,
        *LOCAL_HOUR,
        STARTS,
        SECONDS_WATCHED,
        BINGED,
    ),
    key=("profile_id", "play_date", "device_kind", "local_weekday", "local_hour"),
    window="play_date",
    partition=Partition.MONTH,
    checks=(
        between("starts", 1),
        *LOCAL_HOUR_CHECKS,
        WERE_BINGED,
    ),
)  # fmt: skip

PROFILE_DAYS = Table(
    name="profile_days",
    area="behaviour",
    layer=Layer.GOLD,
    grain="one profile and day on which it played, browsed or searched",
    columns=(
        Column("profile_id", StringType(), "Who", required=True),
        Column("profile_date", DateType(), "The day", required=True),
        STARTS,
        SECONDS_WATCHED,
        FINISHED,
        BINGED,
        Column("browse_sessions", LongType(), "Stretches of browsing", required=True),
        Column("seconds_browsing", SECONDS, "Time spent in them (s)", required=True),
        Column("exits", LongType(), "Of them, those that ended without a press of play", required=True),
        Column("searches", LongType(), "Search episodes", required=True),
        Column("zero_result_searches", LongType(), "Of them, those whose last text found nothing", required=True),
        Column("clicked_searches", LongType(), "Of them, those in which a title was chosen", required=True),
        Column("played_searches", LongType(), "Of them, those whose title was played", required=True),
        Column("refinements", LongType(), "Changes of a text in them", required=True),
        Column("keystrokes", LongType(), "Keystrokes in them, at least", required=True),
    ),
    key=("profile_id", "profile_date"),
    window="profile_date",
    partition=Partition.MONTH,
    checks=(
        WERE_FINISHED,
        WERE_BINGED,
        satisfies("exits_were_browsed", "exits <= browse_sessions", "exits", "browse_sessions"),
        satisfies("found_nothing_in_searches", "zero_result_searches <= searches", "zero_result_searches", "searches"),
        satisfies(
            "what_was_played_was_clicked",
            "played_searches <= clicked_searches AND clicked_searches <= searches",
            "played_searches", "clicked_searches", "searches",
        ),
        satisfies(
            "something_was_done", "starts + browse_sessions + searches > 0", "starts", "browse_sessions", "searches"
        ),
    ),
)  # fmt: skip
