"""What of the recommender's measures is an alarm, in figures and in words.

Grain of the result: one row per day and measure, of the tables `RECOMMENDER_HEALTH` and `TRAINING_HEALTH`.

How far data has moved alarms from a fixed threshold on. Qualities of lists alarm when they fall below the mean of the
days before by more than a share of it and by more than three standard deviations of those days (a control chart:
Shewhart 1931, "Economic Control of Quality of Manufactured Product"). Nothing alarms that is told of a few profiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from statistics import fmean, stdev
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cinelake.recommend.drift import Value
from cinelake.recommend.gate import Measured

Row = dict[str, Any]
# How many days before are looked at for what is usual: four of each weekday.
USUAL_DAYS = 28


class Watch(BaseModel):
    """What is compared with what, and what is an alarm."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top: int = Field(10, ge=1, description="places at the top of lists that count")
    weeks: int = Field(4, ge=1, le=52, description="weeks that the newest one is compared with")
    moderate_psi: float = Field(0.1, gt=0, description="PSI from which a shift is worth a word")
    alarming_psi: float = Field(0.25, gt=0, description="PSI from which a shift is an alarm")
    new_titles: float = Field(
        0.3, gt=0, le=1, description="share of a week's signals on new titles that is an alarm"
    )
    fall: float = Field(
        0.3, gt=0, lt=1, description="fall of a quality that is an alarm (share of what is usual)"
    )
    days: int = Field(7, ge=2, le=USUAL_DAYS, description="days it takes to know what is usual")
    profiles: int = Field(100, ge=1, description="profiles it takes for an alarm")


def health(
    values: Sequence[Value], before: Sequence[Mapping[str, Any]], watch: Watch, day: date
) -> list[Row]:
    """The rows of one day; `before` are those of the days before."""
    return [_row(one, _past(one.measure, before, watch), watch, day) for one in values]


def trained(own: Measured, before: Sequence[float], most: float, label: str, day: date) -> Row:
    """The row of `TRAINING_HEALTH`: an alarm where a training is worse than those before it that passed, by more than a
    share and beyond its noise.
    """
    usual = fmean(before) if before else None
    threshold = None if usual is None else usual * (1 - most)
    is_alarm = False
    if usual is None or threshold is None:
        message = f"{label} {own}; there is no training that passed to set it against"
    else:
        is_alarm = own.mean < threshold and own.high < usual
        count = len(before)
        which = "the last training" if count == 1 else f"the mean of the last {count} trainings"
        message = (
            f"{label} fell to {own} from {usual:.4f}, {which} that passed, by more than {most:.0%}; "
            "search_recipe looks for a setting that does better"
            if is_alarm
            else f"{label} {own} beside {usual:.4f}, {which} that passed; "
            f"an alarm where it falls by more than {most:.0%} and beyond noise"
        )
    return {
        "day": day, "measure": "ndcg", "value": own.mean, "counted": own.profiles,
        "baseline": usual, "threshold": threshold, "is_alarm": is_alarm, "message": message,
    }  # fmt: skip


def _past(measure: str, before: Sequence[Mapping[str, Any]], watch: Watch) -> list[float]:
    """The values of the days before that were told of enough profiles."""
    return [
        row["value"]
        for row in before
        if row["measure"] == measure
        and row["value"] is not None
        and row["counted"] >= watch.profiles
    ]


def _row(one: Value, past: Sequence[float], watch: Watch, day: date) -> Row:
    baseline = fmean(past) if len(past) >= watch.days else None
    threshold = _threshold(one.measure, past, baseline, watch)
    is_alarm = False
    if one.value is not None and threshold is not None and one.counted >= watch.profiles:
        is_alarm = one.value < threshold if one.measure in QUALITIES else one.value >= threshold
    return {
        "day": day,
        "measure": one.measure,
        "value": one.value,
        "counted": one.counted,
        "baseline": baseline,
        "threshold": threshold,
        "is_alarm": is_alarm,
        "message": "; ".join(_words(one, baseline, threshold, watch)),
    }


def _threshold(
    measure: str, past: Sequence[float], baseline: float | None, watch: Watch
) -> float | None:
    if measure not in QUALITIES:
        return watch.new_titles if measure == "new_title_share" else watch.alarming_psi
    if baseline is None:
        return None
    return max(0.0, min(baseline * (1 - watch.fall), baseline - 3 * stdev(past)))


# What is better when it is more, and what it is in words.
QUALITIES = {
    "hit_rate": "profiles who came to like a title of their list of the day before",
    "recall": "of the titles that profiles came to like, those in their list of the day before",
    "overlap": "of the titles of a list, those that stood there the day before",
}


def _words(
    one: Value, baseline: float | None, threshold: float | None, watch: Watch
) -> Iterator[str]:
    if one.value is None:
        yield f"{one.measure} cannot be told: no profile is on both sides of what is compared"
        return
    if one.measure in QUALITIES:
        yield f"{one.measure} {one.value:.1%}: {QUALITIES[one.measure]} (the first {watch.top})"
        if baseline is None or threshold is None:
            yield f"what is usual is known after {watch.days} days"
        else:
            yield f"usually {baseline:.1%}, an alarm below {threshold:.1%}"
    elif one.measure == "new_title_share":
        yield f"{one.measure} {one.value:.1%}: of the week's signals, those on titles that had none before"
        yield f"an alarm from {watch.new_titles:.1%} on"
    else:
        yield f"{one.measure} {one.value:.3f} between the week and {watch.weeks} before: {_extent(one.value, watch)}"
        yield f"an alarm from {watch.alarming_psi:g} on"
    few = f", too few for an alarm (it takes {watch.profiles:,})"
    yield f"told of {one.counted:,} profiles{few if one.counted < watch.profiles else ''}"


def _extent(shift: float, watch: Watch) -> str:
    if shift >= watch.alarming_psi:
        return "a large shift"
    return "a moderate shift" if shift >= watch.moderate_psi else "no shift"
