"""The cause of a rise is found among combinations of attributes, and where there is none, none is blamed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.qoe.planted import DIMENSIONS, leaves

from cinelake.qoe.localisation.search import Localisation, Verdict, cause_of
from cinelake.qoe.localisation.settings import Scan

BRISK = (("cdn", "brisk"),)
BRISK_EAST = (("cdn", "brisk"), ("isp", "east"))
TV = (("device", "tv"),)
CREST_EAST = (("cdn", "crest"), ("isp", "east"))
EAST, WEST = (("isp", "east"),), (("isp", "west"),)
BRISK_EAST_TV = (*BRISK_EAST, ("device", "tv"))


def blamed(found: Localisation) -> list[dict[str, str]]:
    return [each.attributes for each in found.causes]


@pytest.mark.parametrize("cause", [BRISK, BRISK_EAST, BRISK_EAST_TV], ids=["one", "two", "three"])
@pytest.mark.parametrize("seed", range(5))
def test_a_cause_is_found_by_just_the_attributes_it_has(
    cause: tuple[tuple[str, str], ...], seed: int
) -> None:
    found = cause_of(leaves({cause: 6.0}, seed=seed), DIMENSIONS)
    assert found.verdict is Verdict.LOCALISED
    assert blamed(found) == [dict(cause)]


def test_a_cause_comes_with_what_speaks_for_it() -> None:
    frame = pd.DataFrame(
        [
            # 20 were expected of the first, and of each of the others.
            ("brisk", "tv", 120, 1000, 200, 10_000),
            ("brisk", "web", 120, 1000, 200, 10_000),
            ("akka", "tv", 20, 1000, 200, 10_000),
            ("akka", "web", 24, 1000, 200, 10_000),
        ],
        columns=["cdn", "device", "bad", "total", "past_bad", "past_total"],
    )
    (cause,) = cause_of(frame, ["cdn", "device"]).causes
    assert cause.attributes == {"cdn": "brisk"}
    assert (cause.bad, cause.total) == (240, 2000)
    assert cause.expected == pytest.approx(40, abs=0.01)
    assert cause.lift == pytest.approx(240.5 / 40.5, rel=1e-3)
    assert cause.contrast == pytest.approx(240.5 / 44.5, rel=1e-3)
    assert cause.explained == pytest.approx(200 / 204, abs=1e-3)


def test_two_causes_at_once_are_both_found() -> None:
    found = cause_of(leaves({(("isp", "east"),): 6.0, (("isp", "north"),): 6.0}), DIMENSIONS)
    assert sorted(each["isp"] for each in blamed(found)) == ["east", "north"]
    assert found.ranked[:2] == found.causes


@pytest.mark.parametrize("cause", [BRISK, BRISK_EAST], ids=["one", "two"])
@pytest.mark.parametrize("seed", range(5))
def test_two_causes_that_have_no_dimension_in_common_are_both_found(
    cause: tuple[tuple[str, str], ...], seed: int
) -> None:
    """As when a fault of the network and one of an app have come into one incident."""
    found = cause_of(leaves({cause: 6.0, TV: 5.0}, seed=seed), DIMENSIONS)
    assert len(blamed(found)) == 2
    assert all(each in blamed(found) for each in (dict(cause), dict(TV)))
    assert found.ranked[:2] == found.causes
    assert len({str(each.attributes) for each in found.ranked}) == len(found.ranked)


@pytest.mark.parametrize(
    "lifts",
    [
        {BRISK: 6.0, TV: 5.0, EAST: 5.0},
        {BRISK: 3.0, TV: 3.0, EAST: 3.0},
        {BRISK: 4.0, CREST_EAST: 6.0},
        {BRISK_EAST: 6.0, WEST: 5.0},
        {BRISK_EAST: 6.0, (("cdn", "crest"), ("device", "tv")): 5.0},
    ],
    ids=["three dimensions", "and weaker ones", "wide and narrow", "narrow and wide", "narrow"],
)
def test_causes_of_any_form_are_found_one_beside_the_other(
    lifts: dict[tuple[tuple[str, str], ...], float],
) -> None:
    wanted = [str(dict(cause)) for cause in lifts]
    found = [cause_of(leaves(lifts, seed=seed), DIMENSIONS) for seed in range(20)]
    told = [sorted(str(each) for each in blamed(one)) for one in found]
    assert told.count(sorted(wanted)) >= 18


@pytest.mark.parametrize("seed", range(5))
def test_what_is_no_worse_where_it_meets_the_cause_is_no_cause_of_its_own(seed: int) -> None:
    """Web rose on the other CDNs, and on the bad one it is as all devices are: something that both hint at did it."""
    others = {(("device", "web"), ("cdn", cdn)): 7.0 for cdn in ("akka", "crest")}
    found = cause_of(leaves({BRISK: 8.0} | others, seed=seed), DIMENSIONS)
    assert blamed(found) == [dict(BRISK)]


def test_no_more_causes_are_blamed_than_may_be() -> None:
    frame = leaves({BRISK: 6.0, TV: 5.0})
    assert len(cause_of(frame, DIMENSIONS, Scan(causes=1)).causes) == 1


def test_the_last_attribute_but_one_is_ranked_behind_the_cause() -> None:
    found = cause_of(leaves({BRISK_EAST: 6.0}), DIMENSIONS)
    ranked = [each.attributes for each in found.ranked]
    assert ranked[0] == dict(BRISK_EAST)
    assert {"cdn": "brisk"} in ranked
    assert len({tuple(sorted(each.items())) for each in ranked}) == len(ranked) == Scan().ranked


@pytest.mark.parametrize("seed", range(10))
def test_a_premiere_is_nobodys_fault(seed: int) -> None:
    """More viewers at the same rates are no rise, and a rise of all rates has no cause among attributes."""
    calm = cause_of(leaves(load=5.0, seed=seed), DIMENSIONS)
    strained = cause_of(leaves({(): 3.0}, load=5.0, seed=seed), DIMENSIONS)
    assert (calm.verdict, calm.causes) == (Verdict.NO_RISE, ())
    assert (strained.verdict, strained.causes) == (Verdict.EVERYWHERE, ())
    assert strained.ranked
    assert strained.whole.lift == pytest.approx(3, rel=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_a_cause_is_found_beneath_a_rise_of_all(seed: int) -> None:
    found = cause_of(leaves({(): 1.5, BRISK: 6.0}, load=2.0, seed=seed), DIMENSIONS)
    assert blamed(found) == [dict(BRISK)]


@pytest.mark.parametrize("seed", range(5))
def test_what_was_always_bad_is_not_blamed(seed: int) -> None:
    always = {"old": 0.3}
    assert cause_of(leaves(rate=always, seed=seed), DIMENSIONS).verdict is Verdict.NO_RISE
    found = cause_of(leaves({BRISK_EAST: 6.0}, rate=always, seed=seed), DIMENSIONS)
    # Three in ten cannot rise sixfold, so that the old device may well be told apart from the others.
    assert all(dict(BRISK_EAST).items() <= each.items() for each in blamed(found))
    assert blamed(found)


def test_a_leaf_without_history_is_held_to_the_rate_of_all() -> None:
    frame = leaves()
    new = frame["cdn"] == "crest"
    frame.loc[new, ["past_bad", "past_total"]] = 0
    assert cause_of(frame, DIMENSIONS).verdict is Verdict.NO_RISE
    frame.loc[new, "bad"] = (frame.loc[new, "total"] * 0.2).astype(int)
    assert blamed(cause_of(frame, DIMENSIONS)) == [{"cdn": "crest"}]


def test_a_missing_attribute_is_no_cause() -> None:
    frame = leaves({BRISK: 6.0})
    frame.loc[frame["cdn"] == "brisk", "cdn"] = None
    found = cause_of(frame, DIMENSIONS)
    assert all(each.attributes.get("cdn") not in {"None", "nan"} for each in found.ranked)
    # What is known of those leaves may be told, and they count for the whole.
    assert found.whole.total == frame["total"].sum()


def test_all_attributes_missing_leave_nothing_to_blame() -> None:
    frame = leaves({(): 6.0}).assign(cdn=None, isp=None, device=np.nan)
    found = cause_of(frame, DIMENSIONS)
    assert (found.verdict, found.ranked) == (Verdict.EVERYWHERE, ())


def test_one_leaf_has_nothing_to_be_told_from() -> None:
    one = leaves({(): 6.0}).head(1)
    found = cause_of(one, DIMENSIONS)
    assert (found.verdict, found.causes, found.ranked) == (Verdict.EVERYWHERE, (), ())
    assert cause_of(leaves().head(1), DIMENSIONS).verdict is Verdict.NO_RISE


@pytest.mark.parametrize(
    ("without", "verdict"),
    [
        (["past_bad", "past_total"], Verdict.NO_HISTORY),
        (["bad", "total"], Verdict.NO_VIEWERS),
        (["bad", "total", "past_bad", "past_total"], Verdict.NO_VIEWERS),
    ],
)
def test_without_history_or_viewers_nothing_is_said(without: list[str], verdict: Verdict) -> None:
    frame = leaves({BRISK: 6.0}).assign(**dict.fromkeys(without, 0))
    found = cause_of(frame, DIMENSIONS)
    assert (found.verdict, found.causes, found.ranked) == (verdict, (), ())
    assert cause_of(frame.head(0), DIMENSIONS).verdict is Verdict.NO_VIEWERS


def test_a_fall_is_no_rise() -> None:
    assert cause_of(leaves({BRISK: 0.1}), DIMENSIONS).verdict is Verdict.NO_RISE


def test_leaves_that_nobody_watches_tell_nothing() -> None:
    frame = leaves({BRISK: 6.0})
    silent = frame.assign(bad=0, total=0, past_bad=0, past_total=0, isp="nowhere").head(3)
    with_silent = cause_of(pd.concat([frame, silent]), DIMENSIONS)
    assert blamed(with_silent) == blamed(cause_of(frame, DIMENSIONS)) == [dict(BRISK)]


def test_wrong_counts_are_refused() -> None:
    frame = leaves()
    with pytest.raises(ValueError, match="bad is greater than total in 48 leaves"):
        cause_of(frame.assign(bad=frame["total"] + 1), DIMENSIONS)
    with pytest.raises(ValueError, match="past_total has 1 values that are missing or negative"):
        cause_of(frame.assign(past_total=frame["past_total"].where(frame.index != 3)), DIMENSIONS)
    with pytest.raises(ValueError, match="total has 48 values that are missing or negative"):
        cause_of(frame.assign(total=-1), DIMENSIONS)
    with pytest.raises(ValueError, match="leaves lack the columns asn, past_bad"):
        cause_of(frame.drop(columns="past_bad"), ["cdn", "asn"])
    with pytest.raises(ValueError, match="at least one dimension"):
        cause_of(frame, [])


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_the_order_of_leaves_does_not_matter(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 50))
    lift = data.draw(st.sampled_from([1.0, 1.6, 4.0]))
    frame = leaves({BRISK_EAST: lift}, seed=seed, viewers=100)
    shuffled = frame.sample(frac=1, random_state=data.draw(st.integers(0, 50)))
    assert cause_of(shuffled, DIMENSIONS) == cause_of(frame, DIMENSIONS)


@pytest.mark.parametrize("viewers", [50, 1000])
def test_quiet_times_are_rarely_blamed_on_anybody(viewers: int) -> None:
    verdicts = [cause_of(leaves(seed=s, viewers=viewers), DIMENSIONS).verdict for s in range(200)]
    assert verdicts.count(Verdict.LOCALISED) <= 1
    assert verdicts.count(Verdict.NO_RISE) >= 196
