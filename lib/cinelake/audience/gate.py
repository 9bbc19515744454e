"""The gate between a new clustering and those who use clusters.

It passes when, population by population, it does not foretell the next days' genres worse than the champion's choice,
fitted to the same days, by more than noise (the interval of the difference, paired by profile, does not lie below 0);
when it is as stable as a setting asks; and when no cluster of several is a giant that holds nearly everybody. The
champion's choice on newer data is a refresh and needs no comparison; the first clustering of all replaces nothing, and
passes as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from cinelake.audience.choice import Choice
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
                f"{population}: {taken.candidate} foretells genres worse than the champion's {choice.champion}, by "
                f"{choice.lead} nats"
            )
    if faults:
        return Decision(False, "; ".join(faults))
    return Decision(True, f"no worse than the champion's choice and stable: {_told(choices)}")


def _told(choices: Mapping[str, Choice]) -> str:
    return "; ".join(
        f"{population}: {choice.taken.candidate}, silhouette {choice.taken.silhouette:.2f}, stability "
        f"{choice.taken.stability:.2f}, gain {choice.taken.gain} nats"
        for population, choice in choices.items()
    )
