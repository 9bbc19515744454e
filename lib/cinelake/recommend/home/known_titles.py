"""What pages are composed from of titles, brought to the driver: the catalogue's words, and how titles fare where.

- *popularity*: the share of starts in the market, smoothed by that of the whole service (popular_here.py).
- *trend*: the logarithm of the starts of the last days against what the same days of the week brought before, in the
  market; days count half as much as those after them, and so many starts are added on both sides that a title of few
  starts does not jump. Positive where it rises. And the same of each part of the day, against the same part of those
  days; what is added there is of the whole day's trend, so that a part in which little was started follows the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.titles import words
from cinelake.recommend.home.context import DAYPARTS
from cinelake.recommend.popular_here import CircledScoring
from cinelake.recommend.rows.kind import Titles
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.service import Service

LATELY_DAYS, HALF_LIFE_DAYS, WEEKS, FLOOR = 4, 1.0, 4, 5.0


def known_titles(
    ids: Sequence[str], service: Service, popular: CircledScoring, trends: DataFrame
) -> Titles:
    """Of the titles of these ids, in their order, as `popular` scores them; `trends` as of `trends_of`."""
    of_ids = pa.array(ids, pa.string())
    several = (words(F.col(name)).alias(name) for name in ("genres", "moods", "themes"))
    said = _in_order(service.said.select("title_id", *several, "pace", "release_date"), of_ids)
    until = np.datetime64(service.until)
    released = np.array(said["release_date"], "datetime64[D]")
    age = np.where(np.isnat(released), np.nan, (until - released).astype(float))
    rows = trends.toArrow()
    place = pa.compute.index_in(rows.column("title_id"), value_set=of_ids).to_numpy(
        zero_copy_only=False
    )
    markets = np.array(rows.column("market").to_pylist(), object)
    parts = np.array(rows.column("daypart").to_pylist(), object)
    values = rows.column("trend").to_numpy()
    on_offer = _on_offer(service, of_ids)
    names = [""] if on_offer is None else sorted(on_offer)
    trend, trend_at = {}, {}
    for market in names:
        here = (markets == market) & ~np.isnan(place)
        own = here & (parts == None)  # noqa: E711
        trend[market] = np.zeros(len(ids))
        trend[market][place[own].astype(int)] = values[own]
        for daypart in DAYPARTS:
            own = here & (parts == daypart)
            trend_at[market, daypart] = trend[market].copy()
            trend_at[market, daypart][place[own].astype(int)] = values[own]
    return Titles(
        genres=_several(said["genres"]),
        moods=_several(said["moods"]),
        themes=_several(said["themes"]),
        paces=tuple(said["pace"]),
        age_days=age,
        popularity={market: popular.of_circle((market,) if market else ()) for market in names},
        trend=trend,
        trend_at=trend_at,
        on_offer=on_offer,
    )


def trends_of(title_audiences: DataFrame, until: date) -> DataFrame:
    """`market, title_id, daypart, trend double` of titles with a start in the last days or their weekdays before; of
    the whole day where `daypart` is null, else of that part of it.
    """
    age = F.date_diff(F.lit(until), "play_date")
    lately = age.between(1, LATELY_DAYS)
    before = (age > LATELY_DAYS) & (age <= 7 * WEEKS + LATELY_DAYS)
    same_weekday = before & (F.pmod(age - 1, F.lit(7)) < LATELY_DAYS)
    starts = F.col("starts") * F.pow(F.lit(0.5), F.pmod(age - 1, F.lit(7)) / HALF_LIFE_DAYS)
    market = F.col("country").alias("market")
    counted = (
        title_audiences.where(lately | same_weekday)
        .groupBy(market, "title_id", "daypart")
        .agg(
            F.coalesce(F.sum(F.when(lately, starts)), F.lit(0.0)).alias("now"),
            F.coalesce(F.sum(F.when(same_weekday, starts)), F.lit(0.0)).alias("then"),
        )
    )
    # Of a service that is younger than the weeks looked at, those that there are.
    weeks = title_audiences.where(same_weekday).agg(
        F.count_distinct(F.floor((age - 1) / 7)).alias("weeks")
    )
    of_title = Window.partitionBy("market", "title_id")
    told = (
        counted.crossJoin(F.broadcast(weeks))
        # Nothing is known of a service in its first week.
        .where(F.col("weeks") > 0)
        .select(
            "market", "title_id", "daypart", "now", (F.col("then") / F.col("weeks")).alias("then")
        )
        .select("*", *(F.sum(name).over(of_title).alias(f"all_{name}") for name in ("now", "then")))
    )
    day = (F.col("all_now") + FLOOR) / (F.col("all_then") + FLOOR)
    part = (F.col("now") + FLOOR * day) / (F.col("then") + FLOOR)
    parts = told.where(F.col("daypart").isin(*DAYPARTS)).select(
        "market", "title_id", "daypart", F.log(part).alias("trend")
    )
    whole = told.groupBy("market", "title_id").agg(F.first(F.log(day)).alias("trend"))
    return parts.unionByName(whole.withColumn("daypart", F.lit(None).cast("string")))


def _on_offer(service: Service, of_ids: pa.Array) -> dict[str, Matrix] | None:
    if not service.rules.market:
        return None
    shown = service.shown.select("title_id", F.explode("markets").alias("market")).toArrow()
    place = pa.compute.index_in(shown.column("title_id"), value_set=of_ids).to_numpy(
        zero_copy_only=False
    )
    markets = np.array(shown.column("market").to_pylist(), object)
    found = {}
    for market in sorted(set(markets.tolist())):
        own = place[(markets == market) & ~np.isnan(place)].astype(int)
        found[market] = np.zeros(len(of_ids), bool)
        found[market][own] = True
    return found


def _in_order(told: DataFrame, of_ids: pa.Array) -> dict[str, list[Any]]:
    """The columns of `told`, for each of the ids; None where nothing is told of one."""
    rows = told.toArrow()
    place = pa.compute.index_in(of_ids, value_set=rows.column("title_id").combine_chunks())
    return {name: rows.column(name).take(place).to_pylist() for name in rows.column_names}


def _several(values: list[Any]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(each or ()) for each in values)
