"""How far what a party likes, and when it watches, differ from the home: two habits, or one?

Method: the Bayes factor of independence in a table of counts (Gunel and Dickey, 1974, "Bayes factors for independence
in contingency tables", Biometrika 61): how much likelier the counts of both are if each has a distribution of its own
than if they have one in common, under Dirichlet priors of weight 1/2 each (Jeffreys):

    DM(own) DM(others) / DM(own + others)

with DM the Dirichlet-multinomial likelihood. A few plays speak for neither side, so a party of three is not said to be
of another taste; many that are alike speak for one. The logarithm is what evidence adds up in, and is itself told on a
logarithmic scale (`log1p`, with its sign), for the odds grow with every evening and the doubt does not shrink as fast.

Caveats. Genres of a title come together, as hours of an evening do, so each counts half. Members of a family differ in
taste, too: that a party watches otherwise than the home *at the home's own profile* says more than that it does at all.
Where no genres are known nothing is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from math import copysign, lgamma, log1p
from typing import Any

Rows = Sequence[Mapping[str, Any]]

# Of each value of a distribution, before anything was seen.
PRIOR = 0.5
# What a count of things that come together weighs.
WEIGHT = 0.5
# Hours of a part of the day: an evening is one or two of them.
PART = 3


def tastes(own: Rows, home: Rows) -> dict[str, float]:
    """What is told of a party's tastes against the home's, by their rows of `usage_days`."""
    both = _profiles(own) & _profiles(home)
    theirs = hours_by_day(home)
    at_once = {day for day, mask in hours_by_day(own).items() if mask & theirs.get(day, 0)}

    def where(holds: Callable[[Mapping[str, Any]], bool]) -> float:
        return apart(genres(filter(holds, own)), genres(filter(holds, home)))

    return {
        "tastes_apart": apart(genres(own), genres(home)),
        "taste_shift": where(lambda row: row["profile_id"] in both),
        "tastes_at_once": where(lambda row: row["use_date"] in at_once),
    }


def times_of_day(own: Rows, home: Rows) -> dict[str, float]:
    """The same of the times at which they watch."""
    return {"hours_apart": apart(parts_of_day(own), parts_of_day(home))}


def apart(own: Mapping[Any, int], others: Mapping[Any, int]) -> float:
    """Above 0 where counts speak for two distributions, below for one; 0 where one of them has none."""
    if not own or not others:
        return 0.0
    # And one that neither has: that both have nothing else speaks for one distribution.
    values = own.keys() | others.keys() | {None}
    each = [[WEIGHT * counts.get(value, 0) for value in values] for counts in (own, others)]
    together = [a + b for a, b in zip(*each, strict=True)]
    odds = _likelihood(each[0]) + _likelihood(each[1]) - _likelihood(together)
    return copysign(log1p(abs(odds)), odds)


def _likelihood(counts: Sequence[float]) -> float:
    """Logarithm of the Dirichlet-multinomial likelihood of what was counted, in its order."""
    total = PRIOR * len(counts)
    seen = sum(lgamma(PRIOR + count) for count in sorted(counts)) - len(counts) * lgamma(PRIOR)
    return lgamma(total) - lgamma(total + sum(counts)) + seen


def genres(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Titles by genre; days of before genres were counted have none."""
    told: Counter[str] = Counter()
    for row in rows:
        for each in row["genres"] or ():
            told[each["genre"]] += each["titles"]
    return told


def parts_of_day(rows: Rows) -> Counter[int]:
    """Hours of use by part of the day."""
    told: Counter[int] = Counter()
    for mask in hours_by_day(rows).values():
        for part in range(24 // PART):
            hours = (mask >> part * PART & (1 << PART) - 1).bit_count()
            if hours:
                told[part] += hours
    return told


def hours_by_day(rows: Rows) -> dict[date, int]:
    """Bit h for every hour h in which something was played."""
    masks: dict[date, int] = {}
    for row in rows:
        masks[row["use_date"]] = masks.get(row["use_date"], 0) | row["hours"]
    return masks


def _profiles(rows: Rows) -> set[str]:
    return {row["profile_id"] for row in rows}
