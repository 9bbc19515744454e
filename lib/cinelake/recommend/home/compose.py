"""Rows become a page: which rows stand on it, in which order, with which titles.

A page is worth what its viewer is likely to choose from it, and that it has something of all that the viewer likes:

    Σₛ θₛ Σⱼ φⱼ p(s, j)  +  d Σ_g q_g log(1 + Σₛ Σⱼ θₛ φⱼ [title (s, j) is of genre g])

with `p` the chance that the title is chosen if it is looked at (worth.py), `θₛ` and `φⱼ` the chances that the `s`-th
row and the `j`-th title of a row are looked at, against the first (attention.py), `q` the genres of the profile's
history, and `d` the weight of diversity. The second sum grows ever more slowly with more of the same, and fastest
with what the history has much of, so it spreads a page and keeps it in proportion (a submodular cover; compare Steck
2018).

Rows are taken one by one, each time the one that adds most. Both sums have diminishing returns, so a page made so is
worth at least 1 − 1/e of the best that could be made of these rows (Nemhauser, Wolsey and Fisher 1978), if it were
not for the limits on kinds of row, and for the kinds that always have one: these take the last places where they were
worth none before. No title stands twice on a page. Within its row a title stands by its worth, and
by what the row is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_array

from cinelake.recommend.home import kernels
from cinelake.recommend.scoring import Matrix


class Grid(BaseModel):
    """How large a page is, and what it is made for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(12, ge=1, le=40, description="rows of a page")
    titles: int = Field(20, ge=1, le=100, description="titles of a row")
    diversity: float = Field(
        0.02, ge=0, description="weight of having something of all that the profile likes"
    )
    exploration: float = Field(
        0.02, ge=0, le=0.5, description="share of slots that are filled at random"
    )


@dataclass(frozen=True)
class RowOffers:
    """What holds of candidate rows, by their place: numbers of their kinds, and the fewest titles of each; and by kind
    how many of it a page may have, and whether it always has one of those that it could.
    """

    kinds: Matrix
    least: Matrix
    most: Matrix
    always: Matrix


@dataclass(frozen=True)
class Candidates:
    """Of `b` profiles `r` rows of `m` titles: positions in the catalogue, the best of a row first, −1 where it has no
    more; and the logarithm of the odds that each is chosen if it is looked at.
    """

    titles: Matrix
    odds: Matrix

    @property
    def chances(self) -> Matrix:
        """Float32; of no title they mean nothing."""
        found: Matrix = 1 / (1 + np.exp(-self.odds.astype(np.float32)))
        return found


@dataclass(frozen=True)
class Pages:
    """Of `b` profiles, `s` rows: which candidate row stands there (−1: none), and of `n` slots of each the place of the
    title among the row's candidates (−1: none).
    """

    rows: Matrix
    slots: Matrix


def compose(
    given: Candidates,
    offers: RowOffers,
    tastes: Matrix,
    genres: csr_array,
    looked_at: tuple[Matrix, Matrix],
    grid: Grid,
    first: Sequence[int] = (),
) -> Pages:
    """`tastes (b, g)` and `genres (titles, g)` are shares; `looked_at` are θ by row and φ by place.

    `first` are kinds whose best row comes before all others, in this order, wherever a profile has one.
    """
    profiles = len(given.titles)
    theta, phi = (
        np.resize(part, n) for part, n in zip(looked_at, (grid.rows, grid.titles), strict=True)
    )
    pages = np.full((profiles, grid.rows), -1)
    slots = np.full((profiles, grid.rows, grid.titles), -1)
    kernels.composed(
        given.titles.astype(np.int32, copy=False),
        given.chances,
        (offers.kinds, offers.least, offers.most, offers.always),
        tastes,
        (genres.indptr, genres.indices, genres.data),
        (theta, phi),
        grid.diversity,
        np.array(first, np.int64),
        pages,
        slots,
    )
    return Pages(pages, slots)
