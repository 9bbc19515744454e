"""A model is let through for a reason, and turned away for a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from cinelake.recommend.gate import CHALLENGER, CHAMPION, POPULAR, Decision, Tolerances, decide
from cinelake.recommend.training import Comparison, Row

NO_CHAMPION = "there is no champion yet"
# What a version that is as good as the champion's recipe is told.
BEATS = "nDCG@10 0.3000 [0.2900, 0.3100] beats popularity, 0.1000 [0.0900, 0.1100], over 40 held-out profiles"
LEVEL = "is not below the champion's recipe, 0.3000 [0.2900, 0.3100], by more than noise: +0.0000 [-0.0100, +0.0100]"
COVERED = "coverage@10 0.4000 beside 0.4000 of the champion's recipe"
CALIBRATED = "miscalibration@10 0.5000 nats beside 0.5000 of the champion's recipe"
NO_GROUP = "no group of profiles has the 50 that it takes to be judged by itself"


@dataclass(frozen=True)
class Fared:
    """How a model fared; the interval of a mean is .01 to either side."""

    ndcg: float
    coverage: float = 0.4
    miscalibration: float | None = 0.5
    # nDCG and profiles, by segment and group.
    groups: Mapping[tuple[str, str], tuple[float, int]] = field(default_factory=dict)


def _row(model: str, measure: str, mean: float | None, profiles: int = 40) -> Row:
    low, high = (None, None) if mean is None else (mean - 0.01, mean + 0.01)
    return {
        "model": model, "measure": measure, "profiles": profiles, "mean": mean, "low": low, "high": high,
    }  # fmt: skip


def _compared(**models: Fared) -> Comparison:
    own = models[CHALLENGER]
    measures: list[Row] = []
    segments: list[Row] = []
    for name, one in models.items():
        measures += [
            _row(name, "ndcg_at_10", one.ndcg),
            _row(name, "lead", own.ndcg - one.ndcg),
            _row(name, "miscalibration_at_10", one.miscalibration),
        ]
        for (segment, group), (ndcg, profiles) in one.groups.items():
            lead = own.groups[segment, group][0] - ndcg
            segments += [
                {"segment": segment, "group": group} | _row(name, measure, value, profiles)
                for measure, value in (("ndcg_at_10", ndcg), ("lead", lead))
            ]
    shown = [{"model": name, "coverage": one.coverage, "gini": 0.5} for name, one in models.items()]
    return Comparison(10, measures, segments, shown, cold=[])


def _decided(
    challenger: Fared, champion: Fared | None = None, popular: Fared = Fared(0.1)
) -> Decision:
    models = {CHALLENGER: challenger, POPULAR: popular}
    if champion is not None:
        models[CHAMPION] = champion
    return decide(_compared(**models), Tolerances(), NO_CHAMPION)


def _said(*parts: str) -> str:
    return "; ".join(parts)


def test_a_model_level_with_the_champion_passes_with_every_figure_in_the_reason() -> None:
    assert _decided(Fared(0.3), Fared(0.3)) == Decision(
        True, _said(BEATS, LEVEL, COVERED, CALIBRATED, NO_GROUP)
    )


def test_without_a_champion_the_baseline_alone_judges_and_that_is_said() -> None:
    assert _decided(Fared(0.3)) == Decision(
        True, _said(BEATS, "that is all it was judged by: there is no champion yet")
    )


def test_a_tie_with_the_baseline_is_not_enough() -> None:
    assert _decided(Fared(0.1)) == Decision(
        False,
        "nDCG@10 0.1000 [0.0900, 0.1100] does not beat popularity, 0.1000 [0.0900, 0.1100], "
        "over 40 held-out profiles",
    )


def test_a_little_below_the_champion_is_noise_and_more_is_not() -> None:
    # Leads are known to .01.
    assert _decided(Fared(0.3), Fared(0.309)).passed
    assert _decided(Fared(0.3), Fared(0.32)) == Decision(
        False,
        "nDCG@10 0.3000 [0.2900, 0.3100] is below the champion's recipe, 0.3200 [0.3100, 0.3300], "
        "by more than noise: -0.0200 [-0.0300, -0.0100]",
    )


def test_lists_may_show_a_little_less_of_the_catalogue_and_not_much_less() -> None:
    assert _decided(Fared(0.3, coverage=0.36), Fared(0.3)).passed
    assert _decided(Fared(0.3, coverage=0.3), Fared(0.3)) == Decision(
        False,
        "coverage@10 0.3000 beside 0.4000 of the champion's recipe is worse by more than "
        "tolerances.coverage = 0.05",
    )


def test_lists_may_follow_tastes_a_little_less_closely_and_not_much_less() -> None:
    assert _decided(Fared(0.3, miscalibration=0.59), Fared(0.3)).passed
    assert _decided(Fared(0.3, miscalibration=0.7), Fared(0.3)) == Decision(
        False,
        "miscalibration@10 0.7000 nats beside 0.5000 of the champion's recipe is worse by more than "
        "tolerances.miscalibration = 0.1 nats",
    )


def test_where_no_genres_are_known_the_reason_says_that_calibration_was_not_judged() -> None:
    unknown = Fared(0.3, miscalibration=None)
    assert _decided(unknown, unknown) == Decision(
        True, _said(BEATS, LEVEL, COVERED, "calibration could not be judged, for no genres are known", NO_GROUP)
    )  # fmt: skip


KIDS, ADULTS, NEW = ("kind", "kids"), ("kind", "adult"), ("history", "1-9")


def _in_groups(*groups: tuple[tuple[str, str], float, int]) -> Fared:
    return Fared(0.3, groups={name: (ndcg, profiles) for name, ndcg, profiles in groups})


def test_no_group_may_pay_for_the_others() -> None:
    before = _in_groups((KIDS, 0.3, 60), (ADULTS, 0.3, 60))
    assert _decided(_in_groups((KIDS, 0.2, 60), (ADULTS, 0.4, 60)), before) == Decision(
        False,
        "nDCG@10 of kind kids 0.2000 [0.1900, 0.2100] over 60 profiles is below the champion's recipe, "
        "0.3000 [0.2900, 0.3100], by more than noise and than tolerances.group_ndcg = 0.02: "
        "-0.1000 [-0.1100, -0.0900]",
    )


@pytest.mark.parametrize(
    ("ndcg", "profiles", "outcome"),
    [
        (
            0.285,
            60,
            "the one group of 50 profiles or more did not fall by more than noise and 0.02",
        ),
        (0.1, 49, NO_GROUP),
    ],
    ids=["a fall within the tolerance", "too few to be judged"],
)
def test_a_group_is_judged_if_it_is_large_enough_and_by_what_is_tolerated(
    ndcg: float, profiles: int, outcome: str
) -> None:
    decision = _decided(_in_groups((KIDS, ndcg, profiles)), _in_groups((KIDS, 0.3, profiles)))
    assert decision == Decision(True, _said(BEATS, LEVEL, COVERED, CALIBRATED, outcome))


def test_a_fall_of_a_group_within_noise_is_none() -> None:
    compared = _compared(
        challenger=_in_groups((KIDS, 0.2, 60)), champion=_in_groups((KIDS, 0.3, 60)), popular=Fared(0.1)
    )  # fmt: skip
    (lead,) = [
        row for row in compared.segments if row["measure"] == "lead" and row["model"] == CHAMPION
    ]
    lead["high"] = 0.01
    assert decide(compared, Tolerances(), NO_CHAMPION).passed


def test_of_many_fallen_groups_the_worst_are_named_and_the_rest_counted() -> None:
    markets = [
        (("market", name), fall) for name, fall in zip("ABCDE", (3, 9, 5, 7, 4), strict=True)
    ]
    now = _in_groups(*((market, 0.3 - fall / 50, 60) for market, fall in markets))
    before = _in_groups(*((market, 0.3, 60) for market, _ in markets))
    reason = _decided(now, before).reason
    assert [part.split(" of ")[1][:8] for part in reason.split("; ")[:3]] == [
        "market B", "market D", "market C",
    ]  # fmt: skip
    assert reason.split("; ")[3:] == ["so are 2 other groups"]


def test_how_rivals_fare_is_told_either_way_and_a_small_lead_decides_nothing() -> None:
    rivals = {"ease": Fared(0.325), "als": Fared(0.305)}
    ahead = "ease is ahead in nDCG@10 by more than noise, 0.3250 [0.3150, 0.3350]: -0.0250 [-0.0350, -0.0150]"
    level = (
        "als is not ahead by more than noise, 0.3050 [0.2950, 0.3150]: -0.0050 [-0.0150, +0.0050]"
    )
    passed = _compared(challenger=Fared(0.3), champion=Fared(0.3), popular=Fared(0.1), **rivals)
    assert decide(passed, Tolerances(), NO_CHAMPION) == Decision(
        True, _said(BEATS, LEVEL, COVERED, CALIBRATED, NO_GROUP, ahead, level)
    )
    failed = decide(
        _compared(challenger=Fared(0.3), popular=Fared(0.3), **rivals), Tolerances(), NO_CHAMPION
    )
    assert not failed.passed
    assert failed.reason.split("; ")[1:] == [ahead, level]


def test_a_version_that_a_rival_is_far_ahead_of_fails_and_the_rival_is_named() -> None:
    compared = _compared(
        challenger=Fared(0.3), champion=Fared(0.3), popular=Fared(0.1),
        ease=Fared(0.4), als=Fared(0.305), item_item=Fared(0.36),
    )  # fmt: skip
    decision = decide(compared, Tolerances(), NO_CHAMPION)

    assert decision == Decision(
        False,
        _said(
            "ease is ahead in nDCG@10 by more than tolerances.rival = 0.1 of the version's own, and by more than "
            "noise, 0.4000 [0.3900, 0.4100]: -0.1000 [-0.1100, -0.0900]",
            "item_item is ahead in nDCG@10 by more than tolerances.rival = 0.1 of the version's own, and by more than "
            "noise, 0.3600 [0.3500, 0.3700]: -0.0600 [-0.0700, -0.0500]",
            "als is not ahead by more than noise, 0.3050 [0.2950, 0.3150]: -0.0050 [-0.0150, +0.0050]",
        ),
    )
    assert decide(compared, Tolerances(rival=0.4), NO_CHAMPION).passed


def test_a_rival_that_may_be_ahead_by_chance_decides_nothing_however_far() -> None:
    compared = _compared(challenger=Fared(0.05), popular=Fared(0.01), ease=Fared(0.059))
    assert decide(compared, Tolerances(), NO_CHAMPION).passed


def test_who_is_new_is_no_group_that_could_fall() -> None:
    both = _in_groups((("history", "new"), 0.3, 60))
    assert _decided(both, both).reason.endswith(NO_GROUP)


def test_every_failure_is_told_and_nothing_that_is_well() -> None:
    decision = _decided(Fared(0.2, coverage=0.1), Fared(0.4), popular=Fared(0.3))
    assert [part.split(" ")[0] for part in decision.reason.split("; ")] == [
        "nDCG@10", "nDCG@10", "coverage@10",
    ]  # fmt: skip
    assert not decision.passed


def test_what_is_tolerated_is_a_setting() -> None:
    compared = _compared(
        challenger=Fared(0.3, coverage=0.1), champion=Fared(0.3), popular=Fared(0.1)
    )
    assert decide(compared, Tolerances(coverage=0.35), NO_CHAMPION).passed


def test_without_a_holdout_there_is_no_evidence_and_popularity_is_served() -> None:
    decision = decide(Comparison(10, [], [], [], []), Tolerances(), NO_CHAMPION)

    assert not decision.passed
    assert "nothing could be held out" in decision.reason
    assert "popularity, which is served instead" in decision.reason


def test_the_order_of_groups_does_not_matter() -> None:
    groups: Sequence[tuple[tuple[str, str], float, int]] = [(NEW, 0.25, 60), (KIDS, 0.2, 60)]
    before = _in_groups(*((name, 0.4, n) for name, _, n in groups))
    assert _decided(_in_groups(*groups), before) == _decided(_in_groups(*groups[::-1]), before)
