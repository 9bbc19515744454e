"""The gate between a new clustering and those who use clusters.

It passes when, population by population, it does not foretell the next days' genres worse than the champion itself,
which puts profiles by its own terms and factors, by more than noise (the interval of the difference, paired by profile,
does not lie below 0); when it is as stable as a setting asks; and when no cluster of several is a giant that holds
nearly everybody. A champion that has seen the days that judge is not compared.

The first clustering of all replaces nothing, and passes; but of a population in which clusters are chance, or one of
them a giant, it makes one cluster. There is one decision for both populations: a version brings the factors along by
which both are told, so that adults of one and kids of another are no version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cinelake.audience.choice import ONE, Choice
from cinelake.recommend.gate import Decision


def decide(
    choices: Mapping[str, Choice],
    least_stability: float,
    most_in_one: float,
    *,
    has_champion: bool,
) -> Decision:
    """The decision and its reason in words."""
    if not has_champion:
        return Decision(True, f"the first clustering: {_told(choices)}")
    faults = []
    for population, choice in choices.items():
        taken = choice.taken
        if taken.stability < least_stability:
            faults.append(
                f"{population}: stability {taken.stability:.2f} is below {least_stability:.2f}"
            )
        if taken.found > 1 and taken.largest > most_in_one:
            faults.append(f"{population}: one of {taken.found} clusters holds {taken.largest:.0%}")
        if choice.lead is not None and choice.lead.mean + 1.96 * choice.lead.error < 0:
            faults.append(
                f"{population}: {taken.candidate} foretells genres worse than the champion does, by {choice.lead} nats"
            )
    if faults:
        return Decision(False, "; ".join(faults))
    return Decision(True, f"no worse than the champion and stable: {_told(choices)}")


def no_chance(
    choices: Mapping[str, Choice], least_stability: float, most_in_one: float
) -> dict[str, Choice]:
    """Of a first clustering: one cluster where those that were chosen are chance, or one of them a giant."""
    found = {}
    for population, choice in choices.items():
        taken = choice.taken
        is_giant = taken.found > 1 and taken.largest > most_in_one
        is_one = taken.stability < least_stability or is_giant
        measured = (*choice.measured, ONE)
        found[population] = replace(choice, measured=measured, taken=ONE) if is_one else choice
    return found


def _told(choices: Mapping[str, Choice]) -> str:
    return "; ".join(
        f"{population}: {choice.taken.candidate}, silhouette {choice.taken.silhouette:.2f}, stability "
        f"{choice.taken.stability:.2f}, gain {choice.taken.gain} nats"
        for population, choice in choices.items()
    )
