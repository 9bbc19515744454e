"""The search for the cause of one incident.

An element is a combination of one to `depth` attributes. With `E` the evidence of leaves for each lift λ
(evidence.py),

    A[e, λ] = sum of E over the leaves of e
    S(e) = max over λ of A[e, λ] − ln(elements of its cuboid)

is, but for the maximum, the log posterior odds of `e` against no cause, where every cuboid is as likely to hold it,
and in it every element. A broad element pays for leaves that did not rise, a narrow one goes without the evidence
of those that did. Several causes are sought among the elements of one cuboid, which have no leaf in common: the
next best is added while it scores more than `another · max S + ln(all elements)`, and this much is taken off for
each. The set of the greatest score is the answer, after members gave way to narrower elements, of which some other
attribute is given, too, where that adds as much. Then its leaves are taken out, and the rest is searched anew, as
often as something is found: a fault of the network and one of the app at once have no cuboid in common. The element
of the greatest score there is blamed, too, if

- it has no dimension in common with a cause, or of one of them another attribute, so that they have no leaf in common:
  what else has is as a rule that cause itself, told too narrowly,
- where it meets causes, for it has no dimension in common with them, both struck, and it is worse there than either
  makes it: else it is a part of a cause that is not quite described yet,
- it scores more than `another · max S / 2ᵏ + ln(all elements) + least_evidence`, where k causes are met: the leaves
  of both do not speak for it,
- and it stands out from what is left, as a single cause has to.

Nothing is blamed, though, if

- no set has the evidence (`no_rise`),
- or all rose: the set has no evidence, or no contrast, against one lift for all viewers (`everywhere`),
- or there is no history, or nobody watches (`no_history`, `no_viewers`): then nothing is ranked.

Method: a scan statistic (Kulldorff 1997) over the attribute cube in which multi-dimensional localisation is done
(Adtributor, Bhagwan et al. 2014; RobustSpot), with counts that vary more than chance. It finds rises, not falls:
give what is bad.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

from cinelake.qoe.localisation.cube import Chosen, Cube
from cinelake.qoe.localisation.evidence import GRAIN, Counts, Matrix, evidence
from cinelake.qoe.localisation.history import BY_CHANCE
from cinelake.qoe.localisation.settings import Scan

COUNTS = ("bad", "total", "past_bad", "past_total")
Mask = npt.NDArray[np.bool_]
# The share of bad viewers from which on a second cause cannot show.
MOST_BAD = 0.9


class Verdict(StrEnum):
    """What was found."""

    LOCALISED = "localised"
    EVERYWHERE = "everywhere"
    NO_RISE = "no_rise"
    NO_HISTORY = "no_history"
    NO_VIEWERS = "no_viewers"


@dataclass(frozen=True)
class Candidate:
    """A combination of attributes, and what speaks for it.

    `bad`, `total` and `expected` count viewers. `lift` is bad ÷ expected, `contrast` that lift ÷ the lift of the
    siblings, which have all of its attributes but one, ½ added to each count; None where there are no siblings, or
    none of them is watched. `score` is of all its leaves, of a cause that was found in the rest of those alone that the
    others do not have. `explained` is its share of the excess of bad viewers over expectation, 0 to 1; None
    where there is no excess.
    """

    attributes: dict[str, str]
    score: float
    bad: int
    total: int
    expected: float
    lift: float
    contrast: float | None
    explained: float | None


@dataclass(frozen=True)
class Localisation:
    """The verdict; the `causes`, if it is `localised`; `ranked` combinations, best first; and the `whole` incident.

    Causes stand first among those ranked.
    """

    verdict: Verdict
    causes: tuple[Candidate, ...]
    ranked: tuple[Candidate, ...]
    whole: Candidate


@dataclass(frozen=True)
class _Element:
    dimensions: tuple[int, ...]
    attributes: tuple[int, ...]
    # The evidence of its leaves for each lift, and what is taken off it.
    sums: Matrix
    toll: float

    @property
    def score(self) -> float:
        return float(self.sums.max()) - self.toll


def _score(elements: Sequence[_Element]) -> float:
    sums: Matrix = np.sum([each.sums for each in elements], axis=0)
    return float(sums.max()) - sum(each.toll for each in elements)


def _is_part(one: _Element, other: _Element) -> bool:
    """Whether all leaves of one are the other's, and not all of the other's are."""
    own = set(zip(one.dimensions, one.attributes, strict=True))
    return own > set(zip(other.dimensions, other.attributes, strict=True))


def _are_apart(one: _Element, other: _Element) -> bool:
    """Whether no leaf has both, for of some dimension they have two attributes."""
    own = dict(zip(one.dimensions, one.attributes, strict=True))
    named = zip(other.dimensions, other.attributes, strict=True)
    return any(own.get(dimension, code) != code for dimension, code in named)


def cause_of(
    leaves: pd.DataFrame,
    dimensions: Sequence[str],
    settings: Scan | None = None,
) -> Localisation:
    """Where the rise of one incident lies.

    `leaves` has one row per combination of all `dimensions` (a missing attribute is null), with `bad` of `total`
    viewers now and `past_bad` of `past_total` in the minutes, days or weeks they are compared with. Several rows of
    one leaf are taken for several leaves: add them up first. Order does not matter. Raises ValueError where columns
    are missing, or counts are not counts.
    """
    settings = settings or Scan()
    missing = [name for name in (*dimensions, *COUNTS) if name not in leaves.columns]
    if missing:
        raise ValueError(f"leaves lack the columns {', '.join(missing)}")
    if not dimensions:
        raise ValueError("name at least one dimension in which to look for the cause")
    counts = Counts(*(leaves[name].to_numpy(np.float64, na_value=np.nan) for name in COUNTS))
    if not counts.total.sum():
        return _nothing(Verdict.NO_VIEWERS, counts)
    if not counts.past_total.sum():
        return _nothing(Verdict.NO_HISTORY, counts)
    return _Search(Cube.of(leaves, dimensions), counts, settings).localisation()


class _Search:
    def __init__(self, cube: Cube, counts: Counts, settings: Scan) -> None:
        self.cube, self.counts, self.settings = cube, counts, settings
        # Whole grains, as evidence is: what is told of a combination does not depend on the order of leaves.
        self.expected = np.round(counts.expected(settings)[0] / GRAIN) * GRAIN
        self.told = evidence(counts, settings)
        self.of_all: Matrix = self.told.sum(axis=0)
        self.choices = cube.choices(settings.depth)
        found = self._scanned(self.choices)
        self.best = self._in_order(found)
        self.elements = sum(elements for elements, _ in found.values())

    def _scanned(self, choices: Sequence[Chosen]) -> dict[Chosen, tuple[int, list[_Element]]]:
        """By cuboid how many elements there are, and the best, best first: no other can be a cause, or ranked."""
        most = max(self.settings.ranked, self.settings.causes)
        found = {}
        for cuboid in self.cube.cuboids(self.told, choices):
            toll = math.log(len(cuboid.sums))
            # Of equals the first by the order of their attributes.
            order = np.argsort(-cuboid.sums.max(axis=1), kind="stable")[:most]
            best = [
                _Element(
                    cuboid.dimensions,
                    tuple(int(code) for code in cuboid.attributes[row]),
                    cuboid.sums[row],
                    toll,
                )
                for row in order
            ]
            found[cuboid.dimensions] = len(cuboid.sums), best
        return found

    def _in_order(self, found: Mapping[Chosen, tuple[int, list[_Element]]]) -> list[list[_Element]]:
        return [found[chosen][1] for chosen in self.choices if chosen in found]

    def localisation(self) -> Localisation:
        whole = self._candidate(
            np.ones(len(self.expected), np.bool_), {}, float(self.of_all.max()), None
        )
        # Stable: of equals those of fewer attributes.
        singles = sorted(
            (element for cuboid in self.best for element in cuboid), key=lambda each: -each.score
        )
        if not singles:
            rose = self.of_all.max() >= self.settings.least_evidence
            return Localisation(Verdict.EVERYWHERE if rose else Verdict.NO_RISE, (), (), whole)
        share = self.settings.another * max(singles[0].score, 0.0)
        score, answer = self._best_set(share + math.log(self.elements), singles)
        verdict = self._verdict(score, answer)
        first = answer + self._beside(answer, share) if verdict is Verdict.LOCALISED else []
        blamed = {(each.dimensions, each.attributes) for each in first}
        ranked = first + [e for e in singles if (e.dimensions, e.attributes) not in blamed]
        told = tuple(self._told(each) for each in ranked[: self.settings.ranked])
        return Localisation(verdict, told[: len(first)], told, whole)

    def _best_set(self, price: float, singles: Sequence[_Element]) -> tuple[float, list[_Element]]:
        found: tuple[float, list[_Element]] = (-math.inf, [])
        for cuboid in self.best:
            for size, element in enumerate(cuboid[: self.settings.causes], start=1):
                if size > 1 and element.score <= price:
                    break
                own = list(cuboid[:size])
                score = _score(own) - price * (size - 1)
                if score > found[0]:
                    found = score, own
        score, answer = found
        # A single element is the best of all already.
        for place, element in enumerate(answer if len(answer) > 1 else []):
            inside = (each for each in singles if _is_part(each, element))
            sets = ([*answer[:place], each, *answer[place + 1 :]] for each in inside)
            narrow = max(sets, key=_score, default=answer)
            gain = _score(narrow) - _score(answer) - price
            if gain > 0:
                score, answer = score + gain, narrow
        return score, answer

    def _beside(self, answer: Sequence[_Element], share: float) -> list[_Element]:
        """What else is to be blamed, each told by the leaves that those before it do not have."""
        blamed = list(answer)
        while len(blamed) < self.settings.causes:
            more = self._next(blamed, share)
            if more is None:
                break
            blamed.append(more)
        return blamed[len(answer) :]

    def _next(self, blamed: Sequence[_Element], share: float) -> _Element | None:
        inside = self._any_has(blamed)
        self.told[inside] = 0
        best = [cuboid[0] for cuboid in self._in_order(self._scanned(self.choices))]
        if not best:
            return None
        # Of equals the one of fewer attributes.
        more = max(best, key=lambda each: each.score)
        met = [each for each in blamed if not _are_apart(more, each)]
        if any(set(more.dimensions) & set(each.dimensions) for each in met):
            return None
        # The leaves of two causes, where most is to be seen, do not speak for the second.
        price = share / 2 ** len(met) + math.log(self.elements)
        least = self.settings.least_evidence
        if more.score < price + least:
            return None
        has = self._has(more)
        stands_out = self._lift(has & ~inside) / self._lift(~inside & ~has)
        apart = self._apart(self.told.sum(axis=0), more.sums)
        if apart < least or stands_out < self.settings.least_contrast:
            return None
        return more if not met or self._add_up(self._any_has(met), has) else None

    def _add_up(self, one: Mask, other: Mask) -> bool:
        """Whether leaves of both are as bad, but for chance, as half of the other's rise on top of the one's."""
        both = one & other
        lift = self._lift(one & ~other) + max(self._lift(other & ~one) - 1, 0.0) / 2
        most = MOST_BAD * self.counts.total[both].sum()
        least = min(lift * float(self.expected[both].sum()), float(most))
        bad = float(self.counts.bad[both].sum())
        return bad + BY_CHANCE * math.sqrt(bad + 1) >= least

    def _apart(self, of_all: Matrix, sums: Matrix) -> float:
        """What two lifts, one for the causes and one for the rest, tell more than one for all."""
        rest = max(float((of_all - sums).max()), 0.0)
        return float(sums.max()) + rest - max(float(of_all.max()), 0.0)

    def _verdict(self, score: float, answer: Sequence[_Element]) -> Verdict:
        least = self.settings.least_evidence
        all_rose = max(float(self.of_all.max()), 0.0)
        # Each cuboid had its chance to look odd.
        score -= math.log(len(self.best))
        if max(score, all_rose) < least:
            return Verdict.NO_RISE
        sums = np.sum([each.sums for each in answer], axis=0)
        apart = self._apart(self.of_all, sums)
        inside = self._any_has(answer)
        contrast = self._lift(inside) / self._lift(~inside)
        if score < least or apart < least or contrast < self.settings.least_contrast:
            return Verdict.EVERYWHERE
        return Verdict.LOCALISED

    def _has(self, element: _Element) -> Mask:
        agreeing = self.cube.agreeing(element.dimensions, element.attributes)
        found: Mask = agreeing == len(element.attributes)
        return found

    def _any_has(self, elements: Sequence[_Element]) -> Mask:
        found: Mask = np.any([self._has(each) for each in elements], axis=0)
        return found

    def _lift(self, rows: Mask) -> float:
        return float((self.counts.bad[rows].sum() + 0.5) / (self.expected[rows].sum() + 0.5))

    def _told(self, element: _Element) -> Candidate:
        agreeing = self.cube.agreeing(element.dimensions, element.attributes)
        depth = len(element.attributes)
        attributes = self.cube.named(element.dimensions, element.attributes)
        return self._candidate(agreeing == depth, attributes, element.score, agreeing == depth - 1)

    def _candidate(
        self, rows: Mask, attributes: dict[str, str], score: float, siblings: Mask | None
    ) -> Candidate:
        bad, expected = self.counts.bad[rows].sum(), float(self.expected[rows].sum())
        excess = self.counts.bad.sum() - self.expected.sum()
        has_siblings = siblings is not None and self.counts.total[siblings].sum() > 0
        return Candidate(
            attributes=attributes,
            score=score,
            bad=int(bad),
            total=int(self.counts.total[rows].sum()),
            expected=expected,
            lift=self._lift(rows),
            contrast=self._lift(rows) / self._lift(siblings)
            if siblings is not None and has_siblings
            else None,
            explained=min(max(float((bad - expected) / excess), 0.0), 1.0) if excess > 0 else None,
        )


def _nothing(verdict: Verdict, counts: Counts) -> Localisation:
    whole = Candidate({}, 0.0, int(counts.bad.sum()), int(counts.total.sum()), 0.0, 1.0, None, None)
    return Localisation(verdict, (), (), whole)
