"""The places of a case: how far apart they are, in words and on a map."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import h3
import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.integrity.journeys import place_days
from cinelake.integrity.whereabouts import (
    MOST,
    Link,
    distance_km,
    drawn,
    in_words,
    links,
    middles_of,
    regions,
    spots,
)
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.integrity import PLACE_DAYS

DAY = date(2026, 3, 28)
HOUR = 3_600_000
# By H3's own function, from the middle of Berlin's cell to that of Texas's.
TO_TEXAS = h3.great_circle_distance((52.932, 13.879), (32.238, -96.951))
MIDDLES = [
    {"country": "DE", "region": "Berlin", "latitude": 52.932, "longitude": 13.879},
    {"country": "US", "region": "Texas", "latitude": 32.238, "longitude": -96.951},
]


def use(country: str, region: str, ago: int, hours: float) -> dict[str, Any]:
    day = DAY - timedelta(days=ago)
    return {"country": country, "region": region, "use_date": day, "played_ms": int(hours * HOUR)}


USAGE = [
    use("DE", "Berlin", 0, 2),
    use("DE", "Berlin", 0, 1),
    use("DE", "Berlin", 20, 2),
    use("US", "Texas", 1, 3),
    use("unknown", "unknown", 1, 0.5),
    # Out of sight: too long ago, and of a day that the case does not know yet.
    use("DE", "Berlin", 21, 100),
    use("FR", "Brittany", -1, 1),
]


def journey(one: str, other: str, ago: int) -> dict[str, Any]:
    return {
        "earlier_place": one,
        "later_place": other,
        "later_date": DAY - timedelta(days=ago),
        "times": 1,
    }


JOURNEYS = [
    journey("DE, Berlin", "US, Texas", 1),
    journey("US, Texas", "DE, Berlin", 2),
    journey("DE, Berlin", "US, Washington, D.C.", 2),
    journey("DE, Berlin", "US, Texas", 40),
]
BOTH = [
    Link(("DE", "Berlin"), ("US", "Texas"), 2),
    Link(("DE", "Berlin"), ("US", "Washington, D.C."), 1),
]


def test_regions_are_told_by_use_with_their_distance_from_the_most_used() -> None:
    found = spots(USAGE, MIDDLES, DAY)
    assert [(spot.name, spot.days, spot.played_ms / HOUR) for spot in found] == [
        ("Berlin, DE", 2, 5),
        ("Texas, US", 1, 3),
        ("unknown, unknown", 1, 0.5),
    ]
    assert [spot.km for spot in found] == [0, pytest.approx(TO_TEXAS, rel=1e-6), None]
    assert in_words(found, links(JOURNEYS, DAY)) == [
        "Berlin, DE: 5.0 h on 2 days",
        f"Texas, US: 3.0 h on 1 day, {found[1].km:,.0f} km away",
        "unknown, unknown: 0.5 h on 1 day, where that lies is not known",
        "Berlin, DE and Texas, US: 2 times sooner than anybody could travel",
        "Berlin, DE and Washington, D.C., US: once sooner than anybody could travel",
    ]


def test_distances_begin_at_the_first_region_that_lies_somewhere() -> None:
    found = spots(USAGE, MIDDLES[1:], DAY)
    assert [spot.km for spot in found] == [None, 0, None]


def test_no_more_is_shown_than_anybody_reads() -> None:
    many = [use("DE", f"r{n:02}", 0, n) for n in range(40)]
    assert [spot.region for spot in spots(many, [], DAY)] == [
        f"r{n}" for n in range(39, 39 - MOST, -1)
    ]


def test_a_pair_of_regions_is_one_whichever_came_first() -> None:
    assert links(JOURNEYS, DAY) == BOTH


def test_a_map_has_each_place_its_distance_and_what_nobody_could_travel() -> None:
    figure = drawn(spots(USAGE, MIDDLES, DAY), BOTH)
    assert figure is not None
    (axes,) = figure.axes
    texts = {text.get_text() for text in axes.texts}
    assert texts == {"Berlin, DE", f"Texas, US, {TO_TEXAS:,.0f} km"}
    for axis, (low, high) in ((0, axes.get_xlim()), (1, axes.get_ylim())):
        assert all(low < dots.get_offsets()[0][axis] < high for dots in axes.collections)
    # To Texas one line with its distance and one dashed; Washington lies nowhere on the map.
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
    assert len(axes.collections) == 2


def test_a_map_crosses_the_date_line_by_the_shorter_way() -> None:
    middles = [
        {"country": "FJ", "region": "Viti Levu", "latitude": -17.8, "longitude": 178.0},
        {"country": "WS", "region": "Upolu", "latitude": -13.9, "longitude": -171.8},
    ]
    usage = [use("FJ", "Viti Levu", 0, 2), use("WS", "Upolu", 0, 1)]
    figure = drawn(spots(usage, middles, DAY), [])
    assert figure is not None
    low, high = figure.axes[0].get_xlim()
    assert high - low < 60


def test_one_place_is_no_map() -> None:
    assert drawn(spots(USAGE, MIDDLES[:1], DAY), BOTH) is None
    assert drawn([], []) is None


def test_a_quarter_of_the_equator_is_ten_thousand_kilometres() -> None:
    assert distance_km((0, 0), (0, 90)) == pytest.approx(10_007.5, abs=0.1)
    assert distance_km((90, 0), (90, 77)) == pytest.approx(0, abs=1e-9)


def test_a_region_lies_where_most_log_ins_of_the_weeks_before_were(spark: SparkSession) -> None:
    def at(cell: str, log_ins: int, ago: int, **more: Any) -> dict[str, Any]:
        told = {
            "country": "DE",
            "region": "Berlin",
            "cell": cell,
            "latitude": float(ord(cell)),
            "longitude": -1.0,
            "log_in_date": DAY - timedelta(days=ago),
            "log_ins": log_ins,
        }
        return told | more

    places = rows(
        spark,
        PLACE_DAYS,
        at("a", 2, 0),
        at("b", 2, 1),
        at("b", 1, 28),
        at("a", 9, 29),
        at("a", 9, -1),
        at("a", 9, 0, region="Bavaria"),
        # Of the same name elsewhere, where the account never was.
        at("c", 9, 0, country="US"),
    )
    found = middles_of(places, regions(USAGE, DAY) - {("US", "Texas")}, DAY)
    same(
        found,
        spark.createDataFrame(
            [("DE", "Berlin", 98.0, -1.0)],
            "country string, region string, latitude double, longitude double",
        ),
    )


def test_a_region_lies_where_somebody_logged_in_and_not_where_somebody_left(
    spark: SparkSession,
) -> None:
    berlin, texas = "831f1dfffffffff", "8326cbfffffffff"
    came = {
        "event": "log_in",
        "country": "DE",
        "region": "Berlin",
        "cell": berlin,
        "attempt_date": DAY,
    }
    left = came | {"event": "log_out"}
    tries = rows(
        spark,
        LOG_INS,
        came,
        came | {"outcome": "wrong_password"},
        left,
        left | {"region": "Texas", "country": "US", "cell": texas},
    )
    expected = spark.createDataFrame(
        [("Berlin", berlin, DAY, 2)], "region string, cell string, log_in_date date, log_ins bigint"
    )
    same(place_days(tries), expected)
