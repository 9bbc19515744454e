"""What became of the tiles of home pages.

Grain: one row a tile, page view and day. A tile is *chosen* when its profile pressed play on it; whether a picture
followed is not the page's doing. A slot that was drawn again counts as it was first.

Caveat: a page that stays open over midnight (UTC) is a page view of each day.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.records import within
from cinelake.behaviour.surroundings import with_surroundings
from cinelake.behaviour.tastes import daypart
from cinelake.behaviour.viewing import was_pressed
from cinelake.recommend.home.context import device_class, page_day

# Days after a tile in which play is pressed on it: a page may stand open over midnight.
AFTER = 1
_SLOT = ("profile_id", "page_id", "row", "rank")
_TOLD = ("title_id", "row_kind", "is_exploration", "was_seen", "account_id", "device_id")


def shown_tiles(
    interactions: DataFrame,
    plays: DataFrame,
    accounts: DataFrame,
    devices: DataFrame,
    start: date,
    end: date,
) -> DataFrame:
    """The tiles shown in `[start, end)`: `profile_id, shown_date, page, row, rank, …`.

    Silver tables; plays are read to `AFTER` days after.
    """
    shown = within(interactions, "action_date", start, end).where(
        (F.col("action") == "impression") & F.col("row").isNotNull() & F.col("rank").isNotNull()
    )
    first = F.min_by(F.struct(*_TOLD), F.struct("acted_at", "event_id")).alias("_told")
    slots = shown.groupBy(*_SLOT, F.col("action_date").alias("shown_date")).agg(
        first, F.min("acted_at").alias("_at")
    )
    of_page = Window.partitionBy("profile_id", "shown_date", "page_id")
    begun = slots.select(
        *_SLOT, "shown_date", "_told.*", F.min("_at").over(of_page).alias("started_at")
    )
    of_day = Window.partitionBy("profile_id", "shown_date").orderBy("started_at", "page_id")
    paged = begun.select("*", F.dense_rank().over(of_day).alias("page"))
    placed = with_surroundings(paged, accounts, devices, "shown_date")
    pressed = (
        plays.where(was_pressed() & F.col("page_id").isNotNull())
        .select(
            "profile_id",
            "page_id",
            F.col("entry_row").alias("row"),
            F.col("entry_rank").alias("rank"),
            "title_id",
            F.lit(True).alias("_is_chosen"),
        )
        .distinct()
    )
    return placed.join(pressed, on=[*_SLOT, "title_id"], how="left").select(
        "profile_id",
        "shown_date",
        "page",
        "row",
        "rank",
        "title_id",
        "row_kind",
        F.col("started_at").alias("shown_at"),
        device_class("device_kind"),
        daypart("local_hour"),
        page_day("local_date", "local_hour"),
        _is("is_exploration", otherwise=False),
        _is("was_seen", otherwise=True),
        F.col("_is_chosen").isNotNull().alias("is_chosen"),
    )


def title_exposures(tiles: DataFrame) -> DataFrame:
    """How often each profile saw a tile of a title on each day: `profile_id, title_id, shown_date, pages, chosen`."""
    # What was chosen was seen, whatever the app says.
    in_view = tiles.where(F.col("was_seen") | F.col("is_chosen"))
    chosen = F.when(F.col("is_chosen"), F.col("page"))
    return in_view.groupBy("profile_id", "title_id", "shown_date").agg(
        F.count_distinct("page").alias("pages"), F.count_distinct(chosen).alias("chosen")
    )


def in_vain(exposures: DataFrame) -> DataFrame:
    """`profile_id, title_id, pages`: page views on which a title came into view and was not chosen."""
    summed = exposures.groupBy("profile_id", "title_id").agg(
        F.sum(F.col("pages") - F.col("chosen")).alias("pages")
    )
    return summed.where(F.col("pages") > 0)


def _is(name: str, *, otherwise: bool) -> Column:
    return F.coalesce(name, F.lit(otherwise)).alias(name)
