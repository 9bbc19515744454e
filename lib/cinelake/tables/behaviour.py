"""Silver tables of what profiles think of titles, of the titles themselves, and of accounts and what belongs to them.

Ids of people and of what they did are pseudonyms (behaviour/identity.py); ids of titles are not. Ids are strings.
Times are UTC; the day column of each table is the day of its time.
"""

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
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
    one_of,
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
        Column(
            "kind", StringType(), "film, series or episode; null when the catalogue does not say"
        ),
        Column("series_id", StringType(), "Title id of the series that an episode belongs to"),
        Column("season", IntegerType(), "Number of an episode's season, from 1"),
        Column("episode", IntegerType(), "Number of an episode in its season, from 1"),
        Column("seasons", IntegerType(), "Seasons of a series"),
        Column("episodes", IntegerType(), "Episodes of a series, over all seasons"),
        Column("runtime_s", DoubleType(), "Length (s); of a series, of its usual episode"),
        Column("intro_start_s", DoubleType(), "Where the intro begins (s); null without an intro"),
        Column("intro_end_s", DoubleType(), "Where the intro ends (s); null without an intro"),
        Column("credits_start_s", DoubleType(), "Where the closing credits begin (s)"),
        Column("moods", ArrayType(StringType()), "Moods, in the catalogue's words"),
        Column("themes", ArrayType(StringType()), "Themes, in the catalogue's words"),
        Column("pace", StringType(), "slow, moderate or fast"),
        Column("language", StringType(), "Original language (ISO 639-1)"),
        Column("countries", ArrayType(StringType()), "Countries of production (ISO 3166-1)"),
        Column("directors", ArrayType(StringType()), "Names of the directors"),
        Column("cast", ArrayType(StringType()), "Names of the leading actors, in order of billing"),
        Column("maturity", IntegerType(), "Least age that it is meant for (years)"),
        Column("is_original", BooleanType(), "Whether the service made it; else it is licensed"),
        Column("release_date", DateType(), "Day of its first release on the service"),
        Column("synopsis", StringType(), "What it is about, in a sentence or two"),
        Column("cost", DoubleType(), "What it costs the service (US dollars a month)"),
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

EFFECTIVE_DATE_FITS = satisfies(
    "effective_date_is_of_effective_from",
    "effective_date = CAST(effective_from AS DATE)",
    "effective_date",
    "effective_from",
)

ACCOUNTS = Table(
    name="accounts",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one change of an account, which holds until its next row; read it through behaviour.as_of",
    columns=(
        Column("account_id", StringType(), "The account", required=True, personal="account id"),
        Column("effective_from", TimestampType(), "From when it looks so", required=True),
        Column("effective_date", DateType(), "Day of effective_from", required=True),
        Column("market", StringType(), "Country of the contract (ISO 3166-1)", required=True),
        Column("time_zone", StringType(), "Time zone of the contract (IANA), as Europe/Berlin"),
        Column("plan", StringType(), "Plan, in the service's words", required=True),
        Column("screens_allowed", IntegerType(), "Streams the plan allows at once", required=True),
        Column("channel", StringType(), "How the account was won, as web, tv_store, partner"),
        Column("status", StringType(), "active, past_due or cancelled", required=True),
        Column("cancel_reason", StringType(), "Why, in the words that were picked on leaving"),
        Column("signed_up_at", TimestampType(), "When the account began", required=True),
        Column("payment_method", StringType(), "As card, wallet, partner_billing"),
        Column("payment_outcome", StringType(), "Of the newest payment: paid, failed, refunded"),
    ),
    key=("account_id", "effective_from"),
    window="effective_date",
    partition=Partition.MONTH,
    checks=(
        between("screens_allowed", 1, 100),
        one_of("status", "active", "past_due", "cancelled"),
        EFFECTIVE_DATE_FITS,
    ),
)

