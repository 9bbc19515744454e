"""Nothing after the cut is trained on, and what cannot be judged is counted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cinelake.recommend.holdout import Holdout, before, cold, relevant, temporal_holdouts, within

FIRST = date(2026, 3, 1)


def _rated(spark: SparkSession, per_day: list[int]) -> DataFrame:
    """So many ratings on the first day, so many on the second, and so on."""
    rows = [(FIRST + timedelta(days=n),) for n, count in enumerate(per_day) for _ in range(count)]
    return spark.createDataFrame(rows, "signal_date date")


def test_the_cut_is_the_newest_day_that_holds_out_the_share(spark: SparkSession) -> None:
    ratings = _rated(spark, [5, 2, 1, 1, 1])

    assert temporal_holdouts(ratings, 0.2) == [Holdout(date(2026, 3, 4), date(2026, 3, 6))]
    # 0.25 of 10 is between two days: more is held out rather than less.
    assert temporal_holdouts(ratings, 0.25) == [Holdout(date(2026, 3, 3), date(2026, 3, 6))]


def test_several_holdouts_lie_one_before_the_other_and_do_not_overlap(spark: SparkSession) -> None:
    ratings = _rated(spark, [5, 2, 1, 1, 1])

    assert temporal_holdouts(ratings, 0.2, folds=2) == [
        Holdout(date(2026, 3, 4), date(2026, 3, 6)),
        Holdout(date(2026, 3, 2), date(2026, 3, 4)),
    ]


@pytest.mark.parametrize("per_day", [[], [7], [1, 9]])
def test_where_no_day_is_left_to_train_on_nothing_is_held_out(
    spark: SparkSession, per_day: list[int]
) -> None:
    expected = [Holdout(date(2026, 3, 2), date(2026, 3, 3))] if per_day == [1, 9] else []

    assert temporal_holdouts(_rated(spark, per_day), 0.1) == expected


def test_holding_out_everything_is_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        temporal_holdouts(_rated(spark, [1]), 0.5, folds=2)


def test_train_and_test_days_do_not_overlap(spark: SparkSession) -> None:
    ratings = _rated(spark, [1, 1, 1, 1])
    holdout = Holdout(date(2026, 3, 2), date(2026, 3, 4))

    days = [
        [row.signal_date.day for row in part.sort("signal_date").collect()]
        for part in (before(ratings, holdout), within(ratings, holdout))
    ]

    assert days == [[1], [2, 3]]


def test_relevant_is_what_a_warm_profile_liked_and_had_not_seen(spark: SparkSession) -> None:
    schema = "profile_id string, title_id string, strength float, is_seen boolean"
    train = spark.createDataFrame(
        [
            ("ann", "heat", 1.0, True),
            ("ann", "alien", 0.0, True),
            ("ann", "brazil", 0.0, False),
            ("bob", "heat", 0.0, True),
        ],
        schema,
    )
    test = spark.createDataFrame(
        [
            ("ann", "up", 1.0, True),
            ("ann", "heat", 1.0, True),  # liked before
            ("ann", "alien", 1.0, True),  # seen before, though not liked
            ("ann", "jaws", 0.0, True),  # not liked
            ("ann", "brazil", 1.0, True),  # looked at before, but not seen
            ("bob", "up", 1.0, True),  # liked nothing before
            ("eve", "up", 1.0, True),  # never seen before
        ],
        schema,
    )
    expected = spark.createDataFrame(
        [("ann", "brazil"), ("ann", "up")], "profile_id string, title_id string"
    )
    counted = spark.createDataFrame(
        [(3, 2, 4, 3)],
        "profiles bigint, cold_profiles bigint, titles bigint, cold_titles bigint",
    )

    assert_df_equality(relevant(train, test), expected, ignore_nullable=True, ignore_row_order=True)
    assert_df_equality(cold(train, test), counted, ignore_nullable=True)
