"""The measures agree with a second, independent computation, and with cases worked by hand."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cinelake.recommend.evaluation import (
    MEASURES,
    by_history,
    intervals,
    per_profile,
    shown,
    with_lead,
)

LISTS = "model string, fold int, profile_id string, rank int, title_id string"
RELEVANT = "fold int, profile_id string, title_id string"
JUDGED = "model string, fold int, profile_id string, ndcg double"


def _oracle(ranked: list[str], wanted: set[str], k: int) -> dict[str, float]:
    """From the textbook's sums, title by title."""
    found, precisions, gain = 0, 0.0, 0.0
    for place, title in enumerate(ranked[:k], start=1):
        if title in wanted:
            found += 1
            precisions += found / place
            gain += math.log(2) / math.log(place + 1)
    best = sum(math.log(2) / math.log(place + 1) for place in range(1, min(k, len(wanted)) + 1))
    return {
        "ndcg": gain / best,
        "recall": found / len(wanted),
        "precision": found / k,
        "average_precision": precisions / min(k, len(wanted)),
    }


def test_measures_agree_with_an_independent_computation(spark: SparkSession) -> None:
    draw = random.Random(5)
    titles = [f"t{n}" for n in range(30)]
    lists = {
        (model, profile): draw.sample(titles, draw.randint(0, 12))
        for model in ("als", "popular")
        for profile in range(40)
    }
    wanted = {profile: set(draw.sample(titles, draw.randint(1, 14))) for profile in range(40)}

    judged = per_profile(
        spark.createDataFrame(
            [
                (model, 1, str(profile), rank, title)
                for (model, profile), ranked in lists.items()
                for rank, title in enumerate(ranked, start=1)
            ],
            LISTS,
        ),
        spark.createDataFrame(
            [(1, str(p), t) for p, some in wanted.items() for t in some], RELEVANT
        ),
        10,
        ["als", "popular"],
    ).collect()

    assert len(judged) == 80
    for row in judged:
        profile = int(row.profile_id)
        expected = _oracle(lists[row.model, profile], wanted[profile], 10)
        assert row.relevant == len(wanted[profile])
        for measure in MEASURES:
            assert row[measure] == pytest.approx(expected[measure], abs=1e-9), measure


def test_a_profile_counts_once_per_holdout_and_as_zero_without_a_list(spark: SparkSession) -> None:
    lists = spark.createDataFrame([("als", 1, "ann", 1, "up"), ("als", 2, "ann", 1, "jaws")], LISTS)
    wanted = spark.createDataFrame(
        [(1, "ann", "up"), (2, "ann", "heat"), (1, "bob", "up")], RELEVANT
    )
    expected = spark.createDataFrame(
        [("als", 1, "ann", 1.0), ("als", 2, "ann", 0.0), ("als", 1, "bob", 0.0)], JUDGED
    )

    judged = per_profile(lists, wanted, 10, ["als"]).select("model", "fold", "profile_id", "ndcg")

    assert_df_equality(judged, expected, ignore_row_order=True, ignore_nullable=True)


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


def test_a_small_but_steady_lead_is_seen_because_profiles_are_paired(spark: SparkSession) -> None:
    draw = random.Random(3)
    popular = [draw.random() for _ in range(30)]
    frame = _judged(spark, {"popular": popular, "als": [value + 0.01 for value in popular]})

    leads = intervals(with_lead(frame, "als", "ndcg"), ["lead"]).where("model = 'popular'").first()

    assert (leads.mean, leads.low, leads.high) == pytest.approx((0.01, 0.01, 0.01))


def test_profiles_are_grouped_by_how_much_they_had_liked(spark: SparkSession) -> None:
    judged = _judged(spark, {"als": [0.0, 1.0, 0.5]})
    histories = spark.createDataFrame(
        [(1, "0", 9), (1, "1", 9), (1, "2", 10)], "fold int, profile_id string, liked long"
    )
    expected = spark.createDataFrame(
        [("als", "1-9", 2, 0.5), ("als", "10-29", 1, 0.5)],
        "model string, history string, profiles bigint, mean double",
    )

    assert_df_equality(
        by_history(judged, histories, "ndcg"), expected, ignore_row_order=True, ignore_nullable=True
    )


def test_lists_that_show_few_titles_have_low_coverage_and_a_high_gini_index(
    spark: SparkSession,
) -> None:
    titles = spark.createDataFrame(
        [("a", 8), ("b", 4), ("c", 2), ("d", 0)], "title_id string, likes long"
    )
    everybody_the_same = [("popular", n, 1, "a") for n in range(4)]
    each_another = [("even", n, 1, title) for n, title in enumerate("abcd")]
    some = [("als", n, 1, title) for n, title in enumerate("aaab")]
    rows = [(m, 1, str(p), r, t) for m, p, r, t in everybody_the_same + each_another + some]
    # Below the k that is asked for: does not count.
    rows.append(("popular", 1, "0", 2, "d"))

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
    assert found["als"].average_popularity == 7.0
