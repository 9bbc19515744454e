"""Who gets a new page on which day, and that what is left out changes nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows

from cinelake.recommend.home.due import Turns, due, in_force, lively, newest_day, outdated
from cinelake.recommend.home.planning import Told
from cinelake.recommend.service import Records, Service
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import HOME_PAGES, STOPPING_POINTS, TITLE_EXPOSURES

FIRST = date(2026, 3, 2)
PEOPLE = [f"p{n}" for n in range(40)]


def day(ago: int) -> date:
    return FIRST - timedelta(days=ago)


def told(spark: SparkSession, given: dict[Table, list[dict[str, Any]]]) -> Told:
    def of(table: Table) -> DataFrame:
        return rows(spark, table, *given.get(table, []))

    nothing = spark.range(0)
    records = Records(nothing, nothing, of(PROFILES), of(ACCOUNTS), nothing, nothing)
    return Told(
        of(TITLE_SIGNALS), of(STOPPING_POINTS), of(TITLE_EXPOSURES), nothing, nothing, nothing, records
    )  # fmt: skip


def test_who_did_something_lately_or_was_changed_is_lively(spark: SparkSession) -> None:
    given: dict[Table, list[dict[str, Any]]] = {
        TITLE_SIGNALS: [
            {"profile_id": "judged", "signal_date": day(1)},
            # Three days before is too long ago, and the day that begins is not over.
            {"profile_id": "away", "signal_date": day(3)},
            {"profile_id": "later", "signal_date": day(0)},
        ],
        STOPPING_POINTS: [{"profile_id": "watched", "play_date": day(2)}],
        TITLE_EXPOSURES: [{"profile_id": "looked", "shown_date": day(1)}],
        PROFILES: [
            {"profile_id": "new", "account_id": "a", "effective_date": day(1)},
            {"profile_id": "moved", "account_id": "b", "effective_date": day(90)},
            {"profile_id": "away", "account_id": "c", "effective_date": day(90)},
        ],
        ACCOUNTS: [
            {"account_id": "b", "effective_date": day(2)},
            {"account_id": "c", "effective_date": day(9)},
        ],
    }
    found = lively(told(spark, given), FIRST, 2)
    assert sorted(row.profile_id for row in found.collect()) == [
        "judged", "looked", "moved", "new", "watched",
    ]  # fmt: skip


class Shown:
    """A service that shows nobody what is closed, and children nothing that is grim."""

    def still_shown(self, pages: DataFrame) -> DataFrame:
        closed = F.col("title_id").startswith("closed")
        return pages.where(
            ~closed & ~((F.col("title_id") == "grim") & (F.col("profile_id") == "kid"))
        )


def test_who_has_a_page_with_what_may_no_longer_be_shown_is_named(spark: SparkSession) -> None:
    def held(profile: str, title: str, ago: int = 2) -> dict[str, Any]:
        return page(profile, day(ago)) | {"title_id": title}

    pages = rows(
        spark, HOME_PAGES, held("ann", "closed"), held("ann", "open"), held("kid", "grim"), held("bob", "grim"),
        # A page that is no longer in force, one that nobody would see any more, and a title of which nothing was
        # decided since.
        held("new", "closed", 3), held("new", "open", 1), held("old", "closed", 40), held("sure", "closed long ago"),
    )  # fmt: skip
    titles = rows(
        spark,
        TITLES,
        {"title_id": "grim", "effective_date": day(1)},
        {"title_id": "closed long ago", "effective_date": day(99)},
    )
    ended = datetime(day(1).year, day(1).month, day(1).day, 12)
    availability = rows(
        spark,
        AVAILABILITY,
        {"title_id": "closed", "effective_date": day(99), "available_until": ended},
        {"title_id": "closed long ago", "effective_date": day(99), "available_until": None},
    )
    nothing = spark.range(0)
    records = Records(titles, availability, nothing, nothing, nothing, nothing)
    found = outdated(pages, records, cast(Service, Shown()), FIRST)
    assert sorted(row.profile_id for row in found.collect()) == ["ann", "kid"]


def page(profile: str, as_of: date, settings: str | None = "now") -> dict[str, Any]:
    return {"profile_id": profile, "as_of": as_of, "settings": settings, "title_id": f"{as_of}"}


def test_without_a_page_by_the_same_settings_a_profile_is_due(spark: SparkSession) -> None:
    names = ("kept", "old", "other", "before", "back", "lively")
    people = spark.createDataFrame([(name,) for name in names], "profile_id string")
    pages = rows(
        spark, HOME_PAGES, page("kept", day(1)), page("kept", day(9)), page("old", day(5)), page("lively", day(1)),
        page("other", day(1), "then"), page("before", day(1), None),
        # Editors went back to what they had decided first, and the page in force is of what came between.
        page("back", day(2)), page("back", day(1), "then"),
    )  # fmt: skip
    awake = spark.createDataFrame([("lively",)], "profile_id string")
    # Of such a length that on this day it is nobody's turn.
    found = due(people, awake, pages, FIRST, "now", Turns(turn_days=5)).where("is_due")
    assert sorted(row.profile_id for row in found.collect()) == [
        "back", "before", "lively", "old", "other",
    ]  # fmt: skip


Made = dict[date, list[str]]


def written(spark: SparkSession, made: Made) -> DataFrame:
    return rows(
        spark, HOME_PAGES, *(page(name, on) for on, names in made.items() for name in names)
    )


@pytest.mark.thorough
def test_in_any_order_of_days_the_same_pages_are_made_and_everybody_has_one(
    spark: SparkSession,
) -> None:
    turns, days = Turns(lively_days=2, turn_days=4), [FIRST + timedelta(days=n) for n in range(6)]
    people = spark.createDataFrame([(name,) for name in PEOPLE], "profile_id string")
    acts = [
        (name, on)
        for n, name in enumerate(PEOPLE[:20])
        for at, on in enumerate(days)
        if n * at % 7 == 3
    ]

    def computed(made: Made, on: date) -> None:
        lately = {(name,) for name, then in acts if 0 <= (on - then).days < turns.lively_days}
        awake = spark.createDataFrame(sorted(lately), "profile_id string")
        before = written(spark, {then: names for then, names in made.items() if then < on})
        found = due(people, awake, before, on, "now", turns).where("is_due").collect()
        made[on] = sorted(row.profile_id for row in found)

    in_turn: Made = {}
    for on in days:
        computed(in_turn, on)
    # The last day comes first, and again, as what became stale does, once the others are there.
    mixed: Made = {}
    for on in (days[5], *days):
        computed(mixed, on)
    assert mixed == in_turn
    assert len(in_turn[days[0]]) == len(PEOPLE)
    assert all(0 < len(in_turn[on]) < len(PEOPLE) for on in days[1:])
    pages = written(spark, in_turn).localCheckpoint()
    assert newest_day(pages) == days[-1]
    for on in days:
        counts = {row.profile_id: row.as_of for row in in_force(pages, on).collect()}
        # Of all pages of all days that of the newest day on which it was due, which is not long ago.
        assert counts == {
            name: max(d for d in days if d <= on and name in in_turn[d]) for name in PEOPLE
        }
        assert min(counts.values()) > on - timedelta(days=turns.turn_days)
