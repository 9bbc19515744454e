"""Whether a model of the home page may be used: by what it is measured to do beside plainer ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame

from cinelake.recommend.gate import Decision, Measured


def held_out_from(start: date, end: date) -> date:
    """The day from which on examples of `[start, end)` judge, and are not learned from: the last quarter, and a day at
    least.
    """
    return end - timedelta(days=max(1, (end - start).days // 4))


def found_of(intervals: DataFrame, measure: str | None = None) -> dict[str, Measured]:
    """By model, from rows of one measure (evaluation.py), which is named where there are several."""
    rows = intervals.toArrow().to_pylist()
    rows = [row for row in rows if measure in (None, row["measure"])]
    return {
        row["model"]: Measured(row["mean"], row["low"], row["high"], row["profiles"])
        for row in rows
    }


def decided(
    found: Mapping[str, Measured], own: str, rivals: Sequence[str], measure: str
) -> Decision:
    """It passes if it is no worse than any of the plainer ones beyond noise, their intervals; of nothing measured
    nothing passes.
    """
    if own not in found:
        return Decision(False, "nothing could be held out, so nothing shows that it is of any use")
    mine = found[own]
    told = ", ".join(f"{name} {found[name]}" for name in rivals if name in found)
    better = all(mine.mean >= found[name].low for name in rivals if name in found)
    verb = "is no worse than" if better else "is worse than"
    return Decision(better, f"{measure} {mine} {verb} {told}, over {mine.profiles} profiles")


def kept_part(part: str, lead: Measured | None, measure: str) -> Decision:
    """Whether a model keeps a part that it can do without: it does unless that costs beyond noise, the interval of its
    lead over the same without, profile by profile. Of nothing measured nothing is kept.
    """
    if lead is None:
        return Decision(False, f"{part} are left out: nothing could be held out to judge them by")
    kept = lead.high >= 0
    verb = "stay, with" if kept else "are left out, for with them"
    return Decision(kept, f"{part} {verb} {measure} {lead.signed} against the same without")


def calibrated(decision: Decision, error: float, most: float) -> Decision:
    """The decision, unless chances are too far from what comes of them: pages set them against others."""
    verb = "is within" if error <= most else "is beyond"
    return Decision(
        decision.passed and error <= most,
        f"{decision.reason}; calibration error {error:.3f} {verb} {most:.3f}",
    )


def calibration_error(bins: Sequence[Mapping[str, Any]]) -> float:
    """Expected calibration error: the mean distance of chances from shares that came true, over bins of chances."""
    total = sum(row["examples"] for row in bins)
    apart = (row["examples"] * abs(row["chance"] - row["resumed"]) for row in bins)
    return float(sum(apart) / max(1, total))
