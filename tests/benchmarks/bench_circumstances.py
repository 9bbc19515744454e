"""Whether the ranker of home pages finds again what hour, weekday, season and device do to choices.

Nine weeks around October in which a simulated service shows pages that know nothing of circumstances, and its viewers
choose by weights that the simulator holds (simulate/viewers/context.py). Tiles that came into view are learned from as
the job does it (home/ranker.py), but for taste and fame, which a title has at all times, and with all nine weeks in one
fit, where the job has four. Compared is what pages then
add to titles (home/worth.py) in one of two circumstances, beside what the simulator adds there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.behaviour.tastes import daypart
from cinelake.persisted import persisted
from cinelake.recommend.home.attention import estimated
from cinelake.recommend.home.context import Circumstances, device_class, holidays_of, page_day
from cinelake.recommend.home.logit import Logit, Penalty, fit
from cinelake.recommend.home.ranker import RankerRecipe
from cinelake.recommend.home.worth import Worth, circumstance_terms, crossed, holds, title_terms
from cinelake.simulate.calendar import midnight
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, DEVICE_KINDS
from cinelake.simulate.viewers.choices import simulate
from cinelake.simulate.viewers.lanes import lanes
from cinelake.simulate.viewers.people import people
from cinelake.simulate.viewers.service_side import REACH, batch_of
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.devices import kinds
from cinelake.simulate.world.wording import GENRES

ACCOUNTS = int(os.environ.get("CINELAKE_BENCH_ACCOUNTS", "400"))
FIRST, END = date(2026, 9, 14), date(2026, 11, 16)


@dataclass(frozen=True)
class Effect:
    """Titles with these terms are chosen more in one of the circumstances than in the others; `true` is what the
    simulator adds to the logarithm of their odds, on average over such times.
    """

    what: str
    terms: tuple[str, ...]
    here: Circumstances
    others: tuple[Circumstances, ...]
    true: float


def evening(day: date, device: str = "tv") -> Circumstances:
    return Circumstances(device, "evening", day)


FRIDAY, SATURDAY = date(2026, 11, 6), date(2026, 10, 17)
EFFECTS = (
    Effect(
        "horror in October",
        ("genre Horror",),
        evening(SATURDAY),
        (evening(date(2026, 9, 19)), evening(date(2026, 11, 14))),
        1.3,
    ),
    Effect(
        "romantic comedy on Friday evening",
        ("genre Comedy", "genre Romance", "genres Comedy + Romance"),
        evening(FRIDAY),
        tuple(evening(FRIDAY - timedelta(days=n)) for n in range(1, 5)),
        1.3,
    ),
    Effect(
        "films on televisions, not telephones",
        ("kind film",),
        evening(FRIDAY),
        (evening(FRIDAY, "phone"),),
        1.1,
    ),
    Effect(
        "short ones on telephones", ("short",), evening(FRIDAY, "phone"), (evening(FRIDAY),), 1.0
    ),
    Effect(
        "children's in the afternoon",
        ("for children",),
        Circumstances("tv", "afternoon", SATURDAY),
        (evening(SATURDAY),),
        1.2,
    ),
)
# Of what the simulator adds, this much at least: weights are drawn to nothing, and what a title has at all times hides
# some of it.
LEAST = 0.25


def tiles(spark: SparkSession, settings: Settings) -> DataFrame:
    """The tiles that came into view, below what was begun: those of shown_tiles that the ranker reads, and `title`."""
    start, end = midnight(FIRST), midnight(END)
    batch = batch_of(settings, np.arange(ACCOUNTS))
    crowd = people(settings, batch, start - REACH - 60 * DAY, end)
    found = lanes(settings, batch, crowd, start - REACH, end)
    assert found is not None
    _, pages = simulate(settings, found, start)
    inside = (pages.shown_at >= start) & (pages.shown_at < end)
    seen = pages.seen & (pages.title >= 0) & inside[:, None, None]
    seen[:, 0] = False
    page, row, rank = np.nonzero(seen)
    lane, nth = pages.lane[page], pages.nth[page]
    local = found.local[lane, nth] + pages.shown_at[page] - found.starts_at[lane, nth]
    is_chosen = pages.plays & (pages.chosen_row > 0)
    frame = pd.DataFrame(
        {
            "row": row.astype(np.int32),
            "rank": rank.astype(np.int32),
            "title": pages.title[page, row, rank].astype(np.int32),
            "market": np.array(settings.world.markets)[found.market[lane]],
            "device_kind": np.array(DEVICE_KINDS)[kinds(settings, found.device[lane, nth])],
            "local_date": (local // DAY).astype("datetime64[D]").astype("datetime64[s]"),
            "local_hour": (local % DAY // (DAY // 24)).astype(np.int32),
            "is_exploration": pages.exploration[page, row, rank],
            "is_chosen": is_chosen[page]
            & (pages.chosen_row[page] == row)
            & (pages.chosen_rank[page] == rank),
        }
    )
    told = spark.createDataFrame(frame).withColumn("local_date", F.to_date("local_date"))
    return told.select(
        "row",
        "rank",
        "title",
        "market",
        device_class("device_kind"),
        daypart("local_hour"),
        page_day("local_date", "local_hour"),
        "is_exploration",
        "is_chosen",
    )


def terms(spark: SparkSession, settings: Settings) -> DataFrame:
    """`title, terms` as the catalogue tells of genres, kind, length and maturity."""
    known = catalogue(settings)
    told = [
        (
            number,
            sorted({GENRES[known.genre[number]], GENRES[known.second_genre[number]]}),
            "series" if known.is_series[number] else "film",
            float(known.runtime[number]),
            int(known.maturity[number]),
        )
        for number in range(len(known))
    ]
    columns = "title int, genres array<string>, kind string, runtime_s double, maturity int"
    frame = spark.createDataFrame(told, columns)
    return frame.withColumn("moods", F.array().cast("array<string>")).select("title", title_terms())


def examples(spark: SparkSession, shown: DataFrame, of_titles: DataFrame) -> DataFrame:
    """`is_chosen, weight, terms` of tiles, as the ranker learns from them."""
    markets = [row.market for row in shown.select("market").distinct().collect()]
    off = [
        (market, day, True)
        for market, days in holidays_of(markets, FIRST, END).items()
        for day in sorted(days)
    ]
    festive = spark.createDataFrame(off, "market string, page_day date, is_holiday boolean")
    told = shown.join(F.broadcast(of_titles), on="title", how="inner").join(
        F.broadcast(festive), on=["market", "page_day"], how="left"
    )
    then = circumstance_terms(
        F.col("device_class"), F.col("daypart"), F.col("page_day"), F.col("is_holiday").isNotNull()
    )
    propensity = estimated(shown).propensity()
    weight = F.when(F.col("is_chosen"), 1 / propensity).otherwise(1.0)
    return told.select(
        "is_chosen", weight.alias("weight"), crossed(F.col("terms"), then).alias("terms")
    )


def learned(examples: DataFrame) -> Logit:
    recipe = RankerRecipe()
    penalty = Penalty(recipe.penalty, recipe.tiles_of_a_term)
    return fit(examples, (), "is_chosen", penalty, terms="terms", weight="weight")


@pytest.mark.timeout(3600)
def test_what_circumstances_do_to_choices_is_found_again(spark: SparkSession) -> None:
    settings = Settings()
    with (
        persisted(tiles(spark, settings)) as shown,
        persisted(examples(spark, shown, terms(spark, settings))) as told,
    ):
        found = learned(told)
        counted = told.agg(F.count("*"), F.count_if("is_chosen")).first()
    assert counted is not None
    print(f"\n{ACCOUNTS} accounts, {counted[0]:,} tiles in view, {counted[1]:,} of them chosen")
    shares = []
    for effect in EFFECTS:
        told = [holds(then, holiday=False) for then in (effect.here, *effect.others)]
        own, *others = Worth(found, [effect.terms]).at(told)[:, 0]
        more = float(own - np.mean(others))
        shares.append(more / effect.true)
        print(f"  {effect.what:38} {more:+.2f}; simulated {effect.true:+.1f}")
    assert min(shares) >= LEAST
