"""Durations are read as they are written, and never without a unit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from cinelake.runtime.durations import Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1d", 86400), ("1h30m", 5400), ("500ms", 0.5), ("2w", 1209600)],
)
def test_durations_carry_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["90", 90, "", "s", "-5s", "1 h", "90sec", "٣s"])
def test_a_duration_without_a_known_unit_is_refused(text: object) -> None:
    with pytest.raises(ValidationError, match="write a number and a unit"):
        TypeAdapter(Duration).validate_python(text)
