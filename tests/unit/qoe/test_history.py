"""What the days before tell of an hour is what a plain loop over them tells."""

from __future__ import annotations

from datetime import date
from math import isnan, nan

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cinelake.qoe.chances import surprise
from cinelake.qoe.history import Heads, above_children, nobody, rated, whole_cells
from cinelake.qoe.usual import Usual
from cinelake.tables.qoe import METRICS

# Day 110 is a Tuesday.
USUAL = Usual(days=7, lately_days=3, spread_pairs=500, holidays=(date(1970, 4, 21),))
HOUR = ["cell", "day", "hour"]
ROW = ["cell", "metric", "day", "hour"]
TOLD = ["rate", "spread", "known"]
ABOVE = ["prior", "profile", "now"]


def scene(seed: int, known: float) -> pd.DataFrame:
    """Hours of three series with gaps, now and then a bad one; a share of priors, profiles and nows is known."""
    drawn = np.random.default_rng(seed)
    rows = [
        (cell, metric, day, hour)
        for cell, metric in (("a", "stall"), ("a", "slow_start"), ("b", "stall"))
        for day in range(100, 120)
        for hour in (3, 20)
        if drawn.random() < 0.8
    ]
    frame = pd.DataFrame(rows, columns=ROW)
    frame["is_free"] = frame.day.isin([100, 101, 107, 108, 110, 114, 115])
    frame["total"] = drawn.integers(1, 200, len(frame))
    chance = np.where(drawn.random(len(frame)) < 0.1, 0.4, 0.03)
    frame["bad"] = drawn.binomial(frame.total, chance)
    for name, low, high in (("prior", 0.01, 0.1), ("profile", 0.5, 2), ("now", 0.01, 0.1)):
        told = drawn.uniform(low, high, len(frame))
        frame[name] = np.where(drawn.random(len(frame)) < known, told, nan)
    return frame


def alone(frame: pd.DataFrame) -> pd.DataFrame:
    """The same of cells above which there is nobody."""
    return frame.assign(prior=nan, profile=1.0, now=nan)


# What the parents of a cell and of all others have.
PARENTS = {"a": 11, "b": -3}


def table(frame: pd.DataFrame, seed: int = 0) -> pa.Table:
    """A row an hour, as the module takes it: those of a cell together, in any order."""
    hours = frame[HOUR].drop_duplicates().sample(frac=1, random_state=seed)
    hours = hours.sort_values("cell", kind="stable").reset_index(drop=True)
    columns = {
        "key": hours.cell.map({"a": -5, "b": 7}),
        "parent": hours.cell.map(PARENTS),
        "cell": hours.cell,
        "at": pa.array(hours.day * 24 + hours.hour, pa.int32()),
    }
    counts = np.zeros((len(hours), len(METRICS)), np.int64)
    for place, metric in enumerate(METRICS):
        own = hours.merge(frame[frame.metric == metric], on=HOUR, how="left")
        bad, total = own[["bad", "total"]].fillna(0).to_numpy(np.int64).T
        counts[:, place] = bad << 32 | total
    columns["counts"] = pa.array(list(counts), pa.list_(pa.int64()))
    return pa.table(columns)


def heads(frame: pd.DataFrame) -> Heads:
    """What is above the hours of a frame."""
    hours = frame[HOUR].drop_duplicates().reset_index(drop=True)
    above = np.full((len(hours), len(METRICS), 3), nan)
    for place, metric in enumerate(METRICS):
        own = hours.merge(frame[frame.metric == metric], on=HOUR, how="left")
        above[:, place] = own[ABOVE]
    rows = pa.table(
        {
            "key": hours.cell.map(PARENTS),
            "at": pa.array(hours.day * 24 + hours.hour, pa.int32()),
            "above": pa.array([each.tobytes() for each in above], pa.binary()),
        }
    )
    return Heads.of(rows.slice(0, 0), rows)


def frame_of(made: pa.Table, above: Heads, first: int = 0, usual: Usual = USUAL) -> pd.DataFrame:
    """What is told of a table, in order."""
    found = pa.Table.from_batches(list(rated(made, above, usual, first))).to_pandas()
    return found.sort_values(ROW).reset_index(drop=True)


