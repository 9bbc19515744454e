"""How good pages are: what profiles went on to play on the next day, and where it stood on the page for that moment.

A page is for a day by the viewer's clock (`circumstances_after` in planning.py): an evening in New York lies on the
next day by UTC, which is another weekday. So it is judged by what was played on that day of the viewer's; what was
played on it before the page was made, as in a Japanese morning, the page has been told of, and that does not count.

Grain of the judgement: one row a policy, profile, class of device and part of the day in which the profile started
something. *Recall* is the share of what it started then that stood anywhere on the page; *nDCG* also looks at where,
by the order in which places are looked at (attention.py). What was begun before counts in `all`, and not in `new`,
which is what a profile had not played before.

Policies, each with as many rows and titles: the page; the page without circumstances; the list of the model behind
taste, cut into rows; what is popular in the market, cut into rows. Lists hold nothing that was begun or seen, and any
service has rows of that above them; so the last two begin with those of the page, as they stand there, and the list
fills all rows that are left. Else who may hold what was begun would decide `all`.

Policies are compared profile by profile: a *lead* is how far the page is ahead of another policy for the same profile.
Its interval tells apart what the intervals of two means cannot, for most of their width is how profiles differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.features import has_started
from cinelake.behaviour.tastes import daypart
from cinelake.recommend.home.attention import Attention
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.context import DAYPARTS, DEVICE_CLASSES, device_class

CONTEXT = ("profile_id", "device_class", "daypart")
MEASURES = ("recall_all", "ndcg_all", "recall_new", "ndcg_new")
LEADS = tuple(f"lead_{measure}" for measure in MEASURES)


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


def below_own_rows(
    lists: DataFrame, pages: DataFrame, grid: Grid, kinds: Sequence[str]
) -> DataFrame:
    """Lists as `as_pages` cuts them, below the rows of these kinds on the pages of the same profile and circumstances.

    `pages` are `CONTEXT, row, position, title_id, row_kind`.
    """
    place = F.dense_rank().over(Window.partitionBy(*CONTEXT).orderBy("row")) - 1
    own = pages.where(F.col("row_kind").isin(*kinds)).select(
        *CONTEXT, place.alias("row"), "position", "title_id"
    )
    above = own.groupBy(*CONTEXT).agg((F.max("row") + 1).alias("_above"))
    row = F.col("row") + F.coalesce("_above", F.lit(0))
    rest = (
        as_pages(lists, grid)
        .join(own, on=[*CONTEXT, "title_id"], how="left_anti")
        .join(above, on=[*CONTEXT], how="left")
        .select(*CONTEXT, row.alias("row"), "position", "title_id")
        .where(F.col("row") < grid.rows)
    )
    return own.unionByName(rest)


def played(sessions: DataFrame, stops: DataFrame, day: date) -> DataFrame:
    """What was started on a day by the viewer's clock once pages for it were made: `CONTEXT, title_id, is_new`.

    `sessions` are rows of `viewing_sessions` of that day and the next, UTC; `stops` those of `stopping_points` before.
    """
    is_then = (F.col("local_date") == F.lit(day)) & (F.col("session_date") >= F.lit(day))
    today = (
        sessions.where(has_started() & is_then)
        .select("profile_id", device_class("device_kind"), daypart("local_hour"), "title_id")
        .distinct()
    )
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


def with_leads(by_profile: DataFrame, own: str) -> DataFrame:
    """The rows with `LEADS`: by each measure, how far a policy is ahead of the row's for the same profile."""
    same_profile = Window.partitionBy("fold", "profile_id")
    is_own = F.col("model") == own
    leads = (
        F.max(F.when(is_own, F.col(measure))).over(same_profile) - F.col(measure)
        for measure in MEASURES
    )
    return by_profile.select("*", *(of.alias(name) for of, name in zip(leads, LEADS, strict=True)))


def _ideal(count: Column) -> Column:
    """The gain of so many titles at the first places."""
    return F.aggregate(
        F.sequence(F.lit(1).cast("bigint"), F.greatest(count, F.lit(1))),
        F.lit(0.0),
        lambda total, place: total + 1 / F.log2(place + 1),
    )
