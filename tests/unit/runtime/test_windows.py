"""Windows are half-open whole days; reaches and cadences are arithmetic on them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelake.runtime.windows import ALL, Cadence, Reach, Window, contiguous

JAN = date(2026, 1, 1)
days = st.dates(date(1995, 1, 1), date(2040, 1, 1))


def test_a_window_holds_its_start_and_not_its_end() -> None:
    window = Window(JAN, date(2026, 1, 3))
    assert window.days == [JAN, date(2026, 1, 2)]
    assert JAN in window
    assert date(2026, 1, 3) not in window


def test_a_window_without_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no day"):
        Window(JAN, JAN)


def test_a_reach_widens_both_sides() -> None:
    assert Reach(2, 1).of(Window.of_day(date(2026, 1, 10))) == (date(2026, 1, 8), date(2026, 1, 12))


def test_a_reach_over_all_history_may_stop_before_the_last_day() -> None:
    assert Reach(ALL, -1).of(Window.of_day(JAN)) == (date.min, JAN)


def test_the_past_ends_where_the_window_starts() -> None:
    assert Reach(ALL, 0, past=True).of(Window(JAN, date(2026, 1, 5))) == (date.min, JAN)


@given(day=days, before=st.integers(0, 40), after=st.integers(-1, 40))
def test_the_first_affected_window_reads_the_day_and_the_one_before_it_does_not(
    day: date, before: int, after: int
) -> None:
    reach = Reach(max(before, -after), after)
    first = reach.first_affected(day)

    def reads(window: Window) -> bool:
        start, end = reach.of(window)
        return start <= day < end

    assert reads(Window.of_day(first))
    assert not reads(Window.of_day(first - timedelta(days=1)))


@given(chosen=st.sets(days, max_size=60))
def test_contiguous_windows_hold_exactly_the_days_and_never_touch(chosen: set[date]) -> None:
    windows = list(contiguous(chosen))
    assert [day for window in windows for day in window.days] == sorted(chosen)
    assert all(earlier.end < later.start for earlier, later in pairwise(windows))


@pytest.mark.parametrize(
    ("cadence", "newest"),
    [
        (Cadence.DAILY, date(2026, 1, 14)),
        (Cadence.WEEKLY, date(2026, 1, 12)),
        (Cadence.MONTHLY, JAN),
        (Cadence.ON_DEMAND, date(2026, 1, 14)),
    ],
)
def test_the_newest_due_day_has_ended(cadence: Cadence, newest: date) -> None:
    assert cadence.newest_due(date(2026, 1, 15)) == newest
