"""The report lists cases and draws when the devices of the first played; a case is told on a screen."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import typer
from pyspark.sql import SparkSession
from rich.console import Console
from unit.tables.rows import rows

from cinelake.integrity.commands import current, most_pressing, whole_id
from cinelake.integrity.report import Seen, cases_that_stand, timeline
from cinelake.integrity.shown import as_file, as_list, changes
from cinelake.report.page import Picture
from cinelake.tables.integrity import INTEGRITY_CASES

DAY = date(2026, 3, 28)


def state(case: str = "abc1", ago: int = 0, **more: Any) -> dict[str, Any]:
    told = {
        "case_id": case,
        "state_date": DAY - timedelta(days=ago),
        "account_id": "ann",
        "kind": "sharing",
        "opened_on": DAY - timedelta(days=9),
        "last_signal_on": DAY,
        "signal_days": 3,
        "status": "needs_review",
        "probability": 0.93,
        "severity": "high",
        "stake_ms": 36_000_000,
        "suggested_action": "step_up",
        "reasons": [{"code": "has_set", "text": "has its own set", "weight": 1.25}],
        "evidence": ["1 devices of its own"],
    }
    return told | more


def use(device: str, ago: int, hours: int) -> dict[str, Any]:
    day = DAY - timedelta(days=ago)
    return {
        "account_id": "ann",
        "use_date": day,
        "device_id": device,
        "device_kind": "tv",
        "country": "DE",
        "region": "Berlin",
        "played_ms": 3_600_000,
        "hours": hours,
    }


def party(as_of: date, is_home: bool, *devices: str) -> dict[str, Any]:
    return {
        "account_id": "ann",
        "as_of": as_of,
        "is_home": is_home,
        "party": devices[0],
        "devices": devices,
    }


def test_the_first_cases_have_a_picture_of_their_devices() -> None:
    usage = [use("home", 1, 1 << 20), use("stranger", 1, 0b11), use("long ago", 90, 1)]
    parties = [party(DAY, True, "home"), party(DAY, False, "stranger")]
    section = cases_that_stand({"needs_review": 1}, [state()], [state()], Seen(usage, parties))
    (picture,) = [part for part in section.parts if isinstance(part, Picture)]
    labels = [text.get_text() for text in picture.figure.axes[0].get_yticklabels()]
    assert labels == ["tv home, Berlin", "tv strang, Berlin"]
    assert "<svg" in picture.html()


def test_a_case_of_several_places_has_a_map_beside_its_devices() -> None:
    usage = [use("home", 1, 1 << 20), use("abroad", 1, 0b11) | {"country": "US", "region": "Texas"}]
    middles = [
        {"country": "DE", "region": "Berlin", "latitude": 52.9, "longitude": 13.9},
        {"country": "US", "region": "Texas", "latitude": 32.2, "longitude": -97.0},
    ]
    section = cases_that_stand(
        {"needs_review": 1}, [state()], [state()], Seen(usage, [], usage, [], middles)
    )
    _, chart = [part for part in section.parts if isinstance(part, Picture)]
    assert "where the account was used" in chart.caption
    names = {text.get_text() for text in chart.figure.axes[0].texts}
    assert any(name.startswith("Texas, US, 8,") for name in names)


def test_a_case_without_any_use_has_no_picture() -> None:
    assert timeline(state(), [use("long ago", 90, 1)], {}) is None


def printed(shown: Any, width: int = 200) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(shown)
    return console.export_text()


def test_a_list_says_what_presses_and_why_on_a_narrow_terminal() -> None:
    first, stake, *why = [line.rstrip() for line in printed(as_list([state()]), 80).splitlines()]
    assert first.startswith("abc1")
    assert "sharing, high, 93% likely, since " in first
    assert stake.startswith("    10.0 hours at stake; suggested: ")
    assert "has its own set" in " ".join(why)


def test_a_case_tells_that_a_person_decides_and_what_changed() -> None:
    stream = {
        "device_id": "d" * 32,
        "region": "Berlin",
        "country": "DE",
        "from_at": datetime(2026, 3, 28, 20),
        "until_at": datetime(2026, 3, 28, 22),
    }
    excess = {
        "from_at": datetime(2026, 3, 28, 20),
        "until_at": datetime(2026, 3, 28, 21),
        "streams": 3,
        "allowed": 2,
        "evidence": [stream],
    }
    given = {"given_on": DAY, "verdict": "reject", "given_by": "kim", "why": "two homes"}
    states = [state(ago=1), state(status="rejected")]
    text = printed(
        as_file(states, [excess], [given], ["Texas, US: 3.0 h on 2 days, 8,452 km away"])
    )
    assert "8,452 km away" in text
    assert "the policy suggests to step up, a person decides" in text
    assert "20:00 to 21:00: 3 of 2" in text
    assert "reject by kim: two homes" in text
    assert changes(states) == [
        f"{DAY - timedelta(days=1)} needs_review, high, 93%, day 3 with a signal",
        f"{DAY} rejected, high, 93%, day 3 with a signal",
    ]


def test_cases_are_found_by_how_their_ids_begin_the_most_pressing_first(
    spark: SparkSession,
) -> None:
    given = [
        state("abc1", ago=1),
        state("abc1"),
        state("abd2", severity="medium"),
        state("b3", probability=0.99),
    ]
    states = rows(spark, INTEGRITY_CASES, *given).localCheckpoint()
    assert whole_id(states, "b") == "b3"
    with pytest.raises(typer.BadParameter, match="no case begins with 'x'"):
        whole_id(states, "x")
    with pytest.raises(typer.BadParameter, match="several cases begin with 'ab': abc1, abd2"):
        whole_id(states, "ab")
    pressing = most_pressing(current(states), 3)
    assert [row["case_id"] for row in pressing] == ["b3", "abc1", "abd2"]
