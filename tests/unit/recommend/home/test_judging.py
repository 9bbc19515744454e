"""Models of the home page are judged on days that they did not see, beside plainer ones."""

from datetime import date, timedelta

from cinelake.recommend.gate import Decision, Measured
from cinelake.recommend.home.judging import calibrated, decided, held_out_from, kept_part

DAY = date(2026, 2, 10)


def test_the_last_quarter_of_the_days_judges() -> None:
    assert held_out_from(DAY, DAY + timedelta(days=28)) == DAY + timedelta(days=21)
    assert held_out_from(DAY, DAY + timedelta(days=2)) == DAY + timedelta(days=1)


def test_a_model_passes_if_it_is_no_worse_than_what_is_plain() -> None:
    good, bad = Measured(0.5, 0.45, 0.6, 9), Measured(0.4, 0.3, 0.5, 9)
    noise = Measured(0.46, 0.4, 0.5, 9)
    assert decided({"resume": good, "recency": bad}, "resume", ["recency"], "MRR").passed
    assert decided({"resume": noise, "recency": good}, "resume", ["recency"], "MRR").passed
    lost = decided({"resume": bad, "recency": good}, "resume", ["recency"], "MRR")
    assert not lost.passed
    assert "0.4000 [0.3000, 0.5000] is worse than recency 0.5000" in lost.reason
    assert not decided({}, "resume", ["recency"], "MRR").passed


def test_a_model_whose_chances_are_not_what_comes_of_them_is_refused() -> None:
    better = Decision(True, "MRR .5")
    good, bad = (calibrated(better, error, 0.05) for error in (0.05, 0.0501))
    assert (good.passed, bad.passed) == (True, False)
    assert good.reason == "MRR .5; calibration error 0.050 is within 0.050"
    assert "is beyond 0.050" in bad.reason
    assert not calibrated(Decision(False, ""), 0.0, 0.05).passed


def test_a_part_that_costs_beyond_noise_is_left_out() -> None:
    told = kept_part("circumstances", Measured(-0.02, -0.03, -0.01, 9), "nDCG")
    assert not told.passed
    assert told.reason == (
        "circumstances are left out, for with them nDCG -0.0200 [-0.0300, -0.0100] against the same without"
    )
    assert kept_part("circumstances", Measured(-0.02, -0.05, 0.01, 9), "nDCG").passed
    assert kept_part("circumstances", Measured(0.02, 0.01, 0.03, 9), "nDCG").passed
    assert not kept_part("circumstances", None, "nDCG").passed
