"""Whether the ranker of home pages finds again what hour, weekday, season and device do to choices.

Nine weeks around October in which a simulated service shows pages that know nothing of circumstances, and its viewers
choose by weights that the simulator holds (simulate/viewers/context.py). Tiles that came into view are learned from as
the job does it (home/ranker.py), but for taste and fame, which a title has at all times, and with all nine weeks in one
fit, where the job has four. Compared is what pages then add to titles (home/worth.py) in one of two circumstances,
beside what the simulator adds there.

And the same as the job has it on the first Monday of a year: of sixteen weeks the last four, by its recipe, and what
seasons do from all of them, so that October is remembered and not seen, and holidays are among the days.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.behaviour.tastes import daypart
from cinelake.persisted import persisted
from cinelake.recommend.home.context import Circumstances, device_class, holidays_of, page_day
from cinelake.recommend.home.logit import Logit, Penalty, fit
from cinelake.recommend.home.ranker import (
    RankerRecipe,
    learned,
    looked_at_in_view,
    seasons,
    weighed,
)
from cinelake.recommend.home.worth import (
    AT,
    NUMBERS,
    Worth,
    circumstance_terms,
    crossed,
    holds,
    title_terms,
)
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
FIRST, END, NEW_YEAR = date(2026, 9, 14), date(2026, 11, 16), date(2027, 1, 4)


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
    # Whether families are at home in the one, as they are in none of the others.
    holiday: bool = False


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
AT_HOLIDAYS = Effect(
    "family films at holidays",
    ("genre Family", "kind film", "for children"),
    Circumstances("tv", "afternoon", date(2026, 12, 26)),
    (Circumstances("tv", "afternoon", date(2026, 12, 12)),),
    1.2,
    holiday=True,
)
# Of what the simulator adds, this much at least: weights are drawn to nothing, and what a title has at all times hides
# some of it.
LEAST = 0.25


def tiles(spark: SparkSession, settings: Settings, until: date) -> DataFrame:
    """The tiles that came into view, below what was begun: those of shown_tiles that the ranker reads. All that is
    asked of a profile is where it lives, so it goes by that.
    """
    start, end = midnight(FIRST), midnight(until)
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
            "profile_id": np.array(settings.world.markets)[found.market[lane]],
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
        F.col("title").cast("string").alias("title_id"),
        "profile_id",
        F.lit(True).alias("was_seen"),
        F.lit(None).cast("string").alias("row_kind"),
        device_class("device_kind"),
        daypart("local_hour"),
        page_day("local_date", "local_hour"),
        "is_exploration",
        "is_chosen",
    )


def told_of(spark: SparkSession, settings: Settings) -> DataFrame:
    """`title_id` and what the catalogue tells of genres, kind, length and maturity."""
    known = catalogue(settings)
    told = [
        (
            str(number),
            sorted({GENRES[known.genre[number]], GENRES[known.second_genre[number]]}),
            "series" if known.is_series[number] else "film",
            float(known.runtime[number]),
            int(known.maturity[number]),
        )
        for number in range(len(known))
    ]
    columns = "title_id string, genres array<string>, kind string, runtime_s double, maturity int"
    frame = spark.createDataFrame(told, columns)
    return frame.withColumn("moods", F.array().cast("array<string>"))


def examples(spark: SparkSession, shown: DataFrame, catalogue: DataFrame) -> DataFrame:
    """The tiles as the ranker has its examples, but for what a title has at all times: all is the same there."""
    markets = [row.profile_id for row in shown.select("profile_id").distinct().collect()]
    off = [
        (market, day, True)
        for market, days in holidays_of(markets, FIRST, NEW_YEAR).items()
        for day in sorted(days)
    ]
    festive = spark.createDataFrame(off, "profile_id string, page_day date, is_holiday boolean")
    own = catalogue.select("title_id", title_terms())
    told = shown.join(F.broadcast(own), on="title_id", how="inner").join(
        F.broadcast(festive), on=["profile_id", "page_day"], how="left"
    )
    then = circumstance_terms(
        F.col("device_class"), F.col("daypart"), F.col("page_day"), F.col("is_holiday").isNotNull()
    )
    return told.select(
        "device_class",
        "row",
        "rank",
        "is_chosen",
        F.lit(False).alias("is_stranger"),
        *(F.lit(0.0).alias(name) for name in NUMBERS),
        F.concat("terms", crossed(F.col("terms"), then)).alias("terms"),
    )


def together(examples: DataFrame) -> Logit:
    recipe = RankerRecipe()
    penalty = Penalty(recipe.penalty, recipe.tiles_of_a_term)
    crosses = F.filter("terms", lambda term: term.contains(AT))
    told = examples.withColumn("terms", crosses)
    return fit(told, (), "is_chosen", penalty, terms="terms", weight="weight")


def shares(found: Logit, effects: Sequence[Effect]) -> list[float]:
    """Of what is simulated, how much is found; which is printed."""
    told = []
    for effect in effects:
        then = [holds(effect.here, holiday=effect.holiday)]
        then += [holds(other, holiday=False) for other in effect.others]
        own, *others = Worth(found, [effect.terms]).at(then)[:, 0]
        more = float(own - np.mean(others))
        told.append(more / effect.true)
        print(f"  {effect.what:38} {more:+.2f}; simulated {effect.true:+.1f}")
    return told


def counted(shown: DataFrame) -> None:
    count = shown.agg(F.count("*"), F.count_if("is_chosen")).first()
    assert count is not None
    print(f"\n{ACCOUNTS} accounts, {count[0]:,} tiles in view, {count[1]:,} of them chosen")


@pytest.mark.timeout(3600)
def test_what_circumstances_do_to_choices_is_found_again(spark: SparkSession) -> None:
    settings = Settings()
    with persisted(tiles(spark, settings, END)) as shown:
        counted(shown)
        told = weighed(examples(spark, shown, told_of(spark, settings)), looked_at_in_view(shown))
        with persisted(told) as learned_from:
            found = together(learned_from)
    assert min(shares(found, EFFECTS)) >= LEAST


@pytest.mark.timeout(3600)
@pytest.mark.xfail(
    reason="of four weeks of 150 accounts .02 to .04 of what Friday evenings and televisions do is found, and .30 of "
    "what telephones and afternoons do; of sixteen weeks .31 of October and .04 of holidays, which are other days to "
    "the simulator, for it has those of schools",
    strict=False,
)
def test_the_job_finds_them_again_by_its_own_window(spark: SparkSession) -> None:
    settings, recipe, catalogue = Settings(), RankerRecipe(), told_of(spark, Settings())
    with persisted(tiles(spark, settings, NEW_YEAR)) as shown:
        counted(shown)
        lately = shown.where(F.col("page_day") >= F.lit(NEW_YEAR - timedelta(days=recipe.days)))
        attention = looked_at_in_view(lately)
        people = shown.select("profile_id", F.col("profile_id").alias("market")).distinct()
        with (
            persisted(weighed(examples(spark, lately, catalogue), attention)) as told,
            persisted(seasons(shown, people, catalogue, attention)) as year,
        ):
            found = learned(told, recipe, year)
    assert min(shares(found, [*EFFECTS, AT_HOLIDAYS])) >= LEAST
