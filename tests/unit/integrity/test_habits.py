"""Tastes and times of the day: two, or one? By counts of few titles."""

from __future__ import annotations

from datetime import date, timedelta
from math import isfinite
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cinelake.integrity.habits import apart, genres, parts_of_day, tastes, times_of_day

DAY = date(2026, 3, 2)
HOME = {"Drama": 60, "Comedy": 40}
COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 300), max_size=6)


def watched(day: int, hour: int = 20, profile: str = "owner", **titles: int) -> dict[str, Any]:
    told = [{"genre": genre, "titles": count} for genre, count in sorted(titles.items())]
    on = DAY + timedelta(days=day)
    return {"use_date": on, "profile_id": profile, "hours": 1 << hour, "genres": told}


def test_disjoint_tastes_are_two_and_like_ones_are_one() -> None:
    assert apart({"Horror": 30, "Thriller": 10}, HOME) > 3
    assert apart({"Drama": 24, "Comedy": 16}, HOME) < -0.5


def test_three_plays_are_no_taste_of_their_own() -> None:
    three, thirty = ({"Horror": n, "Drama": n // 2} for n in (2, 20))
    assert 0 < apart(three, HOME) < 1.5 < apart(thirty, HOME)
    assert abs(apart({"Drama": 2, "Comedy": 1}, HOME)) < 1


def test_the_same_shares_are_the_surer_one_taste_the_more_there_is_of_them() -> None:
    few, many = (apart({"Drama": 3 * n, "Comedy": 2 * n}, HOME) for n in (1, 30))
    assert many < few < 0


@given(COUNTS, COUNTS)
def test_it_is_the_same_from_both_sides_in_any_order_and_always_a_number(
    own: dict[str, int], others: dict[str, int]
) -> None:
    told = apart(own, others)
    assert isfinite(told)
    assert told == apart(dict(reversed(own.items())), others)
    assert abs(told - apart(others, own)) < 1e-9


def test_without_known_genres_nothing_is_said() -> None:
    assert set(tastes([watched(0)], [watched(1, Drama=9)]).values()) == {0.0}
    assert set(tastes([], []).values()) == {0.0}
    uncounted = watched(0) | {"genres": None}
    assert set(tastes([uncounted], [watched(1, Drama=9), uncounted]).values()) == {0.0}


def test_a_sudden_shift_of_taste_shows_at_the_home_s_own_profile() -> None:
    home = [
        *(watched(day, Drama=2) for day in range(20)),
        *(watched(day, profile="teen", Horror=2) for day in range(20)),
    ]
    intruder = tastes([watched(day, Horror=2) for day in range(20)], home)
    teen_away = tastes([watched(day, profile="teen", Horror=2) for day in range(20)], home)
    guest = tastes([watched(day, profile="guest", Horror=2) for day in range(20)], home)
    assert intruder["tastes_apart"] == teen_away["tastes_apart"] == guest["tastes_apart"]
    assert teen_away["taste_shift"] < 0 < intruder["taste_shift"]
    assert guest["taste_shift"] == 0


def test_tastes_at_once_are_those_of_days_on_which_both_watch_in_the_same_hour() -> None:
    home = [watched(day, Drama=2) for day in range(20)]
    together = [watched(day, Horror=2) for day in range(20)]
    after_one_another = [watched(day, hour=9, Horror=2) for day in range(20)]
    assert tastes(together, home)["tastes_at_once"] > 2
    assert tastes(after_one_another, home)["tastes_at_once"] == 0


def test_a_sudden_shift_of_hours_is_seen_and_an_evening_more_is_none() -> None:
    home = [watched(day, hour) for day in range(20) for hour in (19, 20, 21)]
    nights = [watched(day, hour) for day in range(5) for hour in (2, 3, 4)]
    evening = [watched(3, 20)]
    assert times_of_day(nights, home)["hours_apart"] > 2
    assert abs(times_of_day(evening, home)["hours_apart"]) < 0.5


def test_genres_and_hours_are_counted() -> None:
    rows = [watched(0, 23, Drama=2, Horror=1), watched(0, 21, Drama=1), watched(1, 0)]
    assert genres(rows) == {"Drama": 3, "Horror": 1}
    assert parts_of_day(rows) == {7: 2, 0: 1}
