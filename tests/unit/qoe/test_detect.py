"""What is odd in a plain series is told from what came before it alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelake.qoe.detect import Detection, detect, rationed, surprises

# A history of 200 readings, so that short series go beyond it.
SMALL = Detection(memory=200, block=20, warm_up=40)
START = pd.Timestamp("2026-03-02", tz="UTC")


def series(values: np.ndarray, step: str = "5min") -> pd.DataFrame:
    times = pd.date_range(START, periods=len(values), freq=step)
    return pd.DataFrame({"timestamp": times, "value": values})


def noise(readings: int = 1000, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=readings)


@st.composite
def odd_series(draw: st.DrawFn) -> pd.DataFrame:
    """Noise, walks, counts, constants, with jumps, missing values, gaps and several readings at a time."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    count = draw(st.integers(0, 600))
    kind = draw(st.sampled_from(["noise", "walk", "counts", "constant"]))
    values = {
        "noise": random.standard_t(3, size=count),
        "walk": random.normal(size=count).cumsum(),
        "counts": random.poisson(0.2, size=count).astype(float),
        "constant": np.full(count, 7.0),
    }[kind]
    for _ in range(draw(st.integers(0, 3)) if count else 0):
        values[random.integers(count) :] += random.normal() * 10
    values[random.random(count) < draw(st.sampled_from([0, 0.1]))] = np.nan
    seconds = random.choice([0, 60, 300, 90_000], count, p=[0.05, 0.3, 0.6, 0.05]).cumsum()
    times = START + pd.to_timedelta(seconds, unit="s")
    return pd.DataFrame({"timestamp": times, "value": values})


@settings(deadline=None, max_examples=60)
@given(odd_series(), st.floats(0, 1), st.sampled_from([None, "day"]))
def test_readings_that_are_appended_change_no_score(
    given_: pd.DataFrame, part: float, season: str | None
) -> None:
    how = SMALL.model_copy(update={"season": season})
    first = given_.head(int(len(given_) * part))
    assert detect(first, how).tolist() == detect(given_, how).head(len(first)).tolist()


@settings(deadline=None, max_examples=60)
@given(odd_series(), st.sampled_from([2.0**-30, 0.5, -1.0, -8.0, 2.0**40]))
def test_scores_do_not_depend_on_the_unit(given_: pd.DataFrame, factor: float) -> None:
    scaled = given_.assign(value=given_["value"] * factor)
    assert detect(scaled, SMALL).tolist() == detect(given_, SMALL).tolist()


@settings(deadline=None, max_examples=60)
@given(odd_series())
def test_scores_are_between_0_and_1_and_missing_readings_leave_no_trace(
    given_: pd.DataFrame,
) -> None:
    scores = detect(given_, SMALL)
    assert scores.index.equals(given_.index)
    assert scores.between(0, 1, inclusive="left").all()
    is_known = given_["value"].notna()
    assert (scores[~is_known] == 0).all()
    assert detect(given_[is_known], SMALL).tolist() == scores[is_known].tolist()


@settings(deadline=None, max_examples=30)
@given(odd_series(), st.integers(0, 100))
def test_rows_may_come_in_any_order(given_: pd.DataFrame, seed: int) -> None:
    once = given_.drop_duplicates("timestamp")
    shuffled = once.sample(frac=1, random_state=seed)
    assert detect(shuffled, SMALL).sort_index().tolist() == detect(once, SMALL).tolist()


def test_a_spike_a_jump_and_a_new_level_are_odd() -> None:
    values = noise(6000)
    values[3000] += 12
    values[4500:] += 15
    scores = detect(series(values))
    assert sorted(scores.nlargest(2).index) == [3000, 4500]
    # The second alarm of its size counts less.
    assert scores[3000] > 0.7 > scores[4500] > 0.55


def test_noise_is_not_odd() -> None:
    for seed in range(3):
        scores = detect(series(noise(20_000, seed)))
        # One in a thousand passes one half: three nats beyond the greatest of two hundred.
        assert (scores > 0.5).sum() <= 20
        assert scores.max() < 0.75


def test_what_never_changes_is_not_odd_and_its_first_change_is() -> None:
    values = np.full(1000, 40.0)
    assert (detect(series(values)) == 0).all()
    values[800] = 41
    scores = detect(series(values))
    assert scores[800] > 0.6
    assert (scores.drop(800) == 0).all()


def test_infinite_values_are_missing_values() -> None:
    values = noise(500)
    missing = values.copy()
    values[[100, 300, 301, 302]] = [np.inf, -np.inf, 1e300, -1e300]
    missing[[100, 300, 301, 302]] = np.nan
    assert detect(series(values), SMALL).tolist() == detect(series(missing), SMALL).tolist()