def by_loops(frame: pd.DataFrame, usual: Usual) -> pd.DataFrame:
    """The method as its description says it, row by row."""

    def shrunk(bad: float, total: float, prior: float, weight: float) -> float:
        if not isnan(prior):
            return (bad + weight * prior) / (total + weight)
        return bad / total if total else nan

    def bounded(rate: float) -> float:
        return rate if isnan(rate) else min(max(rate, 1e-4), 0.95)

    def past(row: pd.Series, days: int, *same: str) -> pd.DataFrame:
        own = frame[(frame.day < row.day) & (frame.day >= row.day - days)]
        for name in ("cell", "metric", *same):
            own = own[own[name] == row[name]]
        return own

    w = usual.level_sessions
    for place, row in frame.iterrows():
        own = past(row, usual.days)
        prior = row.now if isnan(row.prior) else row.prior
        rate = bounded(shrunk(own.bad.sum(), own.total.sum(), prior, w) * row.profile)
        capped = row.bad if isnan(rate) else min(row.bad, usual.cap * rate * row.total + 3)
        frame.loc[place, "capped"] = capped
        frame.loc[place, "shape"] = rate / bounded(shrunk(own.bad.sum(), own.total.sum(), prior, w))
    told = []
    for _, row in frame.iterrows():
        own, late = past(row, usual.days), past(row, usual.lately_days)
        long = shrunk(own.capped.sum(), own.total.sum(), row.prior, w)
        level = bounded(shrunk(late.capped.sum(), late.total.sum(), long, w))
        # Weeks, as it were, each with the level that it had.
        ago = (row.day - own.day - 1) // usual.lately_days
        own["level"] = ago.map(
            {
                week: bounded(shrunk(some.capped.sum(), some.total.sum(), long, w))
                for week, some in own.groupby(ago)
            }
        )
        hour = own[(own.hour == row.hour) & (own.is_free == row.is_free)]
        profile = row.profile
        for weight, some in (
            (usual.hour_sessions, hour),
            (usual.weekday_sessions, hour[(row.day - hour.day) % 7 == 0]),
        ):
            if weight is not None:
                expected = (some.total * some.level).sum()
                profile = shrunk(some.capped.sum(), expected, profile, weight * level)
        rate = bounded(level * profile)
        held = usual.spread_pairs * (1.0 if isnan(level) else level * (1 - level))
        then = own[own["shape"].notna()]
        expected, varies = then.total * then.level * then["shape"], then.level * then["shape"]
        varies = expected * (1 - varies)
        over = ((then.capped - expected) ** 2 - varies).sum()
        pairs = (varies * (then.total - 1)).sum()
        spread = (over + usual.spread * held) / (max(pairs, 0) + held)
        spread = min(max(spread, 1e-4), 0.3) + 1 / (own.total.sum() + w)
        told.append((level, bounded(row.now) if isnan(rate) else rate, spread, own.total.sum()))
    expected = pd.DataFrame(told, columns=["level", *TOLD])
    return pd.concat([frame[[*ROW, "bad", "total"]], expected], axis=1)


@pytest.mark.parametrize("known", [0.0, 0.7, 1.0])
def test_it_agrees_with_loops_over_the_days_before(known: float) -> None:
    frame = scene(1, known)
    expected = by_loops(frame, USUAL).drop(columns="level").sort_values(ROW, ignore_index=True)
    found = frame_of(table(frame), heads(frame))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)


@pytest.mark.parametrize("known", [0.0, 0.7])
def test_weekdays_by_themselves_agree_with_loops_too(known: float) -> None:
    usual = USUAL.model_copy(update={"days": 15, "weekday_sessions": 40.0})
    frame = scene(3, known)
    expected = by_loops(frame, usual).drop(columns="level").sort_values(ROW, ignore_index=True)
    found = frame_of(table(frame), heads(frame), usual=usual)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)
    assert not np.allclose(found.rate, frame_of(table(frame), heads(frame)).rate)


def test_a_weekday_that_is_always_worse_has_a_baseline_of_its_own() -> None:
    """Of each evening 500 sessions, of which 40 go bad on Fridays, and 10 on other days; Good Friday is a holiday."""
    days = np.arange(100, 128)
    frame = pd.DataFrame({"cell": "a", "metric": "stall", "day": days, "hour": 20})
    frame["total"], frame["bad"] = 500, np.where((days + 3) % 7 == 4, 40, 10)
    friday = int(days[(days + 3) % 7 == 4][-1])
    holiday = date.fromordinal(date(1970, 1, 1).toordinal() + friday)

    def usually(**told: object) -> dict[int, float]:
        usual = Usual(**told)  # type: ignore[arg-type]
        found = frame_of(table(frame), nobody(), friday - 3, usual)
        return dict(zip(found.day - friday, found.rate, strict=True))

    alike, apart = usually(), usually(weekday_sessions=200)
    assert alike[0] == pytest.approx(0.032, abs=0.004)
    assert apart[0] == pytest.approx(0.073, abs=0.004)
    assert apart[-1] == pytest.approx(0.021, abs=0.003)
    # As a weekend, of which no Friday was one.
    as_weekend = usually(weekday_sessions=200, holidays=(holiday,))
    assert as_weekend[0] == pytest.approx(0.02, abs=0.003)


