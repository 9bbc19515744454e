"""Lists are judged as the arithmetic says, with intervals that can be trusted."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from chispa import assert_approx_df_equality, assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.recommend.evaluation import intervals, per_profile, shown, traits, with_lead

LISTS = "model string, profile_id string, rank int, title_idx int"
TRUTHS = "profile_id string, relevant int, wanted array<int>, liked array<int>, market string"
JUDGED = "model string, fold int, profile_id string, ndcg double"


def test_lists_meet_what_profiles_went_on_to_like(spark: SparkSession) -> None:
    titles = spark.createDataFrame(
        [(7, 3, ["drama"]), (4, 1, ["comedy", "drama"]), (9, 0, None)],
        "title_idx int, likes bigint, genres array<string>",
    )
    # Ann wants a title that nobody knew before, too; Bob has no list of one model; Eve's is of nobody.
    lists = spark.createDataFrame(
        [("als", "ann", 1, 4), ("als", "ann", 2, 7), ("popular", "ann", 1, 7), ("als", "bob", 2, 9),
         ("als", "bob", 1, 4), ("als", "bob", 3, 7), ("als", "eve", 1, 7)], LISTS,
    )  # fmt: skip
    truths = spark.createDataFrame([("ann", 2, [7], [4], "US"), ("bob", 1, [4], [], None)], TRUTHS)

    judged = per_profile(lists, truths, traits(titles, 4), [1, 2], ["als", "popular"])

    shown = judged.select(
        "model", "profile_id", "relevant", "market", "precision_at_1", "recall_at_2", "popularity_at_2",
        "diversity_at_2", "miscalibration_at_1",
    )  # fmt: skip
    sideways = 1 - 1 / math.sqrt(2)
    all_drama = 0.5 * math.log(0.5 / 0.005) + 0.5 * math.log(0.5 / 0.995)
    expected = spark.createDataFrame(
        [
            ("als", "ann", 2, "US", 0.0, 0.5, 2.0, sideways, 0.0),
            ("popular", "ann", 2, "US", 1.0, 0.5, 3.0, None, all_drama),
            ("als", "bob", 1, None, 1.0, 1.0, 0.5, 1.0, None),
            ("popular", "bob", 1, None, 0.0, 0.0, None, None, None),
        ],
        "model string, profile_id string, relevant int, market string, precision_at_1 double, recall_at_2 double, "
        "popularity_at_2 double, diversity_at_2 double, miscalibration_at_1 double",
    )
    assert_approx_df_equality(shown, expected, 1e-9, ignore_row_order=True, ignore_nullable=True)


def test_titles_are_known_by_their_numbers(spark: SparkSession) -> None:
    titles = spark.createDataFrame(
        [(7, 3, ["drama"]), (4, 1, ["comedy", "drama"])],
        "title_idx int, likes bigint, genres array<string>",
    )
    found = traits(titles, 4)
    assert found.numbers.tolist() == [4, 7]
    assert found.likes.tolist() == [1, 3]
    np.testing.assert_array_equal(found.genres, [[0.5, 0.5], [0, 1]])


def test_a_titles_genres_weigh_the_same_however_they_are_told(spark: SparkSession) -> None:
    titles = spark.createDataFrame(
        [(1, 0, ["Horror", "Sci-Fi", "Horror", " ", None]), (2, 0, [None]), (3, 0, None)],
        "title_idx int, likes bigint, genres array<string>",
    )
    assert traits(titles, 4).genres.tolist() == [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]


def _judged(spark: SparkSession, values: dict[str, list[float]]) -> DataFrame:
    return spark.createDataFrame(
        [(m, 1, str(n), value) for m, row in values.items() for n, value in enumerate(row)], JUDGED
    )


def test_intervals_hold_the_mean_narrow_with_more_profiles_and_never_change(
    spark: SparkSession,
) -> None:
    draw = random.Random(3)
    few = [draw.random() for _ in range(25)]
    widths = []
    for values in (few, few * 16):
        frame = _judged(spark, {"als": values})
        row, again = (
            intervals(frame, ["ndcg"]).first(),
            intervals(frame.repartition(3), ["ndcg"]).first(),
        )
        assert row.mean == pytest.approx(sum(few) / 25)
        assert row.profiles == len(values)
        assert row.low < row.mean < row.high
        assert (row.low, row.high) == pytest.approx((again.low, again.high), abs=1e-9)
        widths.append(row.high - row.low)

    # As the textbook's ±1.96 standard errors, within what 400 resamples can tell.
    mean = sum(few) / 25
    error = math.sqrt(sum((value - mean) ** 2 for value in few)) / 25
    assert widths[0] == pytest.approx(2 * 1.96 * error, rel=0.2)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.2)


def test_a_profile_is_drawn_with_all_its_holdouts(spark: SparkSession) -> None:
    draw = random.Random(3)
    once = _judged(spark, {"als": [draw.random() for _ in range(25)]})
    # Of the same profiles another holdout that says the same adds no certainty.
    twice = once.unionByName(once.withColumn("fold", F.lit(2)))
    columns = ("mean", "low", "high")
    expected = intervals(once, ["ndcg"]).select(*columns)
    found = intervals(twice, ["ndcg"]).select(*columns)
    assert_approx_df_equality(found, expected, 1e-9)


def test_a_small_but_steady_lead_is_seen_because_profiles_are_paired(spark: SparkSession) -> None:
    draw = random.Random(3)
    popular = [draw.random() for _ in range(30)]
    frame = _judged(spark, {"popular": popular, "als": [value + 0.01 for value in popular]})

    leads = intervals(with_lead(frame, "als", "ndcg"), ["lead"]).where("model = 'popular'").first()

    assert (leads.mean, leads.low, leads.high) == pytest.approx((0.01, 0.01, 0.01))


def test_profiles_are_taken_together_by_group_and_nulls_count_nowhere(spark: SparkSession) -> None:
    rows = [("als", 1, str(n), value) for n, value in enumerate([0.0, 1.0, 0.5, 0.7, None])]
    groups = [("0", "US"), ("1", "US"), ("2", "DE"), ("3", None), ("4", "DE")]
    judged = spark.createDataFrame(rows, JUDGED).join(
        spark.createDataFrame(groups, "profile_id string, market string"), "profile_id"
    )
    found = intervals(judged, ["ndcg"], by=["market"]).select(
        "model", "market", "measure", "profiles", "mean"
    )
    expected = spark.createDataFrame(
        [("als", "US", "ndcg", 2, 0.5), ("als", "DE", "ndcg", 1, 0.5)],
        "model string, market string, measure string, profiles bigint, mean double",
    )
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)


def test_lists_that_show_few_titles_have_low_coverage_and_a_high_gini_index(
    spark: SparkSession,
) -> None:
    titles = spark.createDataFrame([(0,), (1,), (2,), (3,)], "title_idx int")
    everybody_the_same = [("popular", n, 1, 0) for n in range(4)]
    each_another = [("even", n, 1, n) for n in range(4)]
    some = [("als", n, 1, title) for n, title in enumerate([0, 0, 0, 1])]
    rows = [(m, str(p), r, t) for m, p, r, t in everybody_the_same + each_another + some]
    # Below the k that is asked for: does not count.
    rows.append(("popular", "0", 2, 3))

    found = {
        row.model: row for row in shown(spark.createDataFrame(rows, LISTS), titles, 1).collect()
    }

    def gini(exposure: list[int]) -> float:
        """From the area under the Lorenz curve."""
        total, share = sum(exposure), 0.0
        lorenz = [0.0] + [(share := share + x / total) for x in sorted(exposure)]
        return 1 - sum(low + high for low, high in pairwise(lorenz)) / len(exposure)

    for model, exposure in {"popular": [4, 0, 0, 0], "even": [1] * 4, "als": [3, 1, 0, 0]}.items():
        assert found[model].gini == pytest.approx(gini(exposure), abs=1e-9)
        assert found[model].coverage == sum(map(bool, exposure)) / 4
