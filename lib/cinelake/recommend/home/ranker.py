"""Learns from tiles what makes a title be chosen: the regression behind worth.py.

An *example* is a tile that came into view, and came true if play was pressed on it. What is known of title and
profile is as it was before the block of days that the example is of: the model behind *taste* is fitted anew to what
was told until then, so no example has had a part in its own features. Rows of what was begun are left out, for there
it is the story that is chosen.

A page shows what its makers thought good, so among its tiles what made them think so tells little any more (selection
bias). What a title is worth is therefore learned from what was chosen against *strangers*, titles of the whole
catalogue that are drawn at random and were not on the page. What circumstances do, and being shown in vain, is learned
from the tiles of pages against one another: strangers were never shown, because nobody thought them good.

Most circumstances come back every week, and weeks are enough to learn them. A month comes back in a year, and holidays
in months: on the first of October, weeks tell nothing of October. What seasons do is therefore learned from all tiles
of more than a year, summed by title, month and holiday, which keeps a year as small as weeks; and without what was
known of each profile, for what a title is worth at all times is left to its terms.

Position debiasing: a tile far down is looked at less, whatever it is. A chosen tile therefore counts as many times as
such a place is looked at less than the first (attention.py): inverse propensity, by which the odds found are those of
a tile that is looked at (Wang, Bendersky, Metzler and Najork 2016, "Learning to Rank with Selection Bias in Personal
Search"). Examples came into view, so their attention is that of slots in view alone: told by all slots it would count
once more that those far down seldom come into view. A page that is composed has tiles nobody may scroll to, and takes
its attention from all.

Judged on the last days, on which it was not trained: tiles of a page view are put in order by their odds, and the
nDCG of the chosen one is weighed by its propensity, too, so that a page is not praised for putting first what stood
first anyway (off-policy evaluation by self-normalised inverse propensities; Swaminathan and Joachims 2015). Rivals
are the same without circumstances, taste alone, and fame alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from scipy.optimize import brentq

from cinelake.labels import OneSided
from cinelake.recommend.home.attention import Attention, estimated
from cinelake.recommend.home.context import holidays_of
from cinelake.recommend.home.crowds import ROWS
from cinelake.recommend.home.logit import Logit, Penalty, fit
from cinelake.recommend.home.planning import Basis
from cinelake.recommend.home.worth import (
    AT,
    NUMBERS,
    OF_TITLES,
    circumstance_terms,
    crossed,
    of_season,
    season_terms,
    title_terms,
)

# Kinds of row whose tiles say nothing of titles that a viewer does not know yet.
LEFT_OUT = ("continue_watching", "watch_again", "my_list")
PAGE = ("profile_id", "shown_date", "page")
MODELS = ("ranker", "without_circumstances", "taste", "fame")
# Odds are rounded to this share of a unit when chances are levelled.
BINS_A_UNIT = 100
CIRCUMSTANCES = ("device_class", "daypart", "weekday", "month", "holiday")


class RankerRecipe(BaseModel):
    """What is learned from, and how strongly weights are drawn to nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(28, ge=2, le=365, description="days of tiles that are learned from")
    block_days: int = Field(
        7,
        ge=1,
        le=365,
        description="days of tiles for which the same is known of titles and profiles",
    )
    shown_days: int = Field(
        28, ge=1, le=365, description="days in which what was shown in vain is remembered"
    )
    season_days: int = Field(
        400, ge=2, le=3660, description="days of tiles that tell what seasons do"
    )
    strangers: int = Field(
        20,
        ge=0,
        le=1000,
        description="titles drawn from the whole catalogue that each page view is set against",
    )
    penalty: float = Field(300.0, gt=0, description="of large weights (tiles)")
    tiles_of_a_term: int = Field(
        50,
        ge=1,
        description="tiles of which a title's term meets a circumstance, for both to count",
    )


