"""Source `availability`: from when until when a title may be shown in a market; one record a decision."""

from pyspark.sql.types import StringType, TimestampType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, matches, satisfies

AVAILABILITY_SOURCE = Source(
    name="availability",
    description="A title may be shown in a market for a time",
    columns=(
        Column("title_id", StringType(), "The title", required=True),
        Column("market", StringType(), "The market (ISO 3166-1)", required=True),
        Column("available_from", TimestampType(), "First moment", required=True),
        Column("available_until", TimestampType(), "Moment from which it is gone; null: not known"),
    ),
    checks=(
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
        matches("market", "[A-Z]{2}"),
        satisfies(
            "available_until_is_later",
            "available_until > available_from",
            "available_until",
            "available_from",
        ),
    ),
)
