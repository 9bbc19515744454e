"""How good pages are: what profiles went on to play on the next day, and where it stood on the page for that moment.

Grain of the judgement: one row a policy, profile, class of device and part of the day in which the profile started
something. *Recall* is the share of what it started then that stood anywhere on the page; *nDCG* also looks at where,
by the order in which places are looked at (attention.py). What was begun before counts in `all`, and not in `new`,
which is what a profile had not played before.

Policies, each with as many rows and titles: the page; the page without circumstances; the list of the model behind
taste, cut into rows; what is popular in the market, cut into rows. The last two know nothing of what was begun, as
nobody would show such titles twice, so `new` is what all policies compete for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend.home.attention import Attention
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.context import DAYPARTS, DEVICE_CLASSES

CONTEXT = ("profile_id", "device_class", "daypart")
MEASURES = ("recall_all", "ndcg_all", "recall_new", "ndcg_new")


def as_pages(lists: DataFrame, grid: Grid) -> DataFrame:
    """Lists (`profile_id, rank, title_id`) cut into rows, the same in all circumstances: `CONTEXT, row, position,
    title_id`.
    """
    devices, parts = (F.array(*map(F.lit, names)) for names in (DEVICE_CLASSES, DAYPARTS))
    place = F.col("rank") - 1
    return (
        lists.where(F.col("rank") <= grid.rows * grid.titles)
        .select("*", F.explode(devices).alias("device_class"))
        .select("*", F.explode(parts).alias("daypart"))
        .select(
            *CONTEXT,
            F.floor(place / grid.titles).cast("int").alias("row"),
            (place % grid.titles).cast("int").alias("position"),
            "title_id",
        )
    )


def played(stops: DataFrame, day: date) -> DataFrame:
    """What was started on a day: `CONTEXT, title_id, is_new`, from rows of `stopping_points` up to that day."""
    today = stops.where(F.col("play_date") == F.lit(day)).select(*CONTEXT, "title_id").distinct()
    before = (
        stops.where(F.col("play_date") < F.lit(day)).select("profile_id", "title_id").distinct()
    )
    known = before.select("*", F.lit(True).alias("_known"))
    return today.join(known, on=["profile_id", "title_id"], how="left").select(
        *CONTEXT, "title_id", F.col("_known").isNull().alias("is_new")
    )


def judged(policies: Mapping[str, DataFrame], wanted: DataFrame, attention: Attention) -> DataFrame:
    """`fold, profile_id, model, device_class, daypart, MEASURES`: one row a policy and context of `wanted` (`played`).

    Measures of new titles are null where none was started. Pages are `CONTEXT, row, position, title_id`.
    """
    found = []
    by_attention = Window.partitionBy(*CONTEXT).orderBy(F.desc("_looked_at"), "row", "position")
    for name, pages in policies.items():
        asked = pages.join(wanted.select(*CONTEXT).distinct(), on=[*CONTEXT], how="left_semi")
        looked_at = attention.looked_at("row", "position")
        placed = asked.select(
            *CONTEXT, "title_id", "row", "position", looked_at.alias("_looked_at")
        )
        ranked = placed.select(
            *CONTEXT, "title_id", F.row_number().over(by_attention).alias("_place")
        )
        told = wanted.join(ranked, on=[*CONTEXT, "title_id"], how="left")
        is_there, is_new = F.col("_place").isNotNull(), F.col("is_new")
        gain = F.when(is_there, 1 / F.log2(F.col("_place") + 1)).otherwise(0.0)
        new = F.count_if(is_new)
        found.append(
            told.groupBy(*CONTEXT)
            .agg(
                (F.count_if(is_there) / F.count("*")).alias("recall_all"),
                (F.sum(gain) / _ideal(F.count("*"))).alias("ndcg_all"),
                F.when(new > 0, F.count_if(is_there & is_new) / new).alias("recall_new"),
                F.when(new > 0, F.sum(F.when(is_new, gain)) / _ideal(new)).alias("ndcg_new"),
            )
            .select(
                F.lit(0).alias("fold"),
                "profile_id",
                F.lit(name).alias("model"),
                *CONTEXT[1:],
                *MEASURES,
            )
        )
    whole = found[0]
    for frame in found[1:]:
        whole = whole.unionByName(frame)
    return whole


def by_profile(judged: DataFrame, by: Sequence[str] = ()) -> DataFrame:
    """`fold, profile_id, model, <by…>, MEASURES`: means over what each profile started when."""
    return judged.groupBy("fold", "profile_id", "model", *by).agg(
        *(F.avg(measure).alias(measure) for measure in MEASURES)
    )


def _ideal(count: Column) -> Column:
    """The gain of so many titles at the first places."""
    return F.aggregate(
        F.sequence(F.lit(1).cast("bigint"), F.greatest(count, F.lit(1))),
        F.lit(0.0),
        lambda total, place: total + 1 / F.log2(place + 1),
    )
