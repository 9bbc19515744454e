"""How much better each leaf is explained by a lift of its rate than by its history alone.

A leaf has all attributes given. What it is expected to have, `f`, is its viewers times its rate in history, which is
shrunk towards the rate of all, as if `prior_viewers` had been seen at that rate. Counts are negative binomial, with

    1 / dispersion of leaf = 1 / dispersion + 1 / (bad in history + prior_viewers · rate of all)

where the second term is what history leaves unknown. For a lift λ the evidence is the log-likelihood of `λ f` less
that of `f` (no more than 98 % of the viewers can be expected to have it bad). A leaf of any size can tell only so
much, by the dispersion, so that one large leaf does not decide. A scan statistic for counts in this form is due to
Kulldorff (1997); the negative binomial one to Tango, Takahashi and Kohriyama (2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cinelake.qoe.localisation.settings import Scan

Matrix = npt.NDArray[np.float64]
# Rises from 30 % to sixtyfold, evenly spaced by ratio.
LIFTS: Matrix = np.geomspace(1.3, 60, 24)
MOST_EXPECTED = 0.98
# Evidence is rounded to this, a power of two, so that sums of millions are exact, in whatever order they are added.
GRAIN = 2.0**-20
# Leaves worked on at a time, to stay in the processor's cache.
BLOCK = 16_384


@dataclass(frozen=True)
class Counts:
    """Viewers of leaves: `bad` of `total` now, `past_bad` of `past_total` in history; each `(leaves)`.

    Raises ValueError where a count is not a number, is negative, or `bad` is more than `total`.
    """

    bad: Matrix
    total: Matrix
    past_bad: Matrix
    past_total: Matrix

    def __post_init__(self) -> None:
        for name, counts in vars(self).items():
            wrong = int(np.sum(~(np.isfinite(counts) & (counts >= 0))))
            if wrong:
                raise ValueError(
                    f"{name} has {wrong} values that are missing or negative; counts are 0 or more"
                )
        for part, whole in (("bad", "total"), ("past_bad", "past_total")):
            more = int(np.sum(getattr(self, part) > getattr(self, whole)))
            if more:
                raise ValueError(
                    f"{part} is greater than {whole} in {more} leaves; give counts of which one is part of the other"
                )

    def expected(self, settings: Scan) -> tuple[Matrix, Matrix]:
        """`(leaves)` each: bad viewers expected now, and the bad viewers on which that is founded."""
        rate = (self.past_bad.sum() + 0.5) / (self.past_total.sum() + 1)
        founded = self.past_bad + settings.prior_viewers * rate
        return self.total * founded / (self.past_total + settings.prior_viewers), founded


def evidence(counts: Counts, settings: Scan) -> Matrix:
    """Log-likelihood ratios `(leaves, lifts)` of each lift against none; 0 where nobody watches."""
    expected, founded = counts.expected(settings)
    dispersion = 1 / (1 / settings.dispersion + 1 / founded)
    found = np.zeros((len(expected), len(LIFTS)))
    watched = np.flatnonzero(counts.total > 0)
    for start in range(0, len(watched), BLOCK):
        rows = watched[start : start + BLOCK]
        f, k, bad = expected[rows, None], dispersion[rows, None], counts.bad[rows, None]
        most = np.maximum(MOST_EXPECTED * counts.total[rows, None], f)
        lifted = np.minimum(LIFTS * f, most)
        # The terms that both likelihoods share are left out.
        told = bad * np.log(lifted / f) - (bad + k) * np.log((k + lifted) / (k + f))
        found[rows] = np.round(told / GRAIN) * GRAIN
    return found
