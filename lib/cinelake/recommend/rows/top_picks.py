"""The titles that are worth most, whatever they are."""

from collections.abc import Iterable

import numpy as np

from cinelake.recommend.rows.kind import RowKind, Shelf, Titles


class TopPicks(RowKind):
    kind = "top_picks"
    text = "Top picks for you"

    def shelves(self, titles: Titles) -> Iterable[Shelf]:
        yield Shelf(self.kind, "", self.text, np.arange(len(titles)))
