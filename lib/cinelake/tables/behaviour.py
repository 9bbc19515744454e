"""Silver tables of what profiles think of titles, and of the titles themselves.

Ids are strings. Times are UTC; the day column of each table is the day of its time.
"""

from pyspark.sql.types import (
    ArrayType,
    DateType,
    DoubleType,
    IntegerType,
    StringType,
    TimestampType,
)

from cinelake.tables.contract import (
    Column,
    Layer,
    Partition,
    Table,
    between,
    matches,
    satisfies,
)

RATINGS = Table(
    name="ratings",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one act of rating; a profile that rates a title again has a row each time, of which the newest holds",
    columns=(
        Column("event_id", StringType(), "The event's id", required=True, personal="event id"),
        Column("profile_id", StringType(), "Who rated", required=True, personal="profile id"),
        Column("title_id", StringType(), "What was rated", required=True),
        Column("rating", DoubleType(), "Stars as given, 0.5 to 5", required=True),
        Column("rated_at", TimestampType(), "When", required=True),
        Column("rating_date", DateType(), "Day of rated_at", required=True),
    ),
    # The same id may come back much later by a fault of the client; within a day it does not stand twice.
    key=("event_id", "rating_date"),
    window="rating_date",
    partition=Partition.MONTH,
    checks=(
        between("rating", 0.5, 5),
        satisfies(
            "rating_date_is_of_rated_at",
            "rating_date = CAST(rated_at AS DATE)",
            "rating_date",
            "rated_at",
        ),
    ),
)

TITLES = Table(
    name="titles",
    area="behaviour",
    layer=Layer.SILVER,
    grain=(
        "one change of a title: how it looks from effective_from until its next row; "
        "read it through behaviour.as_of"
    ),
    columns=(
        Column("title_id", StringType(), "Identifies the title", required=True),
        Column("effective_from", TimestampType(), "From when it looks so", required=True),
        Column("effective_date", DateType(), "Day of effective_from", required=True),
        Column("name", StringType(), "Name, without the year", required=True),
        Column("release_year", IntegerType(), "Year of first release; null when not known"),
        Column(
            "genres",
            ArrayType(StringType()),
            "Genres in the catalogue's words and order; empty when it names none",
            required=True,
        ),
        Column("imdb_id", StringType(), "Id at IMDb, such as tt0114709"),
        Column("tmdb_id", StringType(), "Id at The Movie Database, such as 862"),
    ),
    key=("title_id", "effective_from"),
    window="effective_date",
    partition=Partition.MONTH,
    checks=(
        between("release_year", 1870, 2100),
        matches("imdb_id", "tt[0-9]{7,}"),
        satisfies(
            "effective_date_is_of_effective_from",
            "effective_date = CAST(effective_from AS DATE)",
            "effective_date",
            "effective_from",
        ),
    ),
)

TITLE_GENRES = Table(
    name="title_genres",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one genre of one change of a title; a change without genres has no row here, but one in titles",
    columns=(
        Column("title_id", StringType(), "The title", required=True),
        Column("effective_from", TimestampType(), "That of the row in titles", required=True),
        Column("effective_date", DateType(), "Day of effective_from", required=True),
        Column("genre", StringType(), "A genre in the catalogue's words", required=True),
    ),
    key=("title_id", "effective_from", "genre"),
    window="effective_date",
    partition=Partition.MONTH,
    checks=(satisfies("genre_is_not_blank", "trim(genre) <> ''", "genre"),),
)

TITLE_TAGS = Table(
    name="title_tags",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one act of tagging a title",
    columns=(
        Column("event_id", StringType(), "The event's id", required=True, personal="event id"),
        Column("profile_id", StringType(), "Who tagged", required=True, personal="profile id"),
        Column("title_id", StringType(), "What was tagged", required=True),
        Column("tag", StringType(), "The words, as typed", required=True, personal="free text"),
        Column("tagged_at", TimestampType(), "When", required=True),
        Column("tag_date", DateType(), "Day of tagged_at", required=True),
    ),
    key=("event_id", "tag_date"),
    window="tag_date",
    partition=Partition.MONTH,
    checks=(
        satisfies(
            "tag_date_is_of_tagged_at",
            "tag_date = CAST(tagged_at AS DATE)",
            "tag_date",
            "tagged_at",
        ),
    ),
)
