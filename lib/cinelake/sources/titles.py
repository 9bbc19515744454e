"""Source `titles`: the catalogue says how a title looks from a moment on.

One record a change, holding the whole title, not only what changed; a record that repeats what is known is
welcome, so a catalogue may be delivered whole every day.
"""

from pyspark.sql.types import ArrayType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, matches, satisfies

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
    ),
    checks=(
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
        satisfies("name_is_not_blank", "trim(name) <> ''", "name"),
        # The oldest moving picture in any catalogue is of 1874.
        between("release_year", 1870, 2100),
        matches("imdb_id", "tt[0-9]{7,}"),
        matches("tmdb_id", "[0-9]+"),
    ),
)
