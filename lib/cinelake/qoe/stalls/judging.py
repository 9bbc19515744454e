"""How well stalls are foreseen: precision at a stated recall, beside the base rate and a plain rule.

Moments are ranked by a score; the precision is that of the least number of ranks that hold the share `RECALL` of all
moments before a stall. Scores are counted in bins (a thousand of a share, or as they are), whole bins pass or do not.
The plain rules are what a player shows: the emptier the buffer, or the less throughput there is for the bitrate, the
sooner it stalls. The model is held against the one that does better.

How far chance plays in is told by a delete-a-group jackknife (Kott 2001) over groups of plays, for moments of one play
go together: the standard error of a number from its values without one group each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.stalls.moments import UNTOLD

RECALL, EASY = 0.3, 0.1
GROUPS = 20
SIGMAS = 1.645
_BINS = 2000
_LAST = -1_000_000
MODEL = "model"
# Features of which less is worse.
RULES = ("buffer_s", "headroom")


@dataclass(frozen=True)
class Ranked:
    """At the stated recall: what share of alerts is right, what share of stalls is foreseen, from which score on."""

    precision: float
    recall: float
    threshold: float


@dataclass(frozen=True)
class Judgement:
    """Of moments that nothing was learned from."""

    moments: int
    base_rate: float
    model: Ranked
    rules: Mapping[str, Ranked]
    rule: str  # the one that does best
    better: float  # by which the model's precision is above that rule's
    error: float  # its standard error
    calibration_error: float
    easy: Mapping[str, Ranked]  # at recall .1, of the model and the rules

    @property
    def passed(self) -> bool:
        """No worse than the rule beyond noise, and of any use: better than a guess."""
        return self.better + SIGMAS * self.error >= 0 and self.model.precision > self.base_rate

    @property
    def reason(self) -> str:
        verb = "is no worse than" if self.passed else "is worse than"
        return (
            f"precision at recall {RECALL:.2f} of {self.model.precision:.3f} {verb} "
            f"{self.rules[self.rule].precision:.3f} of the least {self.rule} (difference {self.better:+.3f} ± "
            f"{self.error:.3f}), base rate {self.base_rate:.4f}, over {self.moments} moments"
        )

    def metrics(self) -> dict[str, float]:
        at_30 = {MODEL: self.model, **self.rules}
        # What can be foreseen at all is foreseen first.
        return (
            {f"{by}.precision_at_recall_30": found.precision for by, found in at_30.items()}
            | {f"{by}.precision_at_recall_10": found.precision for by, found in self.easy.items()}
            | {
                "base_rate": self.base_rate,
                "precision_gain": self.better,
                "precision_gain.error": self.error,
                "calibration_error": self.calibration_error,
                "moments": float(self.moments),
            }
        )


def scored_bins(rows: DataFrame) -> DataFrame:
    """`fold, by, bin, moments, stalled, chance`: rows with `chance` counted by score of the model and of the rule."""
    fold = F.pmod(F.xxhash64("play_id"), F.lit(GROUPS)).cast("int")
    # Rare events: bins of one width in the logarithm of the odds tell more apart than such of the chance.
    odds = F.log(F.greatest("chance", F.lit(1e-9)) / F.greatest(1 - F.col("chance"), F.lit(1e-9)))
    model = F.round(odds * (_BINS / 20)).cast("int")
    scores = F.array(
        F.struct(F.lit(MODEL).alias("by"), model.alias("bin")),
        *(F.struct(F.lit(rule).alias("by"), _least_first(rule).alias("bin")) for rule in RULES),
    )
    return (
        rows.select(fold.alias("fold"), "stalls", "chance", F.inline(scores))
        .groupBy("fold", "by", "bin")
        .agg(
            F.count("*").alias("moments"),
            F.count_if("stalls").alias("stalled"),
            F.sum("chance").alias("chance"),
        )
    )


def _least_first(name: str) -> Column:
    """A score by a feature, tenths of which tell apart; where it is not told, the rule has nothing to say."""
    tenths = F.round(-F.col(name) * 10).cast("int")
    return F.when(F.col(name) > UNTOLD, tenths).otherwise(_LAST)


def judged(bins: Sequence[Mapping[str, Any]]) -> Judgement:
    """From rows of `scored_bins`. Raises ValueError where no moment, or every one, was followed by a stall."""
    own = {by: [row for row in bins if row["by"] == by] for by in (MODEL, *RULES)}
    moments = sum(row["moments"] for row in own[MODEL])
    stalled = sum(row["stalled"] for row in own[MODEL])
    if not 0 < stalled < moments:
        raise ValueError(f"of {moments} moments that judge {stalled} were followed by a stall")
    found = {by: at_recall(rows) for by, rows in own.items()}
    rule = max(RULES, key=lambda name: found[name].precision)
    better = found[MODEL].precision - found[rule].precision
    without = []
    for fold in sorted({row["fold"] for row in bins}):
        rest = {by: [row for row in own[by] if row["fold"] != fold] for by in (MODEL, rule)}
        if any(row["stalled"] for row in rest[MODEL]):
            without.append(at_recall(rest[MODEL]).precision - at_recall(rest[rule]).precision)
    n = len(without)
    spread = sum((each - better) ** 2 for each in without)
    return Judgement(
        moments=moments,
        base_rate=stalled / moments,
        model=found[MODEL],
        rules={name: found[name] for name in RULES},
        rule=rule,
        better=better,
        error=math.sqrt((n - 1) / n * spread) if n > 1 else math.inf,
        calibration_error=calibration_error(own[MODEL]),
        easy={by: at_recall(rows, EASY) for by, rows in own.items()},
    )


def at_recall(bins: Sequence[Mapping[str, Any]], recall: float = RECALL) -> Ranked:
    """Of rows with `bin, moments, stalled`, the highest bins first."""
    total = sum(row["stalled"] for row in bins)
    by_bin: dict[int, tuple[int, int]] = {}
    for row in bins:
        moments, stalled = by_bin.get(row["bin"], (0, 0))
        by_bin[row["bin"]] = moments + row["moments"], stalled + row["stalled"]
    seen = hits = 0
    for place in sorted(by_bin, reverse=True):
        seen, hits = seen + by_bin[place][0], hits + by_bin[place][1]
        if hits >= recall * total:
            break
    odds = (place - 0.5) / (_BINS / 20)
    return Ranked(hits / seen, hits / total, 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0)


def calibration_error(bins: Sequence[Mapping[str, Any]]) -> float:
    """Mean distance of chances from shares that came true, over tenths of all moments in order of chance."""
    parts = tenths(bins)
    total = sum(moments for moments, _, _ in parts)
    return sum(abs(chance - stalled) for _, stalled, chance in parts) / max(total, 1)


def tenths(bins: Sequence[Mapping[str, Any]]) -> list[tuple[int, int, float]]:
    """Moments, stalled and summed chances of about a tenth of all each, the least likely first."""
    total = sum(row["moments"] for row in bins)
    parts: list[tuple[int, int, float]] = [(0, 0, 0.0)]
    for row in sorted(bins, key=lambda row: (row["bin"], row["fold"])):
        if parts[-1][0] >= total / 10:
            parts.append((0, 0, 0.0))
        moments, stalled, chance = parts[-1]
        parts[-1] = moments + row["moments"], stalled + row["stalled"], chance + row["chance"]
    return parts


def by_cell(rows: DataFrame, threshold: float) -> DataFrame:
    """How a threshold does by CDN and provider: `cdn, isp, moments, stalled, alerts, right, precision, recall`."""
    alerts = F.col("chance") >= threshold
    return (
        rows.groupBy("cdn", "isp")
        .agg(
            F.count("*").alias("moments"),
            F.count_if("stalls").alias("stalled"),
            F.count_if(alerts).alias("alerts"),
            F.count_if(alerts & F.col("stalls")).alias("right"),
        )
        .select(
            "*",
            F.try_divide("right", "alerts").alias("precision"),
            F.try_divide("right", "stalled").alias("recall"),
        )
        .orderBy(F.desc("stalled"), "cdn", "isp")
        .limit(100)
    )


def reliability(bins: Sequence[Mapping[str, Any]]) -> Figure:
    """Chances against what came of them, both on logarithmic axes, for most are small."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    told = [(c / m, s / m) for m, s, c in tenths([b for b in bins if b["by"] == MODEL]) if m and s]
    least = min((min(pair) for pair in told), default=1e-4)
    axes.plot([least, 1], [least, 1], color="#a0a0a0", lw=1)
    axes.scatter([x for x, _ in told], [y for _, y in told], color="#1b6ca8")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("chance that was told")
    axes.set_ylabel("share that came true")
    return figure
