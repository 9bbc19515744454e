"""A stall in the next minute: what is known of a moment, what trees make of it, and how they are judged."""

from __future__ import annotations

import json
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.qoe.traces import DAY, Traces

from cinelake.labels import OneSided
from cinelake.qoe.stalls import serving
from cinelake.qoe.stalls.judging import at_recall, calibration_error, judged
from cinelake.qoe.stalls.learning_curve import losses
from cinelake.qoe.stalls.moments import FEATURES, NEEDED, UNTOLD, moments
from cinelake.qoe.stalls.risks import risks
from cinelake.qoe.stalls.trees import LEAF, Boosted, Recipe, learned, with_chance
from cinelake.runtime.runs.publish import judged as gated
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.stalls import QOE_STALL_RISKS

TODAY = DAY.date()
TOMORROW = date(2026, 3, 29)
# A buffer of up to ten seconds stalls three times in four, any other hardly ever.
TREES = Boosted([0], [FEATURES.index("buffer_s"), LEAF, LEAF], [10.0, 0.0, 0.0], [1, 1, 2], [2, 1, 2],
                [0.0, 1.0, -2.0], float(np.log(3)) - 2.0, 2.0)  # fmt: skip


def frames(spark: SparkSession, traces: Traces) -> tuple[DataFrame, DataFrame]:
    def typed(source: Any, rows: list[dict[str, Any]], names: tuple[str, ...]) -> DataFrame:
        shape = ", ".join(
            f"{c.name} {c.type.simpleString()}" for c in source.columns if c.name in names
        )
        envelope = "event_id string, event_time timestamp, event_date date, received_at timestamp"
        return spark.createDataFrame(
            [{k: v for k, v in row.items() if k != "clock_ahead_ms"} for row in rows], f"{envelope}, {shape}"
        )  # fmt: skip

    return (
        typed(HEARTBEATS_SOURCE, traces.beats, NEEDED),
        typed(PLAYBACK_SOURCE, traces.events, PLAYBACK_SOURCE.names),
    )


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> dict[tuple[str, int], dict[str, Any]]:
    traces = Traces()
    traces.play("p", "0 attempt, 2 first_frame 3000, 301 rebuffer_start, 303 rebuffer_end, 400 seek, "
                     "401 rebuffer_start seek, 402 rebuffer_end, 500 stop")  # fmt: skip
    where = {"cdn": "aurora", "pop": "aurora-1", "bitrate_kbps": 4096}
    for number, (at, buffer, flow) in enumerate(
        [(210, 30.0, 16384), (240, 20.0, 8192), (300, 5.0, 4096)]
    ):
        traces.beat("p", number, at, buffer_s=buffer, throughput_kbps=flow, **where)
    traces.beat(
        "p", 3, 330, buffer_s=4.0, throughput_kbps=None, rebuffers=1, rebuffer_s=2.0, **where
    )
    # A copy; one that stands still; and one of another play in the same place, of which nothing else is known.
    traces.beat("p", 3, 330, buffer_s=4.0, rebuffers=1, rebuffer_s=2.0, delay=9, **where)
    traces.beat("p", 4, 360, buffer_s=3.0, state="paused", **where)
    # Its device tells of milliseconds and bits a second, and of less than nothing.
    odd = {
        "buffer_s": 30_000.0,
        "throughput_kbps": 900_000_000,
        "rebuffers": -1,
        "rebuffer_s": -2.0,
    }
    traces.beat("q", 0, 620, **(where | odd))
    found = moments(*frames(spark, traces), TODAY, TOMORROW)
    return {
        (row["play_id"], row["at"] // 1000 % 86_400): row for row in found.toArrow().to_pylist()
    }


def test_a_moment_knows_what_was_before_it_and_whether_a_stall_came_after(
    told: dict[tuple[str, int], dict[str, Any]],
) -> None:
    assert set(told) == {("p", 210), ("p", 240), ("p", 300), ("p", 330), ("q", 620)}
    # Sixty-one seconds before the stall is too early, and what a jump causes nobody can foresee.
    assert [told["p", at]["stalls"] for at in (210, 240, 300, 330)] == [False, False, True, False]
    now = told["p", 300]
    assert (now["buffer_s"], now["buffer_change"], now["buffer_least"]) == (5, -15, 5)
    assert now["headroom"] == pytest.approx(0, abs=0.001)
    assert now["headroom_change"] == pytest.approx(-1, abs=0.001)
    assert now["throughput_trend"] == pytest.approx(-1, abs=0.001)
    assert (now["rebuffers"], now["since_rebuffer"]) == (0, UNTOLD)
    after = told["p", 330]
    assert (after["rebuffers"], after["rebuffer_s"], after["since_rebuffer"]) == (1, 2, 0)
    assert (after["throughput"], after["headroom"]) == (UNTOLD, UNTOLD)
    odd = told["q", 620]
    assert (odd["buffer_s"], odd["throughput"]) == (UNTOLD, UNTOLD)
    assert (odd["rebuffers"], odd["rebuffer_s"], odd["since_rebuffer"]) == (0, 0, UNTOLD)


def test_how_the_cell_fared_is_that_of_the_five_minutes_before(
    told: dict[tuple[str, int], dict[str, Any]],
) -> None:
    # Of three heartbeats from the fifth minute to the tenth one told of a stall; of two before none.
    assert told["q", 620]["pop_stalled"] == pytest.approx((1 + 0.5) / (3 + 50))
    assert told["p", 330]["pop_stalled"] == pytest.approx(0.5 / 52)
    assert told["p", 210]["pop_stalled"] == UNTOLD
    assert told["q", 620]["isp"] == "unknown"
    assert told["p", 300]["isp"] == "Lindenglas"


def test_chances_go_by_the_nodes_here_and_where_the_model_is_served(
    spark: SparkSession, tmp_path: Any
) -> None:
    rows = np.zeros((3, len(FEATURES)))
    rows[:, FEATURES.index("buffer_s")] = [10.0, 10.5, UNTOLD]
    expected = [0.75, 1 / (1 + np.exp(6 - np.log(3))), 0.75]
    assert TREES.chance(rows) == pytest.approx(expected)
    assert Boosted.of_frame(TREES.frame(spark)) == TREES
    file = tmp_path / "trees.json"
    file.write_text(json.dumps(TREES.told()))
    served = serving.Stalls()
    served.load_context(SimpleNamespace(artifacts={serving.FILE: str(file)}))
    found = served.predict(None, pd.DataFrame(rows, columns=list(FEATURES)))
    assert found["chance"].to_numpy() == pytest.approx(expected)


def test_the_loss_is_told_after_each_tree(spark: SparkSession) -> None:
    """The second of two trees adds the same to all."""
    second = len(TREES.value)
    both = Boosted(
        [0, second],
        [*TREES.feature, LEAF],
        [*TREES.threshold, 0.0],
        [*TREES.left, second],
        [*TREES.right, second],
        [*TREES.value, 0.25],
    )
    told = [moment("p", 10.0, True), moment("q", 10.5, False), moment("r", 9.0, False)]
    rows = spark.createDataFrame(told, SHAPE)

    def loss(added: float) -> float:
        # The first tree says 1 of buffers up to 10 s, and −2 of others.
        told = [(1.0, 1), (-2.0, -1), (1.0, -1)]
        return float(np.mean([np.log1p(np.exp(-2 * y * (m + added))) for m, y in told]))

    assert losses(rows, both) == pytest.approx([loss(0.0), loss(0.25)])


def moment(play: str, buffer: float, stalls: bool) -> tuple[Any, ...]:
    values = [buffer if name == "buffer_s" else 0.0 for name in FEATURES]
    return play, TODAY, 3, 1000, "aurora", "aurora-1", "Lindenglas", "Bavaria", *values, stalls


SHAPE = (
    "play_id string, day date, bucket bigint, at bigint, cdn string, pop string, isp string, region string, "
    + ", ".join(f"{name} double" for name in FEATURES)
    + ", stalls boolean"
)


def test_risks_count_what_was_expected_what_came_and_what_was_foreseen(spark: SparkSession) -> None:
    told = spark.createDataFrame(
        [moment("a", 1.0, True), moment("b", 2.0, False), moment("c", 30.0, True)], SHAPE
    )
    found = risks(told, TREES, 0.5, 4)
    assert gated(QOE_STALL_RISKS, found).where("size(_reasons) > 0").isEmpty()
    (row,) = found.toArrow().to_pylist()
    assert (row["moments"], row["at_risk"], row["stalled"], row["foreseen"]) == (3, 2, 2, 1)
    assert (row["expected_ppm"], row["model_version"]) == (1_507_381, 4)


def bins(by: str, told: dict[int, tuple[int, int]], folds: int = 4) -> list[dict[str, Any]]:
    return [
        {"fold": fold, "by": by, "bin": place, "moments": moments, "stalled": stalled, "chance": float(stalled)}
        for fold in range(folds)
        for place, (moments, stalled) in told.items()
    ]  # fmt: skip


def test_precision_is_that_of_the_fewest_alerts_that_hold_the_recall() -> None:
    told = bins("model", {9: (2, 1), 5: (10, 2), 1: (100, 7)})
    # A tenth of the stalls is in the highest bin; for three tenths the next is needed.
    assert at_recall(told, 0.1).precision == 0.5
    found = at_recall(told, 0.3)
    assert (found.precision, found.recall) == (3 / 12, 0.3)
    assert calibration_error(told) == 0


def test_what_is_no_better_than_the_rule_beyond_noise_may_pass_and_what_is_worse_does_not() -> None:
    good, bad = {9: (10, 5), 1: (90, 5)}, {9: (40, 5), 1: (60, 5)}
    better = judged([*bins("model", good), *bins("buffer_s", bad), *bins("headroom", bad)])
    assert better.passed
    assert better.better == pytest.approx(0.5 - 0.125)
    assert "is no worse than 0.125" in better.reason
    worse = judged([*bins("model", bad), *bins("buffer_s", bad), *bins("headroom", good)])
    assert not worse.passed
    # Worse than the rule by less than noise is no reason; without a use at all it is.
    useless = {1: (100, 10)}
    assert not judged(
        [*bins("model", useless), *bins("buffer_s", useless), *bins("headroom", useless)]
    ).passed
    with pytest.raises(ValueError, match="0 were followed"):
        judged(bins("model", {1: (5, 0)}))


@pytest.mark.thorough
def test_trees_learn_what_comes_before_a_stall_and_are_calibrated(spark: SparkSession) -> None:
    """Under eight seconds of buffer one in five stalls, else one in a hundred; most are drawn away in learning."""
    random = np.random.default_rng(3)
    n = 6000
    buffer = random.uniform(0, 40, 2 * n)
    stalls = random.random(2 * n) < np.where(buffer < 8, 0.2, 0.01)
    rows = [
        moment(f"p{i}", float(b), bool(s))
        for i, (b, s) in enumerate(zip(buffer, stalls, strict=True))
    ]
    whole = spark.createDataFrame(rows, SHAPE)
    number = whole["play_id"].substr(2, 9).cast("int")
    before, after = whole.where(number < n), whole.where(number >= n)
    recipe = Recipe(trees=10, depth=2, others=2.0, least_in_leaf=20)
    trees = learned(before, after, recipe)
    told = with_chance(after, trees).select("buffer_s", "chance", "stalls").toPandas()
    full, empty = told[told.buffer_s >= 9], told[told.buffer_s < 7]
    assert empty["chance"].mean() == pytest.approx(empty["stalls"].mean(), abs=0.02)
    assert full["chance"].mean() == pytest.approx(full["stalls"].mean(), abs=0.004)
    assert empty["chance"].mean() > 10 * full["chance"].mean()
    assert learned(before, after, recipe) == trees
    curve = losses(after, trees)
    assert len(curve) == 10
    assert curve[-1] < curve[0]
    with pytest.raises(OneSided, match="both kinds are needed"):
        learned(before.where("NOT stalls"), after, recipe)
    with pytest.raises(OneSided, match="days that calibrate"):
        learned(before, after.where("NOT stalls"), recipe)
