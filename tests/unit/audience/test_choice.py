"""A choice is good at everything, keeps what the champion has unless it is clearly beaten, and its gate says why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cinelake.audience.choice import (
    ONE,
    Candidate,
    Choice,
    ClusterRecipe,
    Measures,
    _taken,
    utilities,
)
from cinelake.audience.features import FeatureRecipe
from cinelake.audience.gate import decide, no_chance
from cinelake.audience.pictures import cluster_map, curves
from cinelake.audience.usefulness import Gain


def measured(
    k: int, silhouette: float, stability: float, gain: float, largest: float = 0.3
) -> Measures:
    own = Gain(gain, 0.01, 100)
    agreements = (stability - 0.02, stability + 0.02)
    return Measures(
        Candidate("k_means", k), k, silhouette, agreements, (stability,) * k, own, largest
    )


def no_lead(one: Candidate, other: Candidate) -> Gain:
    raise AssertionError(f"nobody asks how {one} does against {other}")


def lead_of(mean: float) -> Callable[[Candidate, Candidate], Gain]:
    return lambda _one, _other: Gain(mean, 0.01, 100)


COMPACT, BALANCED, USEFUL = (
    measured(2, 0.5, 0.5, 0.1),
    measured(6, 0.4, 0.9, 0.25),
    measured(24, 0.2, 0.4, 0.3),
)
ALL = [COMPACT, BALANCED, USEFUL]


def test_what_is_good_at_everything_is_taken() -> None:
    assert _taken(ALL, None, 0.05, no_lead) is BALANCED
    useful = utilities(ALL)
    assert useful[1] == pytest.approx((0.8 * 1 * (0.25 / 0.3)) ** (1 / 3))


def test_a_measure_in_which_nobody_is_above_nothing_does_not_decide() -> None:
    blind = [measured(2, 0.5, 0.9, -0.1), measured(4, 0.6, 0.9, -0.2)]
    assert _taken(blind, None, 0.0, no_lead).candidate.k == 4
    nothing = [measured(4, 0.0, 0.0, 0.0), measured(2, 0.0, 0.0, 0.0)]
    # Of equals the fewer.
    assert _taken(nothing, None, 0.0, no_lead).candidate.k == 2


def test_what_the_champion_has_is_kept_unless_it_is_beaten_by_a_margin() -> None:
    close = [measured(6, 0.40, 0.9, 0.25), measured(8, 0.41, 0.9, 0.25)]
    champion = Candidate("k_means", 6)
    assert _taken(close, champion, 0.05, no_lead).candidate == champion
    assert _taken(close, champion, 0.0, lead_of(0.1)).candidate.k == 8
    # What is no more among the candidates is not kept.
    assert _taken(close, Candidate("gaussian", 6), 0.05, no_lead).candidate.k == 8
    assert _taken(close, Candidate("k_means", 8), 0.0, no_lead).candidate.k == 8


def test_what_the_champion_has_is_kept_unless_it_is_beaten_beyond_noise() -> None:
    champion = Candidate("k_means", 6)
    steadier = [measured(6, 0.40, 0.70, 0.25), measured(4, 0.50, 0.90, 0.25)]
    # More stable in every sample: enough, unless it foretells worse.
    assert _taken(steadier, champion, 0.05, lead_of(0.0)).candidate.k == 4
    assert _taken(steadier, champion, 0.05, lead_of(-0.019)).candidate.k == 4
    assert _taken(steadier, champion, 0.05, lead_of(-0.021)).candidate.k == 6
    # As stable, and more compact: only if it foretells better, too.
    denser = [measured(6, 0.40, 0.90, 0.25), measured(4, 0.60, 0.90, 0.25)]
    assert _taken(denser, champion, 0.05, lead_of(0.019)).candidate.k == 6
    assert _taken(denser, champion, 0.05, lead_of(0.021)).candidate.k == 4


def test_fewer_profiles_than_clusters_are_one_cluster() -> None:
    recipe = ClusterRecipe(numbers=(2, 4, 8), profiles_per_cluster=6)
    assert recipe.numbers_for(11, None) == [1]
    assert recipe.numbers_for(24, None) == [2, 4]
    # The champion's number is tried, too, where there are enough for it.
    assert recipe.numbers_for(24, Candidate("k_means", 3)) == [2, 3, 4]
    assert recipe.numbers_for(24, Candidate("k_means", 20)) == [2, 4]


def gate(choice: Choice, *, has_champion: bool = True) -> tuple[bool, str]:
    decision = decide({"adult": choice}, 0.5, 0.8, has_champion=has_champion)
    return decision.passed, decision.reason


def test_the_first_clustering_replaces_nothing_and_passes() -> None:
    passed, reason = gate(Choice((USEFUL,), USEFUL), has_champion=False)
    assert passed
    assert "stability 0.40" in reason


def test_a_first_clustering_makes_no_clusters_of_chance_and_no_giant() -> None:
    chance = measured(4, 0.2, 0.15, 0.01)
    giant = measured(4, 0.5, 0.9, 0.2, largest=0.95)
    choices = {
        "adult": Choice((BALANCED,), BALANCED), "kid": Choice((chance,), chance),
        "teen": Choice((giant,), giant),
    }  # fmt: skip
    found = no_chance(choices, 0.2, 0.8)
    assert found == {
        "adult": choices["adult"], "kid": Choice((chance, ONE), ONE), "teen": Choice((giant, ONE), ONE),
    }  # fmt: skip


def test_an_unstable_clustering_a_giant_and_a_worse_one_fail_and_it_says_so() -> None:
    assert gate(Choice((USEFUL,), USEFUL)) == (False, "adult: stability 0.40 is below 0.50")
    giant = measured(4, 0.5, 0.9, 0.2, largest=0.95)
    assert gate(Choice((giant,), giant)) == (False, "adult: one of 4 clusters holds 95%")
    champion = Candidate("gaussian", 8)
    worse = Choice((BALANCED,), BALANCED, champion, Gain(-0.05, 0.01, 100))
    passed, reason = gate(worse)
    assert not passed
    assert (
        reason
        == "adult: 6 by k_means foretells genres worse than the champion does, by -0.050 ± 0.020 nats"
    )


def test_a_clustering_that_is_worse_by_noise_alone_passes() -> None:
    noise = Choice((BALANCED,), BALANCED, Candidate("gaussian", 8), Gain(-0.01, 0.01, 100))
    assert gate(noise)[0]
    # One cluster is no giant of several.
    assert gate(Choice((ONE,), ONE))[0]


def test_unknown_blocks_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="there is no block 'gnere'; there are factors, genre"):
        FeatureRecipe(weights={"gnere": 1.0})
    with pytest.raises(ValueError, match="one at least is above"):
        FeatureRecipe(weights={"genre": 0.0})


def test_pictures_show_what_was_measured_and_where_clusters_lie() -> None:
    figure = curves(Choice(tuple(ALL), BALANCED))
    assert [axes.get_title() for axes in figure.axes][:2] == ["silhouette", "stability"]
    assert all(len(axes.lines[0].get_xdata()) == 3 for axes in figure.axes)
    rows = [
        {"name": "Late-night crime and thriller, on phones", "members": 10, "member_share": 0.7, "x": 0.5,
         "y": 0.1, "event": "kept"},
        {"name": "Comedy", "members": 4, "member_share": 0.3, "x": -0.5, "y": 0.0, "event": "split"},
    ]  # fmt: skip
    drawn = cluster_map(rows, [(["Comedy"], ["Crime"]), ([], [])])
    (axes,) = drawn.axes
    assert "Comedy" in axes.get_xlabel()
    assert sorted(text.get_text().replace("\n", " ") for text in axes.texts) == [
        "Comedy 30%",
        "Late-night crime and thriller, on phones 70%",
    ]
