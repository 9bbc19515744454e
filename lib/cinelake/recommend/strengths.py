"""Strengths: how much a profile wants a title, from what it did, as implicit feedback.

Grain of the result: one row per profile and title with a signal.

Days of signals (`title_signals`) add up, each faded by `2^(-age / half-life)`, to a score: what was watched, by how
far it was watched, judgements, the list, and weakly against it a play that was broken off and a tile that was looked
at and left. Of ratings only the last counts. The sum is exact (decimals), so that it is the same in any order.

From `wanted_from` on, the strength is 1, below it 0. Grading it gains almost nothing (Hu, Koren and Volinsky 2008
for the model; measured on MovieLens), makes `alpha` depend on the scale, and would not fit a model that takes in a
history by itself (serving.py). A 0 is no dislike to learn from; where the title was seen, no list should hold it.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import add

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.rollups import fade

# Places of a score; far more than there is sense in, and exact.
_SCORE = "decimal(18,6)"


class Weights(BaseModel):
    """What a day of signals counts; a day of watching a film to its end counts 1 by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    like_from: float = Field(4.0, description="ratings from here on count as liked")
    rating: float = Field(1.0, ge=0, description="of a last rating that is liked")
    completion: float = Field(1.0, ge=0, description="of the share of the title that was watched")
    rewatch: float = Field(0.2, ge=0, description="of a title of which parts were seen again")
    thumbs_up: float = Field(1.0, ge=0, description="of thumbs up")
    thumbs_down: float = Field(-2.0, le=0, description="of thumbs down")
    on_list: float = Field(0.5, ge=0, description="of the profile's list, against taking it off")
    not_interested: float = Field(-2.0, le=0, description="of wanting to see no more of it")
    abandoned: float = Field(-0.3, le=0, description="of a day's plays that all broke off early")
    abandoned_below: float = Field(
        0.1, ge=0, le=1, description="completion below which a play broke off early"
    )
    hover: float = Field(-0.1, le=0, description="of a tile looked at and not played that day")
    half_life_days: float | None = Field(
        None, gt=0, description="age at which a signal counts half (days); none: it never fades"
    )
    wanted_from: float = Field(0.5, gt=0, description="score from which a title counts as wanted")


# What models learn from: a tenth of a title watched tells of a taste, though not that it was fulfilled.
LEARNED = Weights(wanted_from=0.1)


def strengths(signals: DataFrame, weights: Weights, as_of: date) -> DataFrame:
    """`profile_id, title_id, strength float, is_seen boolean, met_on date` from the signals of days before `as_of`.

    `is_seen` says that the profile knows the title: it played, rated or judged it, first on the day `met_on`.
    """
    # The day before `as_of` is the newest there is, and counts in full.
    faded = fade("signal_date", as_of, weights.half_life_days)
    told = signals.where(F.col("signal_date") < F.lit(as_of)).select(
        "profile_id",
        "title_id",
        (_of_day(weights) * faded).cast(_SCORE).alias("score"),
        F.when(
            F.col("rated_at").isNotNull(),
            # Of ratings given in the same instant the higher one counts.
            F.struct("rated_at", "rating", faded.alias("fade")),
        ).alias("judgement"),
        _knows().alias("knows"),
        F.when(_knows(), F.col("signal_date")).alias("met_on"),
    )
    summed = told.groupBy("profile_id", "title_id").agg(
        F.sum("score").alias("score"),
        F.max("judgement").alias("judgement"),
        F.bool_or("knows").alias("is_seen"),
        F.min("met_on").alias("met_on"),
    )
    is_liked = F.col("judgement.rating") >= F.lit(weights.like_from)
    rated = F.when(is_liked, F.col("judgement.fade") * weights.rating).otherwise(0.0)
    wanted = F.col("score") + rated.cast(_SCORE) >= F.lit(weights.wanted_from).cast(_SCORE)
    return summed.select(
        "profile_id",
        "title_id",
        F.when(wanted, F.lit(1.0)).otherwise(F.lit(0.0)).cast("float").alias("strength"),
        "is_seen",
        "met_on",
    )


def score_of_day(weights: Weights) -> Column:
    """What a day of signals counts by itself, with the rating that was given on it."""
    is_liked = F.col("rating") >= F.lit(weights.like_from)
    return _of_day(weights) + _if(is_liked, weights.rating)


def refused(signals: DataFrame) -> DataFrame:
    """`profile_id, title_id` of what profiles want to see no more of: they said so, or put a thumb down, and since that
    day have neither played it, nor put it on their list or a thumb up.
    """
    no = (F.col("not_interested") > 0) | (F.col("thumbs_down") > 0)
    yes = (F.col("plays") > 0) | (F.col("thumbs_up") > 0) | (F.col("added_to_list") > 0)
    told = signals.groupBy("profile_id", "title_id").agg(
        F.max(F.when(no, F.col("signal_date"))).alias("_no"),
        F.max(F.when(yes, F.col("signal_date"))).alias("_yes"),
    )
    said_no = F.col("_no").isNotNull() & (F.col("_yes").isNull() | (F.col("_no") >= F.col("_yes")))
    return told.where(said_no).select("profile_id", "title_id")


def _of_day(weights: Weights) -> Column:
    """What a day counts, its rating apart."""
    played = F.col("plays") > 0
    # Where nobody knows the length, a play that was seen to its end is known all the same.
    share = F.coalesce("completion", F.when(F.col("finished") > 0, 1.0), F.lit(0.0))
    broke_off = played & (F.col("completion") < weights.abandoned_below) & (F.col("finished") == 0)
    terms = (
        share * weights.completion,
        _if(F.col("seconds_rewatched") > 0, weights.rewatch),
        _if(F.col("thumbs_up") > 0, weights.thumbs_up),
        _if(F.col("thumbs_down") > 0, weights.thumbs_down),
        F.signum(F.col("added_to_list") - F.col("removed_from_list")) * weights.on_list,
        _if(F.col("not_interested") > 0, weights.not_interested),
        _if(broke_off, weights.abandoned),
        _if((F.col("hovers") > 0) & ~played, weights.hover),
    )
    return reduce(add, terms)


def _if(condition: Column, weight: float) -> Column:
    return F.when(condition, F.lit(weight)).otherwise(F.lit(0.0))


def _knows() -> Column:
    judged = F.col("thumbs_up") + F.col("thumbs_down") + F.col("not_interested") > 0
    return (F.col("plays") > 0) | judged | F.col("rating").isNotNull()