PROFILES = Table(
    name="profiles",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one change of a profile, which holds until its next row; read it through behaviour.as_of",
    columns=(
        Column("profile_id", StringType(), "The profile", required=True, personal="profile id"),
        Column("effective_from", TimestampType(), "From when it looks so", required=True),
        Column("effective_date", DateType(), "Day of effective_from", required=True),
        Column("account_id", StringType(), "Its account", required=True, personal="account id"),
        Column("kind", StringType(), "adult or kid", required=True),
        Column("maturity_limit", IntegerType(), "Age up to which titles are offered (years)"),
        Column("language", StringType(), "Language of the pages (ISO 639-1)"),
        Column("onboarding_picks", ArrayType(StringType()), "Titles picked when it was made"),
        Column("status", StringType(), "active or deleted", required=True),
    ),
    key=("profile_id", "effective_from"),
    window="effective_date",
    partition=Partition.MONTH,
    checks=(
        one_of("kind", "adult", "kid"),
        one_of("status", "active", "deleted"),
        EFFECTIVE_DATE_FITS,
    ),
)

DEVICES = Table(
    name="devices",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one change of a device of an account, which holds until its next row; read it through behaviour.as_of",
    columns=(
        Column("device_id", StringType(), "The device", required=True, personal="device id"),
        Column(
            "account_id",
            StringType(),
            "An account that uses it",
            required=True,
            personal="account id",
        ),
        Column("effective_from", TimestampType(), "From when it looks so", required=True),
        Column("effective_date", DateType(), "Day of effective_from", required=True),
        Column("kind", StringType(), "tv, console, phone, tablet or laptop", required=True),
        Column("model", StringType(), "Model, as the device names itself"),
        Column("os", StringType(), "Operating system"),
        Column("app_version", StringType(), "Version of the app"),
        Column("first_seen_at", TimestampType(), "When it was first seen with the account"),
    ),
    key=("device_id", "account_id", "effective_from"),
    window="effective_date",
    partition=Partition.MONTH,
    checks=(
        one_of("kind", "tv", "console", "phone", "tablet", "laptop"),
        EFFECTIVE_DATE_FITS,
    ),
)

AVAILABILITY = Table(
    name="availability",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one change of what was decided on showing a title in a market; read it through behaviour.as_of",
    columns=(
        Column("title_id", StringType(), "The title", required=True),
        Column("market", StringType(), "The market (ISO 3166-1)", required=True),
        Column("effective_from", TimestampType(), "From when it looks so", required=True),
        Column("effective_date", DateType(), "Day of effective_from", required=True),
        Column("available_from", TimestampType(), "First moment", required=True),
        Column("available_until", TimestampType(), "Moment from which it is gone; null: not known"),
    ),
    key=("title_id", "market", "effective_from"),
    window="effective_date",
    partition=Partition.MONTH,
    checks=(EFFECTIVE_DATE_FITS,),
)

LOG_INS = Table(
    name="log_ins",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one attempt to log in, successful or not, or one log-out",
    columns=(
        Column("event_id", StringType(), "The event", required=True, personal="event id"),
        Column("account_id", StringType(), "The account", required=True, personal="account id"),
        Column("profile_id", StringType(), "The profile, where known", personal="profile id"),
        Column("device_id", StringType(), "The device", required=True, personal="device id"),
        Column("attempted_at", TimestampType(), "When", required=True),
        Column("attempt_date", DateType(), "Day of attempted_at", required=True),
        Column("event", StringType(), "log_in or log_out", required=True),
        Column("outcome", StringType(), "What came of it, as success, locked", required=True),
        Column("method", StringType(), "As password, token, code, link"),
        Column("ip", StringType(), "Pseudonym of the address", personal="IP address"),
        Column("asn", IntegerType(), "Autonomous system of the address"),
        Column("isp", StringType(), "Who runs that system"),
        Column("connection", StringType(), "Kind of connection, as fibre, mobile, hosting, relay"),
        Column("country", StringType(), "Country of the address (ISO 3166-1)"),
        Column("region", StringType(), "Region of the address"),
        Column(
            "cell",
            StringType(),
            "Its cell of H3, resolution 3 (about 12,400 km²), as 831f1dfffffffff",
            personal="coarse place",
        ),
        Column("accuracy_km", DoubleType(), "Radius that the place was good to (km)"),
        Column("is_new_device", BooleanType(), "Whether the account never used the device before"),
    ),
    key=("event_id", "attempt_date"),
    window="attempt_date",
    partition=Partition.MONTH,
    checks=(
        one_of("event", "log_in", "log_out"),
        # Mode and resolution, base cell and three digits; the twelve finer digits are unused.
        matches("cell", "83[0-9a-f]{4}f{9}"),
        satisfies(
            "attempt_date_is_of_attempted_at",
            "attempt_date = CAST(attempted_at AS DATE)",
            "attempt_date",
            "attempted_at",
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
