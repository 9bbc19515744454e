"""Bronze: records as received, one table a source.

Grain: one row a landed record that could be read. A record stands as often as it was received; duplicates
are found on the way to silver. The whole record is kept as VARIANT, so no unknown field is lost.
"""

from pyspark.sql.types import (
    DateType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    VariantType,
)

from cinelake.sources.accounts import ACCOUNTS_SOURCE
from cinelake.sources.availability import AVAILABILITY_SOURCE
from cinelake.sources.devices import DEVICES_SOURCE
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.impressions import IMPRESSIONS_SOURCE
from cinelake.sources.interactions import INTERACTIONS_SOURCE
from cinelake.sources.log_ins import LOG_INS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.sources.profiles import PROFILES_SOURCE
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.searches import SEARCHES_SOURCE
from cinelake.sources.source import Source
from cinelake.sources.tags import TAGS_SOURCE
from cinelake.sources.titles import TITLES_SOURCE
from cinelake.tables.contract import Column, Layer, Partition, Table, between, satisfies

# As long as late records and corrections of a job are to be expected; then people's records are gone.
PERSONAL_DAYS = 30


def bronze_table(source: Source, partition: Partition = Partition.MONTH) -> Table:
    """The bronze table of a source; records that hold personal things are kept for a month only."""
    personal = ", ".join(source.personal) or None
    return Table(
        name=source.bronze,
        area="ingest",
        layer=Layer.BRONZE,
        grain=f"one record received from the source {source.name}: {source.description}",
        columns=(
            # Deliverers are free to build it from ids of people.
            Column(
                "event_id",
                StringType(),
                "The event's id, as delivered",
                required=True,
                personal="event id" if personal else None,
            ),
            Column(
                "schema_version", IntegerType(), "Version of the source's schema", required=True
            ),
            Column(
                "event_time",
                TimestampType(),
                "When it happened; by the client's clock, but never after received_at",
                required=True,
            ),
            Column("event_date", DateType(), "Day of event_time (UTC)", required=True),
            Column(
                "received_at",
                TimestampType(),
                "When the collector had it; counts, not when the file was picked up",
                required=True,
            ),
            Column(
                "clock_ahead_ms",
                LongType(),
                "How far the client's clock was ahead of the collector's (ms); null when it was not",
            ),
            Column("record", VariantType(), "The whole record", required=True, personal=personal),
        ),
        key=("event_id", "received_at", "event_date"),
        unique_key=False,
        window="event_date",
        partition=partition,
        retention_days=PERSONAL_DAYS if personal else None,
        checks=(
            satisfies(
                "event_time_not_after_receipt",
                "event_time <= received_at",
                "event_time",
                "received_at",
            ),
            between("clock_ahead_ms", 0),
            between("schema_version", 1, source.schema_version),
        ),
    )


# Ratings, tags and catalogue changes are sparse over decades: a folder a day would hold a handful of rows.
BRONZE_RATINGS = bronze_table(RATINGS_SOURCE)
BRONZE_TITLES = bronze_table(TITLES_SOURCE)
BRONZE_TAGS = bronze_table(TAGS_SOURCE)

# What players, pages and apps send comes every minute of every day.
BRONZE_PLAYBACK = bronze_table(PLAYBACK_SOURCE, Partition.DAY)
BRONZE_HEARTBEATS = bronze_table(HEARTBEATS_SOURCE, Partition.DAY)
BRONZE_IMPRESSIONS = bronze_table(IMPRESSIONS_SOURCE, Partition.DAY)
BRONZE_INTERACTIONS = bronze_table(INTERACTIONS_SOURCE, Partition.DAY)
BRONZE_SEARCHES = bronze_table(SEARCHES_SOURCE, Partition.DAY)
BRONZE_LOG_INS = bronze_table(LOG_INS_SOURCE, Partition.DAY)

# Records of the service itself: many on the day it opens its books, few on any other.
BRONZE_ACCOUNTS = bronze_table(ACCOUNTS_SOURCE)
BRONZE_PROFILES = bronze_table(PROFILES_SOURCE)
BRONZE_DEVICES = bronze_table(DEVICES_SOURCE)
BRONZE_AVAILABILITY = bronze_table(AVAILABILITY_SOURCE)
