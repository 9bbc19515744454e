"""Families change plan and profiles now and then, intruders sooner, and owners put it right."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cinelake.simulate.abuse.misuse import clocks, stretches, takeovers
from cinelake.simulate.randomness import Bools, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, Offender, Records
from cinelake.simulate.viewers.belongings import profile_records
from cinelake.simulate.viewers.billing import account_changes
from cinelake.simulate.viewers.service_side import batch_of

from .conftest import START

END = START + 28 * DAY
ACCOUNTS = np.arange(400)
# Without anybody else who makes profiles.
HONEST = dict.fromkeys(("stuffing", "slow_takeover", "friends", "resale", "screens", "piracy"), 0.0)


def service(**abuse: float) -> Settings:
    return Settings.model_validate({"abuse": HONEST | abuse})


def profiles(settings: Settings) -> Records:
    return profile_records(settings, batch_of(settings, ACCOUNTS), START, END)


def told(records: Records, name: str) -> list[str]:
    texts: list[str] = records.payload[name].cast("string").to_pylist()
    return texts


def later(settings: Settings, records: Records) -> Bools:
    signed_up = batch_of(settings, ACCOUNTS).homes.signed_up_at[records.account]
    after: Bools = records.happened > signed_up + DAY
    return after


def test_families_change_their_profiles_at_the_rate_that_is_set() -> None:
    def a_year(settings: Settings) -> float:
        found = profiles(settings)
        signed_up = batch_of(settings, ACCOUNTS).homes.signed_up_at
        years = np.maximum(END - signed_up, 0).sum() / (365 * DAY)
        return float(later(settings, found).sum() / years)

    still = Settings.model_validate({"abuse": HONEST, "viewers": {"profile_changes_a_year": 0}})
    assert 0.4 < a_year(service()) < 0.75
    assert a_year(still) == 0


def test_each_edit_is_another_language_and_nothing_else() -> None:
    found = profiles(service(stuffing=0.3, slow_takeover=0.3, meddling=1))
    names = ("profile_id", "language", "maturity_limit")
    rows = zip(*(told(found, name) for name in names), strict=True)
    edits = 0
    for one, other in pairwise(rows):
        if one[0] == other[0] and one != other:
            edits += 1
            assert one[1] != other[1]
            assert one[2] == other[2]
    assert edits > 100


def test_some_intruders_meddle_and_the_owner_puts_it_right() -> None:
    settings = service(stuffing=0.5, meddling=1)
    found = account_changes(settings, batch_of(settings, ACCOUNTS), START, END)
    change, plan = (np.array(told(found, name)) for name in ("change", "plan"))
    raised = 0
    for stretch in stretches(START, END):
        taken = takeovers(settings, ACCOUNTS, np.full(len(ACCOUNTS), stretch), slow=False)
        assert (taken.meddles_at > taken.from_us)[taken.raises_plan].all()
        assert (taken.meddles_at < taken.until_us)[taken.raises_plan].all()
        for account in np.flatnonzero(taken.happens & taken.raises_plan):
            own = (found.account == account) & (change == "plan")
            up = own & (found.happened == taken.meddles_at[account])
            assert (plan[up] == "premium").all()
            raised += int(up.sum())
    assert raised > 20
    # Families choose larger and smaller plans without anybody's help.
    alone = service()
    usual = account_changes(alone, batch_of(alone, ACCOUNTS), START, END)
    assert 0 < told(usual, "change").count("plan") < raised


def test_some_intruders_live_by_another_clock_and_nobody_else_does() -> None:
    settings, zone = service(other_clock=1), np.zeros(600, dtype=np.int64)
    viewer = np.arange(600)

    def moved(offender: Offender) -> Longs:
        return clocks(settings, viewer, np.full(600, offender), zone)

    assert len(np.unique(moved(Offender.INTRUDER))) > 3
    assert (moved(Offender.HONEST) == zone).all()
    assert (moved(Offender.FRIEND) == zone).all()
