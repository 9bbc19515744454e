"""`cinelake home` shows the newest page for a moment, without what may no longer be shown, or says what there is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from unit.tables.rows import rows

from cinelake.recommend.home.commands import as_rows, page_at
from cinelake.recommend.service import Service
from cinelake.tables.home import HOME_PAGES

FRIDAY, SATURDAY = date(2026, 1, 23), date(2026, 1, 24)


class Shown:
    """A service that shows all but one title."""

    def still_shown(self, pages: DataFrame) -> DataFrame:
        return pages.where(F.col("title_id") != "gone")


class Asked:
    """Whether a title may be shown is asked as of the day of the page."""

    def __init__(self) -> None:
        self.days: list[date] = []

    def __call__(self, until: date) -> Service:
        self.days.append(until)
        return cast(Service, Shown())


def tile(as_of: date, daypart: str, position: int, title: str) -> dict[str, Any]:
    return {
        "as_of": as_of, "profile_id": "p", "device_class": "tv", "daypart": daypart, "position": position,
        "title_id": title, "row_text": "Top picks for you",
    }  # fmt: skip


@pytest.fixture(scope="module")
def pages(spark: SparkSession) -> DataFrame:
    thursday = date(2026, 1, 22)
    return rows(
        spark, HOME_PAGES, tile(FRIDAY, "evening", 1, "up"), tile(FRIDAY, "evening", 0, "heat"),
        tile(FRIDAY, "evening", 2, "gone"), tile(thursday, "evening", 0, "old"), tile(FRIDAY, "night", 0, "late"),
    ).localCheckpoint()  # fmt: skip


@pytest.mark.parametrize(
    ("at", "daypart", "titles", "until"),
    [
        (None, "evening", ["heat", "up"], SATURDAY),
        # Made when Friday ended, for Saturday; and the night that belongs to Friday is early on Saturday.
        (datetime(2026, 1, 24, 20), "evening", ["heat", "up"], SATURDAY),
        (datetime(2026, 1, 24, 1), "night", ["late"], SATURDAY),
        (datetime(2026, 1, 23, 20), "evening", ["old"], FRIDAY),
        # No page was made for it since, and it stays in force: but not for ever.
        (datetime(2026, 1, 30, 20), "evening", ["heat", "up"], date(2026, 1, 30)),
        (datetime(2026, 2, 28, 20), "evening", [], date(2026, 2, 28)),
        (datetime(2026, 1, 22, 20), "evening", [], date(2026, 1, 22)),
    ],
)
def test_the_page_in_force_is_the_newest_made_before_the_day(
    pages: DataFrame, at: datetime | None, daypart: str, titles: list[str], until: date
) -> None:
    asked = Asked()
    found = page_at(pages, at, daypart, FRIDAY, asked)
    assert [row["title_id"] for row in found] == titles
    assert asked.days == [until]


def shown(page: list[dict[str, Any]], of: Callable[..., Any] = as_rows) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(of(page, 2, 2))
    return capture.get()


def test_rows_have_their_text_and_the_first_of_their_titles() -> None:
    def named(
        row: int, name: str, propensity: float | None = None, because: str | None = None
    ) -> dict[str, Any]:
        return tile(FRIDAY, "evening", 0, name) | {
            "row": row, "row_text": f"Row [{row}]", "name": name, "score": 0.25, "propensity": propensity,
            "because_name": because,
        }  # fmt: skip

    text = shown(
        [
            named(0, "Heat"), named(0, "Up", 0.1, "Ran"), named(0, "Jaws"),
            named(1, "Coco", None, "Brave"), named(1, "Alien", None, "Row"), named(2, "Ran"),
        ]
    )  # fmt: skip
    assert "tv, evening, made at the end of 2026-01-23" in text
    assert " 1 Row [0]" in text
    assert "Heat 25%  |  Up 25% (drawn at random)  … 1 more" in text
    # Why a title stands there, unless the row says it already.
    assert "Coco 25% (like Brave)  |  Alien 25%\n" in text
    assert "Ran" not in text
