"""Source `titles`: the catalogue says how a title looks from a moment on.

One record a change, holding the whole title, not only what changed; a record that repeats what is known is
welcome, so a catalogue may be delivered whole every day. Films, series and episodes are titles; an episode
names its series. Since version 2 a record may say more than name, year and genres.
"""

from pyspark.sql.types import ArrayType, BooleanType, DateType, DoubleType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, matches, one_of, satisfies

TITLES_SOURCE = Source(
    name="titles",
    description="A title as the catalogue describes it from `event_time` on",
    columns=(
        Column("title_id", StringType(), "Identifies the title", required=True),
        Column("name", StringType(), "The title's name, without the year", required=True),
        Column("release_year", IntegerType(), "Year of first release (Common Era)"),
        Column("genres", ArrayType(StringType()), "Genres, in the catalogue's words"),
        Column("imdb_id", StringType(), "Id at IMDb, such as tt0114709"),
        Column("tmdb_id", StringType(), "Id at The Movie Database, such as 862"),
        Column("kind", StringType(), "film, series or episode"),
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
    checks=(
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
        satisfies("name_is_not_blank", "trim(name) <> ''", "name"),
        # The oldest moving picture in any catalogue is of 1874.
        between("release_year", 1870, 2100),
        matches("imdb_id", "tt[0-9]{7,}"),
        matches("tmdb_id", "[0-9]+"),
        one_of("kind", "film", "series", "episode"),
        between("season", 1),
        between("episode", 1),
        # The longest film that was ever shown runs for 35 days.
        between("runtime_s", 0, 3_100_000),
        one_of("pace", "slow", "moderate", "fast"),
        between("maturity", 0, 21),
    ),
    schema_version=2,
)
