"""That nothing comes in any more is said, whatever there was to compute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cinelake.runtime.intake.freshness import stopped

NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
LIMIT = timedelta(hours=36)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(hours=1), None),
        (timedelta(hours=36), None),
        (
            timedelta(hours=37, minutes=59),
            "the newest record was received at 2026-04-30 22:01 UTC, 37 hours ago, and pipeline.freshness is 1d12h: "
            "look whether records land in /landing (lake.landing), or in their topics",
        ),
        # A clock that is off by a day raises no alarm.
        (-timedelta(days=1), None),
        (
            -timedelta(days=2),
            "the newest record was received at 2026-05-04 12:00 UTC, which is 48 hours from now, and every day until "
            "then counts as complete: look at the collector's clock; `cinelake reset SOURCE` reads a source anew once "
            "its files are right",
        ),
    ],
)
def test_the_newest_record_is_neither_too_old_nor_ahead(age: timedelta, said: str | None) -> None:
    assert stopped(NOON - age, NOON, LIMIT, "/landing") == said


def test_a_lake_to_which_nothing_ever_came_is_told_where_it_looks() -> None:
    assert stopped(None, NOON, LIMIT, "/landnig") == (
        "no record was ever received: look whether records land in /landnig (lake.landing), or in their topics"
    )


def test_nobody_is_told_of_a_lake_that_does_not_grow() -> None:
    for received in (None, NOON - timedelta(days=900), NOON + timedelta(days=900)):
        assert stopped(received, NOON, timedelta(0), "/landing") is None
