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


def told(until: date) -> Service:
    assert until == SATURDAY
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
    ("at", "daypart", "titles"),
    [
        (None, "evening", ["heat", "up"]),
        # Made when Friday ended, for Saturday; and the night that belongs to Friday is early on Saturday.
        (datetime(2026, 1, 24, 20), "evening", ["heat", "up"]),
        (datetime(2026, 1, 24, 1), "night", ["late"]),
        (datetime(2026, 1, 25, 20), "evening", []),
    ],
)
def test_a_page_is_for_the_day_after_it_was_made(
    pages: DataFrame, at: datetime | None, daypart: str, titles: list[str]
) -> None:
    found = page_at(pages.where(F.col("daypart") == daypart), at, daypart, told)
    assert [row["title_id"] for row in found] == titles


def shown(page: list[dict[str, Any]], of: Callable[..., Any] = as_rows) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(of(page, 2, 2))
    return capture.get()


def test_rows_have_their_text_and_the_first_of_their_titles() -> None:
    def named(row: int, name: str, propensity: float | None = None) -> dict[str, Any]:
        return tile(FRIDAY, "evening", 0, name) | {
            "row": row, "row_text": f"Row [{row}]", "name": name, "score": 0.25, "propensity": propensity,
        }  # fmt: skip

    text = shown(
        [named(0, "Heat"), named(0, "Up", 0.1), named(0, "Jaws"), named(1, "Coco"), named(2, "Ran")]
    )
    assert "tv, evening, made at the end of 2026-01-23" in text
    assert " 1 Row [0]" in text
    assert "Heat 25%  |  Up 25% (drawn at random)  … 1 more" in text
    assert "Coco 25%" in text
    assert "Ran" not in text