def test_after_a_step_of_the_level_an_hour_is_told_from_as_little_as_before() -> None:
    """Of 3,000 sessions an hour two in a hundred go bad, and five from day 140 on."""
    drawn = np.random.default_rng(5)
    frame = pd.DataFrame(
        [(d, h) for d in range(80, 180) for h in range(24)], columns=["day", "hour"]
    )
    frame = frame.assign(cell="a", metric="stall", total=3000)
    rate = np.where(frame.day < 140, 0.02, 0.05)
    frame["bad"] = drawn.binomial(frame.total, rate)
    found = frame_of(table(frame), nobody(), 130, Usual()).assign(actual=rate[frame.day >= 130])

    def least(day: int) -> float:
        """Times the actual rate at which an hour of that day is as surprising as an alarm has to be."""
        own = found[found.day == day]
        for times in np.arange(1, 6, 0.05):
            bad = (times * own.actual * own.total).to_numpy()
            told = surprise(
                bad, *(own[name].to_numpy(float) for name in ("total", "rate", "spread"))
            )
            if (told > 5).all():
                return float(times)
        return 6.0

    before = least(139)
    assert before < 2
    assert [least(140 + day) for day in (7, 8, 14, 21, 34)] == pytest.approx([before] * 5, rel=0.25)


def test_where_nobody_is_above_no_hour_is_like_another_beforehand() -> None:
    frame = alone(scene(2, 0.0))
    expected = by_loops(frame, USUAL).drop(columns="level").sort_values(ROW, ignore_index=True)
    found = frame_of(table(frame), nobody())
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)


def test_days_before_the_first_are_history_only() -> None:
    frame = scene(1, 1.0)
    made, above = table(frame), heads(frame)
    late, whole = frame_of(made, above, 115), frame_of(made, above)
    pd.testing.assert_frame_equal(late, whole[whole.day >= 115].reset_index(drop=True))
    assert list(rated(made, above, USUAL, 120)) == []


@pytest.mark.parametrize("has_above", [False, True])
def test_children_are_given_what_is_known_and_else_what_was_given(has_above: bool) -> None:
    frame = scene(1, 0.5) if has_above else alone(scene(1, 0.0))
    made = table(frame)
    found = above_children(made, heads(frame) if has_above else nobody(), USUAL).to_pandas()
    given = np.stack([np.frombuffer(each) for each in found.above])
    found["cell"] = made["cell"]
    own = by_loops(frame, USUAL).assign(at=frame.day * 24 + frame.hour)
    own["profile"] = own.rate / own.level
    own["now"] = frame.now.fillna(own.bad / own.total)
    own["prior"] = own.level.fillna(frame.prior)
    own["profile"] = own.profile.fillna(frame.profile if has_above else nan)
    for place, metric in enumerate(METRICS):
        of_metric = own[own.metric == metric]
        expected = found[["cell", "at"]].merge(of_metric, on=["cell", "at"], how="left")[ABOVE]
        np.testing.assert_allclose(given[:, 3 * place : 3 * place + 3], expected, rtol=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 40, 10_000])
@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_cells_are_never_cut_in_two(rows: int, at_once: int) -> None:
    made = table(scene(3, 1.0))
    more = [made.set_column(0, "key", pa.array(made["key"].to_numpy() + 100 * n)) for n in range(3)]
    whole = pa.concat_tables(more)
    pieces = list(whole_cells(iter(whole.to_batches(max_chunksize=rows)), at_once))
    assert pa.concat_tables(pieces) == whole
    keys = [len(piece["key"].unique()) for piece in pieces]
    assert sum(keys) == 6
    assert max(keys) <= at_once


def test_of_no_rows_nothing_is_told() -> None:
    nothing = table(scene(3, 1.0)).slice(0, 0)
    empty = pa.RecordBatch.from_pylist([], schema=nothing.schema)
    assert list(whole_cells(iter([]))) == []
    assert list(whole_cells(iter([empty, empty]))) == []


def test_where_a_parent_does_not_know_the_whole_service_does() -> None:
    def rows(*told: tuple[int, int, float]) -> pa.Table:
        held = [np.full((len(METRICS), 3), value).tobytes() for *_, value in told]
        key, at = ([one[place] for one in told] for place in (0, 1))
        return pa.table(
            {"key": pa.array(key, pa.int64()), "at": pa.array(at, pa.int32()), "above": pa.array(held, pa.binary())}
        )  # fmt: skip

    above = Heads.of(
        rows((0, 30, 0.1), (0, 31, 0.2)), rows((9, 31, 0.3), (9, 33, 0.4), (-4, 30, nan))
    )
    asked = [(9, 30), (9, 31), (9, 33), (9, 32), (5, 31), (5, 33), (-4, 30), (-4, 29), (10, 34)]
    parents, at = (np.array([one[place] for one in asked]) for place in (0, 1))

    has, head, hour = above.above(parents, at)

    assert has.tolist() == [True, True, True, False, True, False, True, False, False]
    np.testing.assert_array_equal(above.told[head, hour, 0, 0], [0.1, 0.3, 0.4, 0.2, nan])
    none, *_ = nobody().above(parents, at)
    assert not none.any()
