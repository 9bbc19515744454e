"""Baselines come to cells whole, and from parents to those that are young."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from chispa import assert_approx_df_equality, assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.qoe.rollup_rows import FIRST, rolled

from cinelake.qoe.anomalies import HISTORY
from cinelake.qoe.baseline import DEEPEST, with_baseline
from cinelake.qoe.usual import Usual

NEWEST = 8
LAST = FIRST + timedelta(days=NEWEST)


@pytest.fixture(scope="module")
def service(spark: SparkSession) -> DataFrame:
    """Nine days, of which a CDN has only the last."""
    return rolled(spark, NEWEST + 1, born=NEWEST)


@pytest.fixture(scope="module")
def told(service: DataFrame) -> DataFrame:
    return with_baseline(service, Usual(days=7), LAST).where("metric = 'stall'").localCheckpoint()


def test_all_of_a_cell_stands_together_where_it_is_told(
    service: DataFrame, told: DataFrame
) -> None:
    # Were rows not in order below the joins with what parents have, some of a cell's history would be missing.
    before = F.col("cell_date").between(LAST - timedelta(days=7), LAST - timedelta(days=1))
    history = service.groupBy("cell").agg(
        F.coalesce(F.sum(F.when(before, F.col("hours"))), F.lit(0)).cast("double").alias("known")
    )
    judged = service.where(F.col("cell_date") == F.lit(LAST)).select(
        "cell",
        F.hour("bucket_at").alias("hour"),
        F.col("stalled_hours").alias("bad"),
        F.col("hours").alias("total"),
    )
    expected = judged.join(history, on="cell", how="inner")
    found = told.select(*expected.columns)
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)


@pytest.mark.parametrize(
    ("young", "parent"),
    [("cdn=drift|region=Bavaria", "region=Bavaria"), ("cdn=drift", "all")],
)
def test_what_is_usual_of_a_cell_without_history_is_what_is_of_its_parent(
    told: DataFrame, young: str, parent: str
) -> None:
    def rates(cell: str) -> list[float]:
        found = told.where(F.col("cell") == cell).orderBy("hour").collect()
        return [row["rate"] for row in found]

    assert len(rates(young)) == 24
    assert rates(young) == pytest.approx(rates(parent), rel=1e-9)


def test_more_parents_than_may_be_are_not_held(service: DataFrame) -> None:
    """Of the two regions the one with more sessions is a parent, and young cells of the other lean on all."""
    usual = Usual(days=7, most_parents=1)
    found = with_baseline(service, usual, LAST).where("metric = 'stall'").toArrow().to_pylist()
    rates = {(row["cell"], row["hour"]): row["rate"] for row in found}
    sessions = service.groupBy("cell").agg(F.sum("hours")).toArrow().to_pydict()
    size = dict(zip(*sessions.values(), strict=True))
    small, large = sorted(("Bavaria", "Tokyo"), key=lambda region: size[f"region={region}"])
    for region, parent in ((large, f"region={large}"), (small, "all")):
        own, above = (
            [rates[cell, hour] for hour in range(24)]
            for cell in (f"cdn=drift|region={region}", parent)
        )
        assert own == pytest.approx(above, rel=1e-9)


def test_a_day_has_the_same_baseline_wherever_its_window_begins(spark: SparkSession) -> None:
    def fate(day: int, hour: int, cdn: str, region: str) -> float:
        """Now and then something is bad: hours to be capped by what was usual then, weeks ago, too."""
        return 1 + 12 * ((day * 7 + hour * 5 + len(cdn + region)) % 17 == 0) * (day % 5 > 1)

    # The shortest history of which the level is told by a part; the longest is read for as many times its days.
    usual = Usual(days=8, lately_days=4)
    history = DEEPEST * usual.days + 1
    assert DEEPEST * Usual().days + 1 == HISTORY
    days = history + 12
    rollups = rolled(spark, days, fate, sessions=20)
    day = FIRST + timedelta(days=days - 1)

    def told(start: date) -> DataFrame:
        """What a window from `start` on comes to on the last day."""
        known = rollups.where(F.col("cell_date") >= F.lit(start - timedelta(days=history)))
        rated = with_baseline(known, usual, start - timedelta(days=1))
        last = F.col("day") == F.unix_date(F.lit(day))
        stalls = rated.where(last & (F.col("metric") == "stall"))
        return stalls.localCheckpoint().orderBy("cell", "hour")

    alone, late = told(day), told(day - timedelta(days=11))
    assert alone.count() == 9 * 24
    assert_approx_df_equality(alone, late, 1e-9, ignore_nullable=True)
