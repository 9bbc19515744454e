"""A model is let through for a reason, and turned away for a reason."""

from __future__ import annotations

from cinelake.recommend.gate import CHALLENGER, CHAMPION, POPULAR, Measured, decide


def _of(mean: float) -> Measured:
    return Measured(mean, mean - 0.01, mean + 0.01, 40)


def test_a_model_that_beats_baseline_and_champion_passes() -> None:
    decision = decide({CHALLENGER: _of(0.3), CHAMPION: _of(0.2), POPULAR: _of(0.1)}, "nDCG@10", "")

    assert decision.passed
    assert decision.reason == (
        "nDCG@10 0.3000 [0.2900, 0.3100] beats popularity, 0.1000 [0.0900, 0.1100]; "
        "the champion's recipe, 0.2000 [0.1900, 0.2100]; over 40 held-out profiles"
    )


def test_a_model_worse_than_the_champion_is_refused_though_it_beats_the_baseline() -> None:
    decision = decide({CHALLENGER: _of(0.2), CHAMPION: _of(0.3), POPULAR: _of(0.1)}, "nDCG@10", "")

    assert not decision.passed
    assert "does not beat the champion's recipe, 0.3000" in decision.reason


def test_a_tie_with_the_baseline_is_not_enough() -> None:
    decision = decide({CHALLENGER: _of(0.1), POPULAR: _of(0.1)}, "nDCG@10", "no champion yet")

    assert not decision.passed
    assert "does not beat popularity" in decision.reason


def test_a_refresh_of_the_champion_has_only_the_baseline_to_beat() -> None:
    decision = decide({CHALLENGER: _of(0.2), POPULAR: _of(0.1)}, "nDCG@10", "the same recipe")

    assert decision.passed
    assert "the same recipe" in decision.reason


def test_without_a_holdout_there_is_no_evidence_and_popularity_is_served() -> None:
    decision = decide({}, "nDCG@10", "there is no champion yet")

    assert not decision.passed
    assert "nothing could be held out" in decision.reason
    assert "popularity, which is served instead" in decision.reason
