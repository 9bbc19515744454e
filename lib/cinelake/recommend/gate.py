"""The gate between a trained model and the people who get its lists.

A version passes when, on the same holdouts,

- its nDCG beats the popularity baseline's,
- its nDCG is not below that of the champion's recipe by more than noise: the interval of the difference, paired by
  profile, does not lie below 0 (a test of non-inferiority with no margin but the noise),
- its lists show hardly less of the catalogue than those of the champion's recipe, and follow the genres of histories
  hardly less closely,
- no group of profiles fares worse than with the champion's recipe, by more than a setting and beyond noise,
- no rival of another kind is ahead of it in nDCG by more than a setting and beyond noise.

A service may not be able to serve a rival, so one that is ahead by less decides nothing; how each fared is told either
way.

Nothing is measured on data that a model has seen: the champion itself may have been trained on the test days, so it
is its recipe, fitted to the same days, that competes. The same recipe on newer data is a refresh: only the baseline
is there to be judged by.

Caveats. Not being worse beyond noise, time after time, can add up to being worse: fewer profiles make noisier gates.
Of many groups some fall beyond noise by chance, which is why they must fall by more than a setting, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from cinelake.recommend.holdout import NEW

if TYPE_CHECKING:
    from cinelake.recommend.training import Comparison

CHALLENGER = "challenger"
CHAMPION = "champion"
POPULAR = "popular"
RECIPE = "the champion's recipe"
# Groups that are named when many have fallen; the others are counted.
_NAMED = 3


class Tolerances(BaseModel):
    """How much worse than the champion's recipe, and than its rivals, a version may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coverage: float = Field(
        0.05, ge=0, le=1, description="fall of the share of the catalogue that lists show (share)"
    )
    miscalibration: float = Field(
        0.1, ge=0, description="rise of how far lists' genres are from histories' (nats)"
    )
    group_ndcg: float = Field(
        0.02, ge=0, le=1, description="fall of nDCG in a group of profiles (nDCG, 0 to 1)"
    )
    group_profiles: int = Field(
        50, ge=2, description="the smallest group that is judged by itself (held-out profiles)"
    )
    rival: float = Field(
        0.1, ge=0, description="lead of a rival of another kind (share of the version's own nDCG)"
    )


@dataclass(frozen=True)
class Measured:
    """A mean over profiles with its 95 % interval."""

    mean: float
    low: float
    high: float
    profiles: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"

    @property
    def signed(self) -> str:
        """As a difference."""
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


