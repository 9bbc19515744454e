"""A value is an alarm by what is usual or by a fixed threshold, if enough profiles stand behind it, and says why."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cinelake.recommend.drift import Value
from cinelake.recommend.gate import Measured
from cinelake.recommend.health import Row, Watch, health, trained

DAY = date(2026, 3, 16)
WATCH = Watch(days=4)


def _judged(value: Value, before: list[dict[str, Any]] | None = None) -> Row:
    (row,) = health([value], before or [], WATCH, DAY)
    return row


def _before(*values: float | None, measure: str = "hit_rate", counted: int = 200) -> list[Row]:
    return [{"measure": measure, "value": value, "counted": counted} for value in values]


@pytest.mark.parametrize(
    ("shift", "extent", "is_alarm"),
    [(0.05, "no shift", False), (0.1, "a moderate shift", False), (0.25, "a large shift", True)],
)
def test_a_shift_of_the_data_alarms_from_a_fixed_threshold_on(
    shift: float, extent: str, is_alarm: bool
) -> None:
    assert _judged(Value("signal_kind_psi", shift, 300)) == {
        "day": DAY,
        "measure": "signal_kind_psi",
        "value": shift,
        "counted": 300,
        "baseline": None,
        "threshold": 0.25,
        "is_alarm": is_alarm,
        "message": f"signal_kind_psi {shift:.3f} between the week and 4 before: {extent}; "
        "an alarm from 0.25 on; told of 300 profiles",
    }


def test_new_titles_alarm_by_a_threshold_of_their_own() -> None:
    row = _judged(Value("new_title_share", 0.4, 1500))
    assert row["is_alarm"]
    assert row["message"] == (
        "new_title_share 40.0%: of the week's signals, those on titles that had none before; "
        "an alarm from 30.0% on; told of 1,500 profiles"
    )
    assert not _judged(Value("new_title_share", 0.29, 1500))["is_alarm"]


def test_what_is_told_of_a_few_is_no_alarm_and_says_so() -> None:
    row = _judged(Value("signal_kind_psi", 3.0, 99))
    assert not row["is_alarm"]
    assert row["message"].endswith("told of 99 profiles, too few for an alarm (it takes 100)")


def test_a_fall_below_the_usual_alarms() -> None:
    # Usually .2, give or take .0082: three of these are less than three tenths of it.
    before = _before(0.19, 0.2, 0.21, 0.2)
    row = _judged(Value("hit_rate", 0.13, 200), before)
    assert row["is_alarm"]
    assert (row["baseline"], row["threshold"]) == (pytest.approx(0.2), pytest.approx(0.14))
    assert row["message"] == (
        "hit_rate 13.0%: profiles who came to like a title of their list of the day before "
        "(the first 10); usually 20.0%, an alarm below 14.0%; told of 200 profiles"
    )
    assert not _judged(Value("hit_rate", 0.15, 200), before)["is_alarm"]
    assert not _judged(Value("hit_rate", 0.9, 200), before)["is_alarm"]


def test_what_varies_much_has_to_fall_further() -> None:
    row = _judged(Value("hit_rate", 0.13, 200), _before(0.15, 0.25, 0.15, 0.25))
    assert not row["is_alarm"]
    # .2 less three times √(4 · .05² / 3).
    assert row["threshold"] == pytest.approx(0.0268, abs=1e-4)
    # Nothing is below nothing.
    row = _judged(Value("hit_rate", 0.0, 200), _before(0.01, 0.2, 0.01, 0.2))
    assert (row["is_alarm"], row["threshold"]) == (False, 0.0)


@pytest.mark.parametrize(
    "before",
    [
        _before(0.2, 0.2, 0.2),
        _before(0.2, 0.2, 0.2, None),
        _before(0.2, 0.2, 0.2) + _before(0.2, counted=99),
        _before(0.2, 0.2, 0.2) + _before(0.2, measure="recall"),
    ],
    ids=["three days", "a day without a value", "a day of a few", "a day of another measure"],
)
def test_what_is_usual_is_known_after_enough_days(before: list[Row]) -> None:
    row = _judged(Value("hit_rate", 0.0, 200), before)
    assert (row["is_alarm"], row["baseline"], row["threshold"]) == (False, None, None)
    assert "what is usual is known after 4 days" in row["message"]


def test_what_cannot_be_told_stands_there_and_is_no_alarm() -> None:
    row = _judged(Value("overlap", None, 0), _before(0.9, 0.9, 0.9, 0.9, measure="overlap"))
    assert (row["value"], row["is_alarm"]) == (None, False)
    assert row["message"] == (
        "overlap cannot be told: no profile is on both sides of what is compared"
    )


def test_a_training_worse_than_those_before_is_an_alarm() -> None:
    assert trained(Measured(0.15, 0.12, 0.18, 40), [0.2, 0.24], 0.2, "nDCG@10", DAY) == {
        "day": DAY, "measure": "ndcg", "value": 0.15, "counted": 40,
        "baseline": pytest.approx(0.22), "threshold": pytest.approx(0.176), "is_alarm": True,
        "message": "nDCG@10 fell to 0.1500 [0.1200, 0.1800] from 0.2200, the mean of the last 2 trainings that passed, "
        "by more than 20%; search_recipe looks for a setting that does better",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "before", "said"),
    [
        (Measured(0.15, 0.12, 0.18, 40), [], "there is no training that passed to set it against"),
        (
            Measured(0.19, 0.18, 0.2, 40),
            [0.22],
            "beside 0.2200, the last training that passed; an alarm",
        ),
        (
            Measured(0.15, 0.05, 0.25, 40),
            [0.22],
            "beside 0.2200, the last training that passed; an alarm",
        ),
    ],
    ids=["the first training", "a small fall", "a fall within noise"],
)
def test_else_it_is_told_what_it_stands_beside(
    own: Measured, before: list[float], said: str
) -> None:
    row = trained(own, before, 0.2, "nDCG@10", DAY)
    assert (row["is_alarm"], row["value"], row["counted"]) == (False, own.mean, 40)
    assert row["message"].startswith(f"nDCG@10 {own}")
    assert said in row["message"]
