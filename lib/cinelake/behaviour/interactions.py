"""Interactions: tiles as they were shown, and what viewers did with titles, beside the tile that they did it on.

Grain: one row a tile and page view (an `impression`), or one act; duplicates are set apart.

The tile of an act is that of the same title on the same page view of the same profile, shown on the act's day or
the day before: at the place that the act names, or, if it names none, in the topmost place. An act without such a
tile, as a thumb after a play, keeps what it says itself.

Method. Impressions are one of the two largest sources, so what is found for acts costs them one narrow shuffle:
acts are joined to the tiles on their page, and only what that yields is put in order. To tell duplicates all are
sorted by id; to set those apart first whose id stands more than once takes two to three times as long (1 M rows).

Caveat: tile and act are dated each by its own receipt where a clock is ahead; a tile that is received on the day after
its act is then not found.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.clocks import by_client, seconds_between
from cinelake.behaviour.identity import IdKind, known_as
from cinelake.behaviour.records import LOOKBACK, is_duplicate, reasons, within
from cinelake.sources.bronze import payload
from cinelake.sources.impressions import IMPRESSIONS_SOURCE
from cinelake.sources.interactions import INTERACTIONS_SOURCE
from cinelake.sources.source import Source
from cinelake.tables.viewing import SECONDS

# Days of both sources to read before a window: for duplicates, and for page views that go on after midnight.
BEFORE = max(LOOKBACK, 1)

_TILE = ("row", "rank", "shown_at", "shown", "row_kind", "artwork", "is_exploration", "seen")


def interactions(
    impressions: DataFrame, acts: DataFrame, keys: DataFrame, start: date, end: date
) -> DataFrame:
    """The impressions and acts of `[start, end)` with `_reasons`; bronze is read from `BEFORE` days before."""
    shown = within(_marked(impressions, IMPRESSIONS_SOURCE), "event_date", start, end).select(
        "*",
        F.lit("impression").alias("action"),
        F.col("event_time").alias("shown_at"),
    )
    done = within(_marked(acts, INTERACTIONS_SOURCE), "event_date", start, end)
    rows = shown.unionByName(_on_tiles(done, impressions), allowMissingColumns=True)
    return rows.select(
        known_as(IdKind.EVENT, "event_id", keys),
        F.col("event_date").alias("action_date"),
        known_as(IdKind.ACCOUNT, "account_id", keys),
        known_as(IdKind.PROFILE, "profile_id", keys),
        known_as(IdKind.DEVICE, "device_id", keys),
        "action",
        "title_id",
        known_as(IdKind.PAGE, "page_id", keys),
        "row",
        "rank",
        "row_kind",
        "artwork",
        "is_exploration",
        F.col("seen").alias("was_seen"),
        F.col("event_time").alias("acted_at"),
        "shown_at",
        "seconds_to_action",
        F.col("seconds").cast(SECONDS).alias("seconds_lasted"),
        reasons(duplicate=F.col("_is_duplicate")).alias("_reasons"),
    )


def _marked(bronze: DataFrame, source: Source) -> DataFrame:
    """Typed records with `_is_duplicate`."""
    return payload(bronze, source).select("*", is_duplicate(source.names).alias("_is_duplicate"))


def _on_tiles(acts: DataFrame, impressions: DataFrame) -> DataFrame:
    """Acts beside their tiles."""
    typed = payload(
        impressions, IMPRESSIONS_SOURCE, "page_id", "profile_id", "title_id", "row", "row_kind", "rank",
        "artwork", "is_exploration", "seen",
    )  # fmt: skip
    tiles = typed.select(
        *(F.col(name).alias(f"_of_{name}") for name in ("page_id", "profile_id", "title_id")),
        F.col("event_date").alias("_of_date"),
        F.struct(
            "row",
            "rank",
            F.col("event_time").alias("shown_at"),
            by_client().alias("shown"),
            *_TILE[4:],
        ).alias("_tile"),
    )
    is_same = [
        F.col(name) == F.col(f"_of_{name}") for name in ("page_id", "profile_id", "title_id")
    ]
    is_there = [
        F.coalesce(F.col(name), F.col(f"_tile.{name}")) == F.col(f"_tile.{name}")
        for name in ("row", "rank")
    ]
    # A page view goes on after midnight. What is told of no other day tells every window the same.
    is_recent = F.date_diff("event_date", "_of_date").between(0, BEFORE)
    joined = acts.join(tiles, [*is_same, *is_there, is_recent, ~F.col("_is_duplicate")], how="left")
    # Copies of a tile come after it.
    topmost = Window.partitionBy("event_id", "event_date", "_is_duplicate").orderBy(
        *(F.asc_nulls_last(f"_tile.{name}") for name in _TILE)
    )
    placed = joined.select("*", F.row_number().over(topmost).alias("_nth"))
    own = [name for name in acts.columns if name not in _TILE]
    return placed.where(F.col("_is_duplicate") | (F.col("_nth") == 1)).select(
        *own,
        *(F.coalesce(F.col(name), F.col(f"_tile.{name}")).alias(name) for name in ("row", "rank")),
        *(F.col(f"_tile.{name}").alias(name) for name in _TILE[2:] if name != "shown"),
        seconds_between(F.col("_tile.shown"), by_client()).alias("seconds_to_action"),
    )
