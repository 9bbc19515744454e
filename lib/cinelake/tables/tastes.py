"""Gold tables of tastes: daily sums of what kinds of titles are watched, by whom, on what and when.

A row is what one day adds, as in `tables/features.py`. A title counts whole in each of its genres, moods and themes,
so that the values of one facet add up to more than what was watched. Titles count as the catalogue described them
when the day ended. Profiles stand under their pseudonyms. Days are UTC.
"""

from pyspark.sql.types import StringType

from cinelake.tables.contract import Column, Layer, Partition, Table, between, one_of
from cinelake.tables.features import (
    DEVICE_KIND,
    FINISHED,
    LOCAL_HOUR,
    LOCAL_HOUR_CHECKS,
    PLAY_DATE,
    SECONDS_WATCHED,
    STARTS,
    WERE_FINISHED,
)

TASTE_DAYS = Table(
    name="taste_days",
    area="behaviour",
    layer=Layer.GOLD,
    grain="one profile, day and genre, mood, theme or language of which it watched a title",
    columns=(
        Column("profile_id", StringType(), "Who", required=True),
        PLAY_DATE,
        Column("facet", StringType(), "genre, mood, theme or language", required=True),
        Column("value", StringType(), "Which, in the catalogue's words; languages as ISO 639-1", required=True),
        STARTS,
        SECONDS_WATCHED,
        FINISHED,
    ),
    key=("profile_id", "play_date", "facet", "value"),
    window="play_date",
    partition=Partition.MONTH,
    checks=(
        one_of("facet", "genre", "mood", "theme", "language"),
        between("starts", 1),
        between("seconds_watched", 0),
        WERE_FINISHED,
    ),
)  # fmt: skip

GENRE_HOURS = Table(
    name="genre_hours",
    area="behaviour",
    layer=Layer.GOLD,
    grain=(
        "one day, genre, kind of title, kind of device and hour of the week, by the viewers' clocks, in which "
        "somebody started to watch"
    ),
    columns=(
        PLAY_DATE,
        Column("genre", StringType(), "Genre, in the catalogue's words, or unknown", required=True),
        Column("kind", StringType(), "film or episode", required=True),
        DEVICE_KIND,
        *LOCAL_HOUR,
        STARTS,
        SECONDS_WATCHED,
    ),
    key=("play_date", "genre", "kind", "device_kind", "local_weekday", "local_hour"),
    window="play_date",
    partition=Partition.MONTH,
    checks=(
        one_of("kind", "film", "episode"),
        between("starts", 1),
        between("seconds_watched", 0),
        *LOCAL_HOUR_CHECKS,
    ),
)  # fmt: skip

TITLE_AUDIENCES = Table(
    name="title_audiences",
    area="behaviour",
    layer=Layer.GOLD,
    grain=(
        "one film or series, day, country, kind of profile, kind of device and part of the day, in which somebody "
        "started to watch"
    ),
    columns=(
        Column("title_id", StringType(), "The film or series", required=True),
        PLAY_DATE,
        Column("country", StringType(), "Country of the address (ISO 3166-1), or unknown", required=True),
        Column("profile_kind", StringType(), "adult, kid, or unknown", required=True),
        DEVICE_KIND,
        Column(
            "daypart",
            StringType(),
            "By the viewer's clock: night from 0, morning from 6, afternoon from 12, evening from 18",
            required=True,
        ),
        STARTS,
        SECONDS_WATCHED,
    ),
    key=("title_id", "play_date", "country", "profile_kind", "device_kind", "daypart"),
    window="play_date",
    partition=Partition.MONTH,
    checks=(
        one_of("profile_kind", "adult", "kid", "unknown"),
        one_of("daypart", "night", "morning", "afternoon", "evening"),
        between("starts", 1),
        between("seconds_watched", 0),
    ),
)  # fmt: skip
