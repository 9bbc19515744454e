"""Source `ratings`: a profile rates a title, on a scale of half stars from 0.5 to 5.

One record an act of rating; a profile that changes its mind sends another. Deliverers whose scale is
narrower (whole stars from 1) hold their own lines to it before they deliver them.
"""

from pyspark.sql.types import DoubleType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, satisfies

RATINGS_SOURCE = Source(
    name="ratings",
    description="A profile rates a title",
    columns=(
        Column("profile_id", StringType(), "Who rated", required=True, personal="profile id"),
        Column("title_id", StringType(), "What was rated", required=True),
        Column("rating", DoubleType(), "Stars given, 0.5 to 5", required=True),
    ),
    checks=(
        between("rating", 0.5, 5),
        satisfies("profile_id_is_not_blank", "trim(profile_id) <> ''", "profile_id"),
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
    ),
)
