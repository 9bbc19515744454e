"""Of one genre each, in the order of what a title is worth to the profile."""

from collections.abc import Iterable

import numpy as np

from cinelake.recommend.rows.kind import RowKind, Shelf, Titles


class Genres(RowKind):
    kind = "genre"
    most = 6
    text = "{genre}"

    def shelves(self, titles: Titles) -> Iterable[Shelf]:
        for genre in sorted({genre for genres in titles.genres for genre in genres}):
            found = np.array([genre in genres for genres in titles.genres])
            if found.sum() >= self.least:
                text = self.text.format(genre=genre)
                yield Shelf(self.kind, genre, text, np.flatnonzero(found))
