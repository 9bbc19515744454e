"""What history is, of which a baseline is told, and how much of it outweighs what is known beforehand."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

# The longest history; four of each weekday.
MOST_DAYS = 28


class Usual(BaseModel):
    """What history is, and how much of it outweighs what is known beforehand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(
        MOST_DAYS,
        ge=7,
        le=MOST_DAYS,
        description="days before that are looked at: four of each weekday",
    )
    lately_days: int = Field(7, ge=1, le=28, description="of them, those that tell the level")
    level_sessions: float = Field(
        100,
        gt=0,
        description="sessions of its own at which a cell's level counts as much as its parent's",
    )
    hour_sessions: float = Field(
        60, gt=0, description="sessions at an hour at which that counts as much as the level"
    )
    cap: float = Field(3, ge=1, description="times the usual rate up to which a past hour counts")
    spread: float = Field(
        0.01, gt=0, lt=1, description="correlation of sessions that is taken for granted"
    )
    spread_pairs: float = Field(
        10_000,
        gt=0,
        description="pairs of sessions at which a cell's own correlation counts as much",
    )
    holidays: tuple[date, ...] = Field((), description="days that are like weekends")
    most_parents: int = Field(
        1000,
        ge=1,
        description="regions and providers on which their young cells lean, the largest; those of others lean on the "
        "whole service. Each takes 230 kB of every Python process",
    )
    weekday_sessions: float | None = Field(
        None,
        gt=0,
        description="sessions at an hour of one weekday, as Fridays, at which that counts as much as such hours of "
        "all weekdays, or of all free days; none: weekdays are alike",
    )
