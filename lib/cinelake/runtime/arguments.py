"""What people type, read strictly: days, steps and triggers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from cinelake.runtime.durations import parse_duration


def day(text: str) -> date:
    """A UTC day such as 2026-01-31. Raises ValueError saying so."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day; write it as 2026-01-31") from None


def step(text: str) -> timedelta:
    """Whole days such as `1d` or `4w`. Raises ValueError otherwise."""
    length = parse_duration(text)
    if length < timedelta(days=1) or length % timedelta(days=1):
        raise ValueError(f"--step {text}: windows are whole days; give 1d or more")
    return length


def trigger(text: str | None) -> dict[str, Any]:
    """How a stream is triggered: by default once for all that is available."""
    return {"availableNow": True} if text is None else {"processingTime": text}