def blocks(start: date, end: date, days: int) -> list[tuple[date, date]]:
    """`[start, end)` in blocks of so many days, the last of as many as are left."""
    count = max(1, -(-(end - start).days // days))
    cuts = [start + timedelta(days=days * n) for n in range(count)]
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def in_view(tiles: DataFrame) -> DataFrame:
    """The tiles of rows that speak of titles, which were seen."""
    told = F.coalesce("row_kind", F.lit("")).isin(*LEFT_OUT)
    return tiles.where((F.col("was_seen") | F.col("is_chosen")) & ~told)


def looked_at_in_view(tiles: DataFrame) -> Attention:
    """How examples of rows of `shown_tiles` are looked at by their places."""
    return estimated(in_view(tiles))


def with_strangers(tiles: DataFrame, given: Basis, count: int) -> DataFrame:
    """The tiles, and `count` titles drawn at random beside those of each page view, with `is_stranger`.

    A draw follows from the profile, the day and the page.
    """
    ids = tiles.sparkSession.createDataFrame(
        pa.table({"_place": np.arange(len(given.ids)), "title_id": given.ids})
    )
    own = tiles.select("*", F.lit(False).alias("is_stranger"))
    if not count or not len(given.ids):
        return own
    view = (*PAGE, "device_class", "daypart", "page_day")
    drawn = (
        tiles.groupBy(*view)
        .agg(F.collect_set("title_id").alias("_shown"))
        .select("*", F.explode(F.sequence(F.lit(1), F.lit(count))).alias("_nth"))
        .select("*", F.pmod(F.xxhash64(*PAGE, "_nth"), F.lit(len(given.ids))).alias("_place"))
        .join(F.broadcast(ids), on="_place", how="inner")
        .where(~F.array_contains("_shown", F.col("title_id")))
        .select(*view, "title_id")
        .distinct()
    )
    return own.unionByName(
        drawn.select(
            "*", F.lit(0).alias("row"), F.lit(0).alias("rank"), F.lit(False).alias("is_chosen"),
            F.lit(True).alias("is_stranger"),
        ),
        allowMissingColumns=True,
    )  # fmt: skip


def examples(
    tiles: DataFrame,
    exposures: DataFrame,
    profiles: DataFrame,
    given: Basis,
    catalogue: DataFrame,
    recipe: RankerRecipe,
) -> DataFrame:
    """`PAGE, row, rank, title_id, CIRCUMSTANCES, is_stranger, is_chosen, NUMBERS, terms array<string>`, by themselves
    and at circumstances.

    `tiles` are those of `with_strangers`; `profiles` are as pages read them (planning.py), before the first of them;
    `catalogue` holds `title_id` and what `title_terms` reads.
    """
    numbers = scored(tiles, profiles, given)
    shown = _in_vain(tiles, exposures, recipe.shown_days)
    off = _holidays(tiles, [name for name in given.features if name])
    told = (
        tiles.join(numbers, on=["profile_id", "title_id"], how="inner")
        .join(shown, on=["profile_id", "title_id", "shown_date"], how="left")
        .join(F.broadcast(off), on=["market", "page_day"], how="left")
        .join(F.broadcast(catalogue.select("title_id", title_terms())), on="title_id", how="left")
    )
    then = circumstance_terms(
        F.col("device_class"), F.col("daypart"), F.col("page_day"), F.col("is_holiday").isNotNull()
    )
    own = F.coalesce("terms", F.array().cast("array<string>"))
    return told.select(
        *PAGE,
        "row",
        "rank",
        "title_id",
        "device_class",
        "daypart",
        (F.weekday("page_day") + 1).cast("string").alias("weekday"),
        F.month("page_day").cast("string").alias("month"),
        F.when(F.col("is_holiday").isNotNull(), "yes").otherwise("no").alias("holiday"),
        "is_stranger",
        "is_chosen",
        "taste",
        *OF_TITLES,
        F.log1p(F.coalesce("times", F.lit(0))).alias("shown"),
        F.concat(own, crossed(own, then)).alias("terms"),
    )


def weighed(examples: DataFrame, attention: Attention) -> DataFrame:
    """The examples with `weight`: a chosen tile counts as many times as its place is looked at less than the first."""
    weight = F.when(F.col("is_chosen"), 1 / attention.propensity()).otherwise(1.0)
    return examples.withColumn("weight", weight)


def scored(tiles: DataFrame, profiles: DataFrame, given: Basis) -> DataFrame:
    """`profile_id, title_id, market, taste, OF_TITLES` of profiles and titles of the tiles, where on offer."""
    pairs = (
        tiles.groupBy("profile_id")
        .agg(F.sort_array(F.collect_set("title_id")).alias("_titles"))
        .join(profiles, on="profile_id", how="inner")
    )
    shared = tiles.sparkSession.sparkContext.broadcast(given)
    columns = given.tastes.columns if given.tastes else ()
    if "market" not in pairs.columns:
        pairs = pairs.withColumn("market", F.lit(None).cast("string"))
    needed = dict.fromkeys(("profile_id", "market", "_titles", *columns))
    numbers = ", ".join(f"{name} double" for name in ("taste", *OF_TITLES))

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS):
                yield _scored(batch.slice(start, ROWS), shared.value)

    # Python, for the product of factors.
    return pairs.select(*needed).mapInArrow(
        score, f"profile_id string, title_id string, market string, {numbers}"
    )


def _scored(batch: pa.RecordBatch, given: Basis) -> pa.RecordBatch:
    lists = batch.column("_titles")
    row = np.repeat(np.arange(batch.num_rows), lists.value_lengths().to_numpy())
    titles = lists.flatten()
    place = pa.compute.index_in(titles, value_set=given.ids)
    known = place.is_valid().to_numpy(zero_copy_only=False)
    row, titles = row[known], titles.filter(pa.array(known))
    at = place.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
    taste = np.zeros((batch.num_rows, len(given.ids)), np.float32)
    if given.tastes is not None:
        profiles, found = given.tastes.of(batch)
        taste[np.ix_(profiles, given.tastes.positions)] = found
    markets = batch.column("market").to_pylist()
    # Without any market nothing is on offer, and the numbers are of no row that stays.
    fallback = next(iter(given.features.values()), np.zeros((len(given.ids), len(OF_TITLES))))
    numbers = np.zeros((len(row), len(OF_TITLES)))
    is_there = np.ones(len(row), bool)
    for market in set(markets):
        own = np.array([one == market for one in markets], bool)[row]
        numbers[own] = given.features.get(market or "", fallback)[at[own]]
        if given.titles.on_offer is not None:
            nowhere = np.zeros(len(given.ids), bool)
            is_there[own] = given.titles.on_offer.get(market or "", nowhere)[at[own]]
    whole = pa.RecordBatch.from_arrays(
        [
            batch.column("profile_id").take(pa.array(row)),
            titles,
            batch.column("market").take(pa.array(row)),
            pa.array(taste[row, at].astype(np.float64)),
            *(pa.array(numbers[:, n]) for n in range(len(OF_TITLES))),
        ],
        names=["profile_id", "title_id", "market", "taste", *OF_TITLES],
    )
    return whole.filter(pa.array(is_there))


def _in_vain(tiles: DataFrame, exposures: DataFrame, days: int) -> DataFrame:
    """`profile_id, title_id, shown_date, times`: pages on which a title came into view and was not chosen, in the days
    before the one on which it is shown again.
    """
    again = tiles.select("profile_id", "title_id", "shown_date").distinct()
    before = exposures.select(
        "profile_id",
        "title_id",
        F.col("shown_date").alias("_day"),
        (F.col("pages") - F.col("chosen")).alias("_times"),
    )
    age = F.date_diff("shown_date", "_day")
    return (
        again.join(before, on=["profile_id", "title_id"], how="inner")
        .where(age.between(1, days))
        .groupBy("profile_id", "title_id", "shown_date")
        .agg(F.sum("_times").alias("times"))
    )


def _holidays(tiles: DataFrame, markets: Sequence[str]) -> DataFrame:
    """`market, page_day, is_holiday` of the holidays in the days of the tiles."""
    span = tiles.agg(F.min("page_day"), F.max("page_day")).first()
    found: list[tuple[str, date, bool]] = []
    if span is not None and span[0] is not None:
        off = holidays_of(markets, span[0], span[1])
        found = [(market, day, True) for market, days in off.items() for day in sorted(days)]
    return tiles.sparkSession.createDataFrame(
        found, "market string, page_day date, is_holiday boolean"
    )


def seasons(
    tiles: DataFrame, people: DataFrame, catalogue: DataFrame, attention: Attention
) -> DataFrame:
    """`is_chosen, weight, tiles, terms`: tiles in view, summed by what seasons could have to do with them.

    `people` are `profile_id, market`, `catalogue` as of `examples`.
    """
    markets = [row["market"] for row in people.select("market").distinct().toArrow().to_pylist()]
    off = _holidays(tiles, [market for market in markets if market])
    weight = F.when(F.col("is_chosen"), 1 / attention.propensity()).otherwise(1.0)
    summed = (
        in_view(tiles)
        .join(people.select("profile_id", "market"), on="profile_id", how="left")
        .join(F.broadcast(off), on=["market", "page_day"], how="left")
        .groupBy(
            "title_id",
            F.trunc("page_day", "month").alias("month"),
            F.col("is_holiday").isNotNull().alias("is_holiday"),
            "is_chosen",
        )
        .agg(F.sum(weight).alias("weight"), F.count("*").alias("tiles"))
    )
    own = catalogue.select("title_id", title_terms())
    then = season_terms(F.col("month"), F.col("is_holiday"))
    return summed.join(own, on="title_id", how="inner").select(
        "is_chosen",
        "weight",
        "tiles",
        F.concat("terms", crossed(F.col("terms"), then)).alias("terms"),
    )


def learned(examples: DataFrame, recipe: RankerRecipe, seasons: DataFrame | None = None) -> Logit:
    """What titles are worth, against strangers; what circumstances and being shown in vain do, against the other tiles
    of a page; and an intercept with which chances add up to what was chosen of tiles. `seasons` tell what those do;
    without them circumstances are left out.

    Terms have weights of their own beside those of their circumstances, which then tell only how much more, or less,
    titles of a term are chosen there than elsewhere. The former are put away: what a page shows much of is chosen less
    of it, tile by tile, and that says nothing of other titles. They are nearly free, so that none of it is left over
    for circumstances.

    Raises OneSided where nothing, or everything, was chosen.
    """
    everywhere = [name for name in NUMBERS if name != "shown"]
    against_all = examples.where(F.col("is_stranger") | F.col("is_chosen"))
    on_pages = examples.where(~F.col("is_stranger"))
    penalty = Penalty(recipe.penalty, recipe.tiles_of_a_term, spares=lambda term: AT not in term)
    crosses: dict[str, float] = {}
    if seasons is None:
        within = fit(on_pages, NUMBERS, "is_chosen", penalty, weight="weight")
    else:
        of_weeks = F.filter("terms", lambda term: ~of_season(term))
        told = on_pages.withColumn("terms", of_weeks)
        within = fit(told, NUMBERS, "is_chosen", penalty, terms="terms", weight="weight")
        yearly = fit(
            seasons, (), "is_chosen", penalty, terms="terms", weight="weight", rows="tiles"
        )
        both = {**within.weights, **yearly.weights}
        crosses = {name: weight for name, weight in both.items() if AT in name}
    try:
        worth = fit(against_all, everywhere, "is_chosen", Penalty(1.0)).weights
    except OneSided:
        # Without strangers pages are all there is to learn from.
        worth = within.weights
    weights = {name: worth[name] for name in everywhere} | {"shown": within.weights["shown"]}
    weights |= crosses
    return Logit(_level(on_pages, Logit(0.0, weights)), weights)


def _level(tiles: DataFrame, logit: Logit) -> float:
    """The intercept with which the chances of the tiles, which came into view, add up to those that were chosen.

    Tiles are not weighed here: a page sets these chances against others that are of visits, that a profile goes on with
    what it has begun, and those of tiles as if all stood first would put that too far down.
    """
    place = F.floor(_odds(logit) * BINS_A_UNIT)
    binned = (
        tiles.groupBy(place.alias("place"))
        .agg(F.count("*").alias("tiles"), F.count_if("is_chosen").alias("chosen"))
        .toArrow()
    )
    odds = (binned.column("place").to_numpy() + 0.5) / BINS_A_UNIT
    count, chosen = (binned.column(name).to_numpy() for name in ("tiles", "chosen"))

    def surplus(level: float) -> float:
        return float((count / (1 + np.exp(-(odds + level)))).sum() - chosen.sum())

    return float(brentq(surplus, -50.0, 50.0))


def _odds(logit: Logit) -> Column:
    """Of an example, with what its terms add."""
    crossed = [(name, weight) for name, weight in logit.weights.items() if name not in NUMBERS]
    if not crossed:
        return logit.odds(*NUMBERS)
    weights = F.create_map(*(F.lit(part) for pair in crossed for part in pair))
    return logit.odds(*NUMBERS) + F.aggregate(
        "terms",
        F.lit(0.0),
        lambda total, term: total + F.coalesce(F.try_element_at(weights, term), F.lit(0.0)),
    )


def judged(examples: DataFrame, ranker: Logit, plain: Logit) -> DataFrame:
    """`fold, profile_id, model, CIRCUMSTANCES, ndcg, weight`: one row a model and page view on which a tile was
    chosen; `weight` is the inverse of its propensity. Strangers stand on no page.
    """
    examples = examples.where(~F.col("is_stranger"))
    odds = {
        "ranker": _odds(ranker),
        "without_circumstances": _odds(plain),
        "taste": F.col("taste"),
        "fame": F.col("fame"),
    }
    told = examples.select("*", *(value.alias(f"_{name}") for name, value in odds.items()))
    found: list[DataFrame] = []
    for name in MODELS:
        # Of equals the one further down, so that nothing is gained by finding all alike.
        order = Window.partitionBy(*PAGE).orderBy(F.desc(f"_{name}"), F.desc("row"), F.desc("rank"))
        found.append(
            told.select(
                *PAGE,
                *CIRCUMSTANCES,
                "is_chosen",
                "weight",
                F.row_number().over(order).alias("_place"),
            )
            .where("is_chosen")
            .select(
                F.lit(0).alias("fold"),
                "profile_id",
                F.lit(name).alias("model"),
                *CIRCUMSTANCES,
                (1 / F.log2(F.col("_place") + 1)).alias("ndcg"),
                "weight",
            )
        )
    whole = found[0]
    for frame in found[1:]:
        whole = whole.unionByName(frame)
    return whole


def by_profile(judged: DataFrame, by: Sequence[str] = ()) -> DataFrame:
    """`fold, profile_id, model, <by…>, ndcg`: weighed means of the page views of each profile."""
    mean = F.sum(F.col("ndcg") * F.col("weight")) / F.sum("weight")
    return judged.groupBy("fold", "profile_id", "model", *by).agg(mean.alias("ndcg"))
