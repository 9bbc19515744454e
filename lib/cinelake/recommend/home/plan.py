"""All that pages are made from beside the profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from cinelake.recommend.eligibility import Offer
from cinelake.recommend.home.attention import Attention
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.rules import Block, BrandRules
from cinelake.recommend.home.taste import Tastes
from cinelake.recommend.rows.kind import RowKind, Shelf
from cinelake.recommend.scoring import Matrix

# Titles that a row chooses from, for each that it shows.
SPARE = 2


@dataclass(frozen=True)
class Plan:
    """As it is broadcast. Titles stand in the order of their ids; `idx` are the numbers under which histories name
    them, `genres (titles, genres)` even shares of each title's.

    `worth`, by market, are log odds `(titles)`, and `at` what circumstances add `(circumstances, titles)`; '' where no
    market is told of. `taste` and `shown` are the weights of a profile's taste and of what it was shown in vain.
    """

    ids: pa.Array
    idx: Matrix
    names: Sequence[str]
    genres: csr_array
    offer: Offer | None
    tastes: Tastes | None
    taste: float
    shown: float
    circumstances: Sequence[Circumstances]
    worth: Mapping[str, Matrix]
    at: Mapping[str, Matrix]
    kinds: Sequence[RowKind]
    shelves: Sequence[Shelf]
    attention: Attention
    rules: BrandRules
    groups: Mapping[str, Matrix]
    grid: Grid

    @property
    def width(self) -> int:
        """Titles that a row chooses from."""
        return SPARE * self.grid.titles

    def blocked(self) -> Matrix:
        """Which titles editors want on no page."""
        found = np.zeros(len(self.idx), bool)
        for rule in self.rules.rules:
            if isinstance(rule, Block):
                found |= self.groups[rule.group]
        return found