@dataclass(frozen=True)
class Decision:
    """Whether a version may be used, and why in words."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class _Finding:
    """One thing that was looked at: whether it is as it should be, in words."""

    good: bool
    text: str


def decide(comparison: Comparison, tolerances: Tolerances, incumbent: str) -> Decision:
    """Judge the challenger against the baseline and, where it was measured, the champion's recipe.

    `incumbent` says in words why the champion's recipe was not measured, should it be missing.
    """
    ndcg, label = comparison.measured("ndcg"), f"nDCG@{comparison.k}"
    own = ndcg.get(CHALLENGER)
    if own is None:
        return Decision(
            False,
            "nothing could be held out: no profile liked something before and something new after a "
            "cut. So nothing shows that the model is better than popularity, which is served instead",
        )
    beats = own.mean > ndcg[POPULAR].mean
    verb = "beats" if beats else "does not beat"
    over = f"over {own.profiles} held-out profile{'' if own.profiles == 1 else 's'}"
    findings = [_Finding(beats, f"{label} {own} {verb} popularity, {ndcg[POPULAR]}, {over}")]
    if CHAMPION in ndcg:
        findings += _beside_the_champion(comparison, tolerances, label)
    else:
        findings.append(_Finding(True, f"that is all it was judged by: {incumbent}"))
    rivals = list(_beside_rivals(comparison, tolerances, label))
    failed = [finding.text for finding in (*findings, *rivals) if not finding.good]
    told = failed or [finding.text for finding in findings]
    harmless = [finding.text for finding in rivals if finding.good]
    return Decision(not failed, "; ".join([*told, *harmless]))


def _beside_rivals(
    comparison: Comparison, tolerances: Tolerances, label: str
) -> Iterator[_Finding]:
    """How it stands to each kind of model that was measured beside, best first."""
    ndcg, leads = comparison.measured("ndcg"), comparison.measured("lead")
    others = ndcg.keys() - {CHALLENGER, CHAMPION, POPULAR}
    for name in sorted(others, key=lambda other: (-ndcg[other].mean, other)):
        theirs, lead = ndcg[name], leads[name]
        beside = f"by more than noise, {theirs}: {lead.signed}"
        if lead.high >= 0:
            yield _Finding(True, f"{name} is not ahead {beside}")
        elif -lead.mean <= tolerances.rival * ndcg[CHALLENGER].mean:
            yield _Finding(True, f"{name} is ahead in {label} {beside}")
        else:
            most = f"tolerances.rival = {tolerances.rival:g} of the version's own"
            yield _Finding(False, f"{name} is ahead in {label} by more than {most}, and {beside}")


def _beside_the_champion(
    comparison: Comparison, tolerances: Tolerances, label: str
) -> Iterator[_Finding]:
    ndcg, lead = comparison.measured("ndcg"), comparison.measured("lead")[CHAMPION]
    own, theirs = ndcg[CHALLENGER], ndcg[CHAMPION]
    if lead.high < 0:
        yield _Finding(
            False,
            f"{label} {own} is below {RECIPE}, {theirs}, by more than noise: {lead.signed}",
        )
    else:
        yield _Finding(True, f"is not below {RECIPE}, {theirs}, by more than noise: {lead.signed}")
    coverage = {row["model"]: row["coverage"] for row in comparison.shown}
    # Who has made no list has no row there, and has shown nothing.
    mine, before = coverage.get(CHALLENGER, 0.0), coverage.get(CHAMPION, 0.0)
    yield _within(
        f"coverage@{comparison.k}", mine, before,
        fall=before - mine, most=tolerances.coverage, setting="coverage",
    )  # fmt: skip
    apart = comparison.measured("miscalibration")
    if CHALLENGER in apart and CHAMPION in apart:
        mine, before = apart[CHALLENGER].mean, apart[CHAMPION].mean
        yield _within(
            f"miscalibration@{comparison.k}", mine, before,
            fall=mine - before, most=tolerances.miscalibration, setting="miscalibration", unit=" nats",
        )  # fmt: skip
    else:
        yield _Finding(True, "calibration could not be judged, for no genres are known")
    yield _groups(comparison, tolerances, label)


def _within(
    measure: str,
    own: float,
    theirs: float,
    *,
    fall: float,
    most: float,
    setting: str,
    unit: str = "",
) -> _Finding:
    """Whether a measure is worse than the champion's by no more than its tolerance."""
    beside = f"{measure} {own:.4f}{unit} beside {theirs:.4f} of {RECIPE}"
    if fall > most:
        return _Finding(
            False, f"{beside} is worse by more than tolerances.{setting} = {most:g}{unit}"
        )
    return _Finding(True, beside)


def _groups(comparison: Comparison, tolerances: Tolerances, label: str) -> _Finding:
    """Whether a group of profiles fell."""
    leads = comparison.grouped("lead")
    fallen, judged = [], 0
    for (segment, group), ndcg in comparison.grouped("ndcg").items():
        own, theirs, lead = ndcg[CHALLENGER], ndcg[CHAMPION], leads[segment, group][CHAMPION]
        # Who is new is shown what is popular, whichever model there is.
        if own.profiles < tolerances.group_profiles or group == NEW:
            continue
        judged += 1
        if lead.mean < -tolerances.group_ndcg and lead.high < 0:
            text = (
                f"{label} of {segment} {group} {own} over {own.profiles} profiles is below {RECIPE}, "
                f"{theirs}, by more than noise and than tolerances.group_ndcg = {tolerances.group_ndcg:g}: "
                f"{lead.signed}"
            )
            fallen.append((lead.mean, text))
    if fallen:
        worst = [text for _, text in sorted(fallen)]
        more = len(worst) - _NAMED
        rest = [f"so {'is 1 other group' if more == 1 else f'are {more} other groups'}"] * (
            more > 0
        )
        return _Finding(False, "; ".join(worst[:_NAMED] + rest))
    if not judged:
        least = tolerances.group_profiles
        return _Finding(
            True, f"no group of profiles has the {least} that it takes to be judged by itself"
        )
    count = "the one group" if judged == 1 else f"none of {judged} groups"
    fell = "did not fall" if judged == 1 else "fell"
    return _Finding(
        True,
        f"{count} of {tolerances.group_profiles} profiles or more {fell} by more than noise and "
        f"{tolerances.group_ndcg:g}",
    )
