"""What a rating says about wanting a title."""

from __future__ import annotations

from datetime import UTC, datetime

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cinelake.recommend.strengths import strengths

RATINGS = "profile_id string, title_id string, rating double, rated_at timestamp"


def test_the_last_rating_of_a_title_counts_and_the_threshold_itself_is_a_like(
    spark: SparkSession,
) -> None:
    morning, evening = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (8, 20))
    ratings = spark.createDataFrame(
        [
            ("ann", "heat", 5.0, morning),
            ("ann", "heat", 2.0, evening),
            ("ann", "alien", 4.0, morning),
            ("bob", "heat", 3.5, morning),
            # In one instant the higher one counts, whichever row comes first.
            ("bob", "alien", 1.0, morning),
            ("bob", "alien", 4.5, morning),
        ],
        RATINGS,
    )
    expected = spark.createDataFrame(
        [("ann", "heat", 0.0), ("ann", "alien", 1.0), ("bob", "heat", 0.0), ("bob", "alien", 1.0)],
        "profile_id string, title_id string, strength float",
    )

    assert_df_equality(
        strengths(ratings, 4.0), expected, ignore_row_order=True, ignore_nullable=True
    )
