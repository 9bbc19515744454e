"""What is learned: an isolation forest, trees that were shipped, and weights that verdicts move."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn.ensemble import IsolationForest

from cinelake.integrity.experience import Experience, shipped_experience, with_experience
from cinelake.integrity.household import AGELESS, LATE
from cinelake.integrity.learning import lesson, log_loss, moved
from cinelake.integrity.outliers import SEED, TREES, fitted, matrix_of, usual_length
from cinelake.integrity.scorecard import FEATURES, INTERCEPT, shipped

CARD = shipped("party")
RANDOM = np.random.default_rng(5)


def test_the_forest_scores_as_scikit_learn_does() -> None:
    rows = RANDOM.normal(size=(300, 3))
    rows[0] = 9
    forest = fitted(rows, ["a", "b", "c"])
    theirs = IsolationForest(n_estimators=TREES, max_samples=256, random_state=SEED).fit(rows)
    assert np.allclose(forest.score(rows), -theirs.score_samples(rows))
    assert forest.score(rows).argmax() == 0


def test_a_forest_of_one_row_is_refused_with_what_it_needs() -> None:
    with pytest.raises(ValueError, match="needs two rows or more, there are 1"):
        fitted(np.zeros((1, 2)), ["a", "b"])


def test_paths_of_few_rows_have_the_length_of_the_paper() -> None:
    assert [usual_length(n) for n in (0, 1, 2)] == [0, 0, 1]
    assert usual_length(256) == pytest.approx(10.2448, abs=1e-3)


def test_features_that_are_not_told_count_as_nothing() -> None:
    told = [[{"name": "b", "value": 2.0}], []]
    assert matrix_of(told, ["a", "b"]).tolist() == [[0, 2], [0, 0]]


def test_every_feature_that_is_weighed_has_words_for_it() -> None:
    for card in ("party_reasons", "screens", "places", "playback"):
        for own in shipped(card).weights.values():
            assert set(own) - {INTERCEPT} <= set(FEATURES)


def test_the_trees_know_a_friend_from_a_traveller() -> None:
    trees = shipped_experience("known")
    honest = dict(CARD.typical)
    friend = honest | {
        "has_set": 1, "set_share": 1, "own_profile": 1, "own_profile_and_set": 1, "on_fixed_lines": 1, "only_mobile": 0,
        "log_days": 3, "log_hours": 3.5, "days_of_span": 0.7, "log_span": 3.5, "phones": 0, "log_since_last": 0,
        "tastes_apart": 1.5, "taste_shift": 0,
    }  # fmt: skip
    later = ("came_with_home", "log_later_than_home", "log_set_later_than_home", "log_known_before")
    dated = friend | dict(zip(later, (0, 4.5, 4.5, 3), strict=True))
    known = {"ages_known": 1}
    ageless = friend | AGELESS
    rows = np.array(
        [[each[name] for name in trees.names] for each in (honest | known, ageless, dated | known)]
    )
    sharing = trees.odds(rows)[:, list(trees.kinds).index("sharing")]
    # Of a device that came after the home's there is less doubt, and where nobody knows there still is little.
    assert sharing[0] < -1 < 0 < sharing[1] < sharing[2]


def test_a_family_whose_devices_nobody_registered_before_is_no_gang_of_thieves() -> None:
    """A telephone that is new by what the registry says, on which somebody travels: as honest parties typically are."""
    new = {
        "ages_known": 1, "log_device_age": 1.1, "device_of_month": 1, "log_known_before": 0, "came_with_home": 0,
        "log_later_than_home": 2.4, "log_since_first": 1.1, "log_days": 0.7, "log_hours": 1, "log_span": 0,
        "phones": 1, "set_share": 0, "has_set": 0, "only_mobile": 1, "elsewhere": 1, "own_profile_and_set": 0,
    }  # fmt: skip
    traveller = dict(CARD.typical) | new

    def takeover(trees: Experience) -> float:
        row = np.array([[traveller[name] for name in trees.names]])
        return float(trees.odds(row)[0, list(trees.kinds).index("takeover")])

    known, late = shipped_experience("known"), shipped_experience("late")
    assert list(known.kinds) == list(late.kinds)
    assert takeover(late) < -1
    assert takeover(late) < takeover(known)


def test_accounts_that_were_registered_late_have_trees_of_their_own(spark: SparkSession) -> None:
    names = ("known", "late")
    rows = [(name, [(LATE, float(name == "late"))]) for name in names]
    parties = spark.createDataFrame(
        rows, "account_id string, features array<struct<name string, value double>>"
    )
    both = {name: shipped_experience(name) for name in names}
    told = with_experience(parties, both["known"], both["late"]).collect()
    found = {row.account_id: {each.name: each.value for each in row.features} for row in told}
    for name, trees in both.items():
        (odds,) = trees.odds(np.zeros((1, len(trees.names)))).round(6)
        seen = {f"seen_{kind}": value for kind, value in zip(trees.kinds, odds, strict=True)}
        assert found[name] == {LATE: float(name == "late")} | seen
    assert found["known"] != found["late"] | {LATE: 0.0}


def judged(number: int, verdict: str, has_set: float) -> dict[str, Any]:
    return {
        "case_id": f"c{number:03}",
        "given_on": date(2026, 1, 1) + timedelta(days=number),
        "kind": "sharing",
        "verdict": verdict,
        "features": [{"name": "has_set", "value": has_set}],
    }


def test_verdicts_move_the_weights_and_few_move_little() -> None:
    # In this service televisions elsewhere are what families have.
    verdicts = [judged(n, "reject" if n % 2 else "confirm", float(n % 2)) for n in range(200)]
    many, few = lesson(verdicts, CARD), lesson(verdicts[:6], CARD)
    learned, nudged = moved(CARD, many, 0.5), moved(CARD, few, 0.5)
    before = CARD.weights["sharing"]["has_set"]
    assert learned.weights["sharing"]["has_set"] < nudged.weights["sharing"]["has_set"] < before
    assert log_loss(learned, many) < log_loss(CARD, many)


def test_without_verdicts_the_weights_stay() -> None:
    same = moved(CARD, lesson([], CARD), 0.5)
    for kind, own in CARD.weights.items():
        assert same.weights[kind] == pytest.approx(own)


def test_a_card_without_a_feature_takes_it_as_typical() -> None:
    less = CARD.without(["has_set"])
    assert "has_set" not in less.weights["sharing"]
    gained = less.weights["sharing"][INTERCEPT] - CARD.weights["sharing"][INTERCEPT]
    assert gained == pytest.approx(CARD.weights["sharing"]["has_set"] * CARD.typical["has_set"])
