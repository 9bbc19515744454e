"""Profiles of two tastes, for tests that need a model to be better than popularity."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows

from cinelake.tables.features import TITLE_SIGNALS

FIRST = date(2026, 3, 1)


def two_tastes(spark: SparkSession) -> DataFrame:
    """Sixteen profiles like even titles, eight odd ones, eight each in four days and four in two days after."""
    told = []
    for profile in range(24):
        mine = [title for title in range(24) if title % 2 == (profile % 3 == 0)]
        for place, title in enumerate(sorted(mine, key=lambda t: (t * 7 + profile * 5) % 24)):
            day = FIRST + timedelta(days=place // 2)
            told.append(
                {
                    "profile_id": f"p{profile}", "title_id": f"t{title:02}", "rating": 4.5,
                    "signal_date": day, "rated_at": datetime.combine(day, time.min),
                }
            )  # fmt: skip
    number = {name: F.substring(f"{name}_id", 2, 2).cast("int") for name in ("profile", "title")}
    return rows(spark, TITLE_SIGNALS, *told).select(
        "*", *(value.alias(f"{name}_idx") for name, value in number.items())
    )
