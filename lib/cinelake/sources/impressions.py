"""Source `impressions`: a tile of a home page as it was shown; one record a tile and page view.

Tiles below the fold are delivered too, with `seen` false: a page tells what was offered, and what came into
view. Slots filled at random (`is_exploration`) are what propensities of positions are estimated from.
"""

from pyspark.sql.types import BooleanType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, satisfies

IMPRESSIONS_SOURCE = Source(
    name="impressions",
    description="A title is shown on a home page",
    columns=(
        Column("page_id", StringType(), "The page view that the tile was on", required=True),
        Column("account_id", StringType(), "To whom", required=True, personal="account id"),
        Column("profile_id", StringType(), "To whom", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device", personal="device id"),
        Column("title_id", StringType(), "The title shown", required=True),
        Column("row", IntegerType(), "Place of the row on the page, from 0", required=True),
        Column("row_kind", StringType(), "Kind of the row, as trending, genre, continue_watching"),
        Column("rank", IntegerType(), "Place in the row, from 0", required=True),
        Column("artwork", StringType(), "Variant of the picture"),
        Column("is_exploration", BooleanType(), "Whether the slot was filled at random"),
        Column("seen", BooleanType(), "Whether it came into view"),
    ),
    checks=(
        satisfies("page_id_is_not_blank", "trim(page_id) <> ''", "page_id"),
        satisfies("profile_id_is_not_blank", "trim(profile_id) <> ''", "profile_id"),
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
        between("row", 0, 1000),
        between("rank", 0, 1000),
    ),
)
