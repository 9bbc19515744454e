"""Limits hold as they are when a list is shown, whatever they were when it was made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from unit.tables.rows import rows

from cinelake.recommend.eligibility import Limits
from cinelake.recommend.popular_here import Popularity
from cinelake.recommend.service import TOLD, Records
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, PROFILES, TITLES

FIRST = datetime(2026, 3, 1)
SINCE = {"effective_from": FIRST, "effective_date": FIRST.date()}
MARKETS = ("DE", "FR")
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["adult", "kid", "unknown"]),
        st.sampled_from([None, 0, 7, 16]),
        st.sampled_from([*MARKETS, None]),
        st.sampled_from(["active", "deleted"]),
    ),
    max_size=6,
)
# When each title is on offer in each market, in days from the first; None: never there.
OFFERED = st.none() | st.tuples(st.integers(-2, 9), st.none() | st.integers(0, 9))
FILMS = st.lists(
    st.tuples(
        st.sampled_from(["film", "series", "episode", None]),
        st.sampled_from([None, 0, 12, 16]),
        st.tuples(OFFERED, OFFERED),
    ),
    max_size=6,
)


def _after(days: int | None) -> datetime | None:
    return None if days is None else FIRST + timedelta(days=days)


# Each example plans and runs Spark.
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    people=PEOPLE,
    films=FILMS,
    day=st.integers(0, 9),
    undelivered=st.sampled_from(["open", "closed"]),
)
def test_of_a_list_that_is_shown_later_stays_what_may_be_shown_then_and_nothing_else(
    *,
    spark: SparkSession,
    people: list[tuple[str, int | None, str | None, str]],
    films: list[tuple[str | None, int | None, tuple[Any, Any]]],
    day: int,
    undelivered: str,
) -> None:
    now = FIRST + timedelta(days=day)
    windows = [
        (film, market, *window)
        for film, (_, _, of_markets) in enumerate(films)
        for market, window in zip(MARKETS, of_markets, strict=True)
        if window is not None
    ]
    told: dict[Any, list[dict[str, Any]]] = {
        PROFILES: [
            SINCE
            | {
                "profile_id": f"p{n}",
                "account_id": f"a{n}",
                "kind": kind,
                "maturity_limit": limit,
                "status": status,
            }
            for n, (kind, limit, _, status) in enumerate(people)
        ],
        ACCOUNTS: [
            SINCE | {"account_id": f"a{n}", "market": market}
            for n, (_, _, market, _) in enumerate(people)
            if market is not None
        ],
        TITLES: [
            SINCE | {"title_id": f"t{n}", "kind": kind, "maturity": maturity}
            for n, (kind, maturity, _) in enumerate(films)
        ],
        AVAILABILITY: [
            SINCE
            | {
                "title_id": f"t{film}",
                "market": market,
                "available_from": _after(since),
                "available_until": _after(until),
            }
            for film, market, since, until in windows
        ],
    }
    records = Records(*(rows(spark, table, *told.get(table, [])) for table in TOLD))
    limits = Limits.model_validate({"undelivered": undelivered})
    # One profile and one title that nobody has told of, too.
    pairs = [
        (f"p{who}", f"t{film}") for who in range(len(people) + 1) for film in range(len(films) + 1)
    ]
    lists = spark.createDataFrame(pairs, "profile_id string, title_id string")

    shown = records.describe(now.date(), limits, Popularity()).still_shown(lists)

    closed = undelivered == "closed"
    by_market, by_age = bool(windows) or closed, bool(people) or closed

    def is_there(market: str | None, of_markets: tuple[Any, Any]) -> bool:
        window = None if market is None else of_markets[MARKETS.index(market)]
        if window is None:
            return False
        since, until = window
        return since <= day and (until is None or day < until)

    def is_for(kind: str, limit: int | None, least: int | None) -> bool:
        if limit is None or least is None:
            return False
        return least <= (limit if kind == "adult" else min(limit, limits.kids_up_to))

    def may(who: int, film: int) -> bool:
        if not by_market and not by_age:
            return True
        if film == len(films) or films[film][0] == "episode":
            return False
        kind, limit, market = "unknown", None, None
        # Of a profile that is no longer active nothing counts as known.
        if who < len(people) and people[who][3] == "active":
            kind, limit, market, _ = people[who]
        _, least, of_markets = films[film]
        here = is_there(market, of_markets) if by_market else True
        return here and (is_for(kind, limit, least) if by_age else True)

    expected = {
        (f"p{who}", f"t{film}")
        for who in range(len(people) + 1)
        for film in range(len(films) + 1)
        if may(who, film)
    }
    assert {tuple(row) for row in shown.collect()} == expected
