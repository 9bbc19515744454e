"""Whether anything comes in at all.

Which windows there are follows from what was received, so where nothing is, nothing is due and all is up to date, for
ever. Only here is the machine's clock asked how old the newest record is. A clock that is off by a day must raise no
alarm by itself, so a receipt counts as ahead of it only beyond that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cinelake.runtime.durations import format_duration

CLOCKS_APART = timedelta(days=1)
HOUR = timedelta(hours=1)


def stopped_by_now(
    received_through: datetime | None, freshness: timedelta, landing: str
) -> str | None:
    """`stopped` by this machine's clock."""
    return stopped(received_through, datetime.now(UTC), freshness, landing)


def stopped(
    received_through: datetime | None, now: datetime, freshness: timedelta, landing: str
) -> str | None:
    """What is wrong with the age of the newest record, in words; None where nothing is, or nobody wants to know."""
    if not freshness:
        return None
    look = f"look whether records land in {landing} (lake.landing), or in their topics"
    if received_through is None:
        return f"no record was ever received: {look}"
    age = now - received_through
    newest = f"the newest record was received at {received_through:%Y-%m-%d %H:%M} UTC"
    if age > freshness:
        return f"{newest}, {age // HOUR} hours ago, and pipeline.freshness is {format_duration(freshness)}: {look}"
    if -age > CLOCKS_APART:
        return (
            f"{newest}, which is {-age // HOUR} hours from now, and every day until then counts as complete: look at "
            "the collector's clock; `cinelake reset SOURCE` reads a source anew once its files are right"
        )
    return None
