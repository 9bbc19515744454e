"""What a profile gets of which nothing is known but where it is, on what, and when."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.tastes import daypart
from cinelake.recommend.eligibility import Limits, age_shown, offer
from cinelake.recommend.lists import numbered, popular_around
from cinelake.recommend.service import Service


@dataclass(frozen=True)
class Newcomer:
    """Market, kind (adult, kid), age limit as it was set (years), kind of device and hour by its clock; None where a
    device or hour is not known.
    """

    market: str
    kind: str
    age_limit: int
    device_kind: str | None
    hour: int | None


def popular_for(
    asked: Newcomer, interactions: DataFrame, service: Service, limits: Limits, n: int
) -> DataFrame:
    """`place, title_id, score`: the `n` titles that are most popular there, of those that it may be shown."""
    schema = "market string, kind string, age_limit int, device_kind string, hour int"
    row = interactions.sparkSession.createDataFrame([tuple(vars(asked).values())], schema)
    alone = row.withColumn("age_limit", age_shown(limits)).select(
        "*",
        F.lit("newcomer").alias("profile_id"),
        F.array().cast("array<int>").alias("seen"),
        daypart("hour"),
    )
    numbers = numbered(interactions, service.shown)
    popular = popular_around(interactions, numbers, service)
    lists = popular.lists(alone, n, offer(service.shown, service.rules))
    return lists.select(F.col("rank").alias("place"), "title_id", "score")
