"""The section on health tells of alarms of every area, of deliveries and of costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from cinelake.operations.pictures import hours
from cinelake.operations.report import health
from cinelake.report.page import Cards, Cell, Grid, Points
from cinelake.runtime.runs.books import Entry
from cinelake.runtime.runs.run_history import Cost, Timed, failures
from cinelake.runtime.runs.usage import Usage

DAY = date(2026, 1, 5)


def records(day: date, value: float, is_alarm: bool = False) -> dict[str, Any]:
    return {
        "day": day, "source": "playback", "measure": "records", "value": value, "baseline": 100.0, "low": 60.0,
        "high": 160.0, "is_alarm": is_alarm, "message": f"playback: {value:g} records",
    }  # fmt: skip


def alarm(day: date, area: str) -> dict[str, Any]:
    return {"day": day, "area": area, "measure": "m", "message": f"{area} is odd on {day}"}


def test_what_somebody_should_look_at_comes_first() -> None:
    costs = [
        Cost("slow", 20.0, Usage(busy_seconds=5.0, bytes_spilled=2_000_000, skew=9.0, longest_task_seconds=12.0)),
        Cost("quick", 2.0, Usage(busy_seconds=3.0, skew=9.0, longest_task_seconds=1.0)),
    ]  # fmt: skip
    entry = Entry("r", "slow", "job", "succeeded", start=DAY, end=DAY + timedelta(days=2), seconds=20.0,
                  started_at=datetime(2026, 1, 6, tzinfo=UTC))  # fmt: skip
    alarms = [alarm(DAY, "operations"), alarm(DAY - timedelta(days=1), "recommend")]
    section = health(
        alarms,
        [records(DAY - timedelta(days=1), 100.0), records(DAY, 300.0, is_alarm=True)],
        costs,
        [Timed(entry, 2.0)],
        waiting=3,
    )
    (cards,) = [part for part in section.parts if isinstance(part, Cards)]
    assert [number for number, _ in cards.numbers] == ["1", "2", "32%", "2.0 MB"]
    (waits,) = [part for part in section.parts if isinstance(part, Points)]
    assert waits.sentences == ["3 runs wait for MLflow; `cinelake mlflow flush` delivers them."]
    told, cost, slow = [part for part in section.parts if isinstance(part, Grid)]
    assert [row[2].tone for row in told.rows] == ["bad", "warn"]  # type: ignore[union-attr]
    # A skew of tasks of a second is nobody's concern.
    assert [(row[0], row[-1].text, row[-1].tone) for row in cost.rows] == [  # type: ignore[union-attr]
        ("slow", "9.0", "warn"),
        ("quick", "9.0", ""),
    ]
    assert slow.rows == [("slow", "2026-01-05 – 2026-01-07", 20.0, 4.0)]
    assert "<svg" in section.html()


def test_what_failed_of_late_is_told_with_why_and_whether_it_is_over() -> None:
    def run(job: str, status: str, day: int, error: str | None = None) -> Entry:
        began = datetime(2026, 1, day, 2, tzinfo=UTC)
        return Entry("r", job, "job", status, start=DAY, end=DAY + timedelta(days=1), started_at=began,
                     error=error)  # fmt: skip

    entries = [
        run("sum", "failed", 1, "long ago"),
        run("sum", "failed", 8, "No space left on device\nat a line of code"),
        run("sum", "yielded", 8),
        run("sum", "succeeded", 9),
        run("train", "succeeded", 8),
        run("train", "failed", 9, "ValueError: no"),
    ]
    # Nothing was ever delivered, and yet what failed is shown.
    section = health([], [], [], [], failures(entries, 7))
    _, told = section.parts
    assert isinstance(told, Grid)
    days = "2026-01-05 – 2026-01-06"
    assert told.rows == [
        ("train", "2026-01-09 02:00:00", days, Cell("ValueError: no", "bad"), ""),
        ("sum", "2026-01-08 02:00:00", days, Cell("No space left on device", "warn"), "it has succeeded"),
    ]  # fmt: skip


def test_a_quiet_service_has_no_alarm_and_still_a_page() -> None:
    section = health([], [], [], [])
    assert [type(part) for part in section.parts] == [Cards]


def test_that_deliveries_have_stopped_is_said_first() -> None:
    section = health([], [], [], [], stopped="no record was ever received")
    _, told = section.parts
    assert isinstance(told, Grid)
    assert told.rows == [(Cell("No record was ever received", "bad"),)]


def test_hours_without_a_record_are_white() -> None:
    rows = [{"event_date": DAY, "hour": 3, "source": "playback", "records": 5}]
    rows.append({"event_date": DAY, "hour": 4, "source": "other", "records": 5})
    image = hours(rows, "playback", DAY, 2).axes[0].images[0].get_array()
    assert image is not None
    assert image.mask.sum() == 47
    assert not image.mask[3, 0]