def test_readings_of_one_time_are_readings_like_others() -> None:
    """Time is only an order: gaps, uneven steps and repeated times change nothing."""
    values = noise(600)
    values[400] += 12
    even = series(values)
    uneven = even.assign(timestamp=START + pd.to_timedelta(np.arange(600) // 3 * 1000, unit="s"))
    assert detect(uneven, SMALL).tolist() == detect(even, SMALL).tolist()


@pytest.mark.parametrize("count", [0, 1, 2, 39])
def test_a_short_series_is_not_judged(count: int) -> None:
    scores = detect(series(noise(count) * 1000), SMALL)
    assert scores.tolist() == [0.0] * count


def test_a_series_may_be_indexed_by_time() -> None:
    frame = series(noise(600))
    by_time = frame.set_index("timestamp")["value"]
    scores = detect(by_time, SMALL)
    assert scores.index.equals(by_time.index)
    assert scores.tolist() == detect(frame, SMALL).tolist()


def test_distances_and_steps_are_those_of_a_plain_loop() -> None:
    """Only the readings before the block, no more than are remembered; a tail of the ten greatest."""
    values = np.random.default_rng(1).standard_t(2, size=300)
    how = Detection(memory=200, block=20, warm_up=40)
    smooth = pd.Series(values).ewm(span=10, adjust=False).mean().to_numpy()
    channels = np.zeros((3, 300))
    for row in range(1, 300):
        channels[0, row] = abs(values[row] - values[row - 1])
        start = row // 20 * 20
        for channel, read in ((1, values), (2, smooth)):
            if start:
                history = read[max(0, start - 200) : start]
                channels[channel, row] = min(abs(history - read[row]))
    expected = np.zeros(300)
    for row in range(40, 300):
        start = row // 20 * 20
        for channel in channels:
            past = sorted(channel[max(20, start - 200) : start])
            if len(past) <= 10:
                continue
            threshold = past[-11]
            shape = (sum(np.log(past[-10:] / threshold)) + 5 * 0.25) / (10 + 5)
            if channel[row] > threshold:
                nats = np.log(channel[row] / threshold) / shape + np.log(0.005 * len(past) / 10)
                expected[row] = max(expected[row], nats)
    found = surprises(values, how)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert (found > 0).sum() > 3


def test_alarms_are_rationed() -> None:
    surprise = np.zeros(400)
    surprise[[10, 20, 30, 70, 100, 300, 380]] = [2, 3, 5, 9, 1, 2, 8]
    spoken = rationed(surprise, Detection())
    assert {int(row): spoken[row] for row in np.flatnonzero(spoken)} == {
        10: 2.0,
        # 3 is not twice 2; 5 is more than that, and 9 less than twice 5.
        30: 5.0,
        # 60 rows after the last alarm is still too near, and more is not: 1 is the third of at least its size.
        100: 1 / (1 + 0.4 * 2),
        300: 2 / (1 + 0.4 * 2),
        380: 8.0,
    }


def test_alarms_are_forgotten_with_history() -> None:
    surprise = np.zeros(1000)
    surprise[[100, 200, 500]] = 4
    spoken = rationed(surprise, Detection(memory=350))
    assert spoken[[100, 200, 500]].tolist() == [4, 4 / 1.4, 4 / 1.4]


def test_against_the_season_the_usual_peak_is_usual_and_a_missing_one_odd() -> None:
    hours = np.arange(24 * 40) % 24
    values = 100.0 * (hours == 20) + np.random.default_rng(5).normal(size=24 * 40)
    # On one day the peak of the evening comes in the morning as well.
    values[24 * 35 + 9] += 100
    frame = series(values, "1h")
    daily = detect(frame, Detection(season="day"))
    assert daily.idxmax() == 24 * 35 + 9
    assert daily.max() > 0.7
    assert detect(frame)[24 * 35 + 9] < daily.max()
    # Nothing is known on the first day.
    assert (daily.head(24) == 0).all()


def test_days_and_weeks_differ() -> None:
    """Weekends are quiet: against the day before, each Monday would be odd; against the Mondays before, none is."""
    days = np.arange(24 * 7 * 12) // 24
    values = np.where(days % 7 < 5, 50.0, 5.0) + np.random.default_rng(5).normal(size=len(days))
    values[24 * 7 * 11 + 24 * 5 + 12] = 50.0
    weekly = detect(series(values, "1h"), Detection(season="week"))
    assert weekly.idxmax() == 24 * 7 * 11 + 24 * 5 + 12


def test_a_pause_of_years_costs_nothing() -> None:
    frame = series(noise(2000), "1h")
    later = frame.assign(timestamp=frame["timestamp"] + pd.DateOffset(years=30))
    scores = detect(pd.concat([frame, later], ignore_index=True), Detection(season="day"))
    assert len(scores) == 4000


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"time": [1], "value": [1.0]}), "no column timestamp; it has time, value"),
        (pd.DataFrame({"a": [1]}), "no column timestamp and no value"),
        (pd.DataFrame({"timestamp": ["soon"], "value": [1.0]}), "timestamps cannot be read"),
        (pd.DataFrame({"timestamp": [None], "value": [1.0]}), "1 rows have no timestamp"),
        (pd.DataFrame({"timestamp": ["2026-01-01"], "value": ["much"]}), "values are not numbers"),
    ],
)
def test_what_is_no_series_is_refused(frame: pd.DataFrame, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        detect(frame)


def test_a_series_read_from_text_is_the_same_series(tmp_path: pytest.TempPathFactory) -> None:
    frame = series(noise(300))
    path = f"{tmp_path}/series.csv"
    frame.to_csv(path, index=False)
    assert detect(pd.read_csv(path), SMALL).tolist() == detect(frame, SMALL).tolist()
