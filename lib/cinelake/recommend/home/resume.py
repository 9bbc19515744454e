"""How likely a profile goes on with what it has begun, when it opens its home page: P(resume).

A logistic regression (logit.py) on what is known when the day begins: how long ago the title was last played and how
it stands among the others that are unfinished, how far it was seen, whether an episode would follow, how much of the
series is seen, on how many days and in how long a run it was played; on what screen and at what part of the day it is
asked for, and whether they are those of last time. An *example* is an unfinished title and a visit of its profile: a
day, class of device and part of the day with a page view or a play; it came true if the title was played then.

What a profile goes on with so seldom that a row had better not hold it is *given up*, and so is what it has not played
for long.

Judged on the last days, which the regression that is judged did not see, against the plain order of recency: the mean
reciprocal rank of the titles that were gone on with, and how far the chances are from what came of them (expected
calibration error over tenths; Naeini, Cooper and Hauskrecht 2015).
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend.home.logit import Logit, Penalty, fit
from cinelake.recommend.home.unfinished import unfinished

VISIT = ("profile_id", "day", "device_class", "daypart")
FEATURES = (
    "recency", "yesterday", "place", "others", "completion", "tasted", "is_next", "is_series",
    "progress", "days_played", "plays_a_day", "same_device", "same_daypart", "on_tv", "on_phone", "series_on_phone",
    "at_night", "in_the_morning", "in_the_afternoon",
)  # fmt: skip
# Where nothing has been learned: the newest first, and odds that halve whenever the days double.
BY_RECENCY = Logit(math.log(0.5), dict.fromkeys(FEATURES, 0.0) | {"recency": -1.0})
TENTHS = 10


class ResumeRecipe(BaseModel):
    """What is learned from, and how strongly weights are drawn to nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_days: int = Field(
        60, ge=1, le=365, description="days without a play after which a title is given up"
    )
    days: int = Field(28, ge=2, le=365, description="days of visits that are learned from")
    tasted_below: float = Field(
        0.05, ge=0, le=1, description="completion below which a title was only tasted"
    )
    penalty: float = Field(1.0, gt=0, description="of large weights (examples)")
    least_chance: float = Field(
        0.003, ge=0, lt=1, description="chance of going on below which a title is given up"
    )
    calibration_error: float = Field(
        0.05,
        gt=0,
        le=1,
        description="distance of chances from what comes of them beyond which a model is refused",
    )


def visits(tiles: DataFrame, points: DataFrame) -> DataFrame:
    """`profile_id, day, device_class, daypart` with a page view or a play, each once."""
    looked = tiles.select("profile_id", F.col("shown_date").alias("day"), *VISIT[2:])
    played = points.select("profile_id", F.col("play_date").alias("day"), *VISIT[2:])
    return looked.union(played).distinct()


def examples(
    visits: DataFrame, points: DataFrame, episodes: DataFrame, recipe: ResumeRecipe
) -> DataFrame:
    """Unfinished titles at visits: `VISIT, title_id, FEATURES, resumed boolean`."""
    moments = visits.select("profile_id", "day").distinct()
    begun = at_visits(unfinished(points, episodes, moments, recipe.keep_days), visits, recipe)
    played = points.select(
        "profile_id",
        "title_id",
        F.col("play_date").alias("day"),
        *VISIT[2:],
        F.lit(True).alias("_played"),
    )
    return begun.join(played, on=[*VISIT, "title_id"], how="left").select(
        *VISIT, "title_id", *FEATURES, F.col("_played").isNotNull().alias("resumed")
    )


def at_visits(begun: DataFrame, visits: DataFrame, recipe: ResumeRecipe) -> DataFrame:
    """What is unfinished (unfinished.py) with `FEATURES`, at each visit of its profile on its day."""
    last = {name: F.col(name).alias(f"_last_{name}") for name in VISIT[2:]}
    kept = [last.get(name, F.col(name)) for name in begun.columns]
    joined = begun.select(*kept).join(visits.select(*VISIT), on=["profile_id", "day"], how="inner")
    of_visit = Window.partitionBy(*VISIT)
    is_series, phone = F.col("episode_id").isNotNull(), F.col("device_class") == "phone"
    newest = of_visit.orderBy("days_since", F.desc("days_played"), "title_id")
    told: dict[str, Column] = {
        "recency": F.log("days_since"),
        "yesterday": F.col("days_since") == 1,
        "place": F.log(F.row_number().over(newest)),
        "others": F.log(F.count("*").over(of_visit)),
        "completion": F.col("completion"),
        "tasted": ~F.col("is_next") & (F.col("completion") < recipe.tasted_below),
        "is_next": F.col("is_next"),
        "is_series": is_series,
        "progress": F.col("progress"),
        "days_played": F.log("days_played"),
        "plays_a_day": F.log(F.col("plays") / F.col("days_played")),
        "same_device": F.col("_last_device_class") == F.col("device_class"),
        "same_daypart": F.col("_last_daypart") == F.col("daypart"),
        "on_tv": F.col("device_class") == "tv",
        "on_phone": phone,
        "series_on_phone": is_series & phone,
        "at_night": F.col("daypart") == "night",
        "in_the_morning": F.col("daypart") == "morning",
        "in_the_afternoon": F.col("daypart") == "afternoon",
    }
    return joined.select(
        *VISIT,
        "title_id",
        "episode_id",
        "position_s",
        *(told[name].cast("double").alias(name) for name in FEATURES),
    )


def not_given_up(odds: Column, recipe: ResumeRecipe) -> Column:
    """Whether a title of these odds (logarithm) is one to go on with."""
    chance = recipe.least_chance
    return odds >= F.lit(math.log(chance / (1 - chance)) if chance else -math.inf)


def learned(examples: DataFrame, recipe: ResumeRecipe) -> Logit:
    """Raises OneSided where nobody, or everybody, went on with everything."""
    return fit(examples, FEATURES, "resumed", Penalty(recipe.penalty))


def reciprocal_ranks(examples: DataFrame, logit: Logit) -> DataFrame:
    """`fold, profile_id, model, reciprocal_rank`: a mean over the visits of a profile at which it went on with
    something, of the best place of such a title by P(resume), and by recency.
    """
    orders = {
        "resume": F.desc("_chance"),
        "recency": F.asc("place"),
    }
    told = examples.select("*", logit.chance(*FEATURES).alias("_chance"))
    found = []
    for model, order in orders.items():
        place = F.row_number().over(Window.partitionBy(*VISIT).orderBy(order, "title_id"))
        best = (
            told.select(*VISIT, "resumed", place.alias("_place"))
            .where("resumed")
            .groupBy(*VISIT)
            .agg(F.min("_place").alias("_place"))
        )
        found.append(
            best.groupBy("profile_id")
            .agg(F.avg(1 / F.col("_place")).alias("reciprocal_rank"))
            .select(
                F.lit(0).alias("fold"), "profile_id", F.lit(model).alias("model"), "reciprocal_rank"
            )
        )
    return found[0].unionByName(found[1])


def reliability(examples: DataFrame, logit: Logit) -> DataFrame:
    """`tenth, examples, chance, resumed`: by tenths of the chance, its mean and the share that came true."""
    chance = logit.chance(*FEATURES)
    tenth = F.least(F.floor(chance * TENTHS).cast("int"), F.lit(TENTHS - 1))
    return (
        examples.select(chance.alias("_chance"), tenth.alias("tenth"), "resumed")
        .groupBy("tenth")
        .agg(
            F.count("*").alias("examples"),
            F.avg("_chance").alias("chance"),
            F.avg(F.col("resumed").cast("double")).alias("resumed"),
        )
    )
