"""What a kind of row is: which titles may stand in it, what brings one forward, and how it is called.

A kind offers *shelves*, rows that any profile of a market may have, as a genre; or rows of its *own* to each profile,
as what it has begun. What a title is worth to whom and when is the same in all rows (home/worth.py); a row adds to
that only what it is about: that a title is popular, or like another.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame
from scipy.sparse import csr_array

from cinelake.recommend import rows
from cinelake.recommend.also_watched import Clusters
from cinelake.recommend.declared import declared
from cinelake.recommend.scoring import Matrix

# What stands in the text of a row for the name of the title that it goes out from.
ANCHOR = "{anchor}"
# Titles by which a shelf is narrowed down on its own account, as the most popular ones.
NARROW = 200


@dataclass(frozen=True)
class Shelf:
    """A row that profiles may have. `titles (n)` are positions in the catalogue, `added (n)` what each has in this row
    beside its worth (log odds); None adds nothing. `market` is where it is offered, `daypart` when; None: always.
    """

    kind: str
    key: str
    text: str
    titles: Matrix
    added: Matrix | None = None
    market: str | None = None
    daypart: str | None = None


@dataclass(frozen=True)
class Titles:
    """What is known of titles, by position: what the catalogue says, and how they fare in each market.

    `age_days` is NaN where nobody knows when the title came; `popularity` are shares of starts, `trend` the logarithm
    of starts lately against those before, and `trend_at` the same by market and part of the day, where that is told of;
    `on_offer` is None where no market is told of, and then `popularity` and `trend` have the one key ''.
    """

    genres: tuple[tuple[str, ...], ...]
    moods: tuple[tuple[str, ...], ...]
    themes: tuple[tuple[str, ...], ...]
    paces: tuple[str | None, ...]
    age_days: Matrix
    popularity: Mapping[str, Matrix]
    trend: Mapping[str, Matrix]
    on_offer: Mapping[str, Matrix] | None = None
    trend_at: Mapping[tuple[str, str], Matrix] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.genres)

    @property
    def markets(self) -> Iterable[str | None]:
        return self.popularity if self.on_offer is not None else (None,)

    def shares(self) -> csr_array:
        """Of each title's genres, in the order of their names, an even share: `(titles, genres)`."""
        genres = sorted({genre for own in self.genres for genre in own})
        place = {genre: at for at, genre in enumerate(genres)}
        counts = np.array([len(own) for own in self.genres], np.int64)
        columns = np.array([place[genre] for own in self.genres for genre in own], np.int64)
        each = np.repeat(1 / np.maximum(counts, 1), counts)
        first = np.concatenate([[0], np.cumsum(counts)])
        return csr_array((each, columns, first), shape=(len(self), max(1, len(genres))))

    def trends(self, market: str | None) -> Iterable[tuple[str | None, Matrix]]:
        """By parts of the day how titles fare; of the whole day (None) where no part is told of."""
        parts = [(part, of) for (here, part), of in self.trend_at.items() if here == (market or "")]
        return parts or [(None, self.trend[market or ""])]

    def there(self, market: str | None) -> Matrix:
        """Which are on offer."""
        if self.on_offer is None or market is None:
            return np.ones(len(self), bool)
        return self.on_offer[market]


@dataclass(frozen=True)
class Known:
    """What is known of profiles, at the moment at which the day before `until` ends.

    `signals` are days of `title_signals`, `liked (profile_id, title_id)` what a profile wants, `similar` the newest
    rows of `similar_titles`, `clusters` the newest of taste, `begun` what it may go on with, at each of its
    circumstances, with `odds` (logarithm) of doing so. None where a service has none of it.
    """

    until: date
    signals: DataFrame
    liked: DataFrame
    similar: DataFrame | None = None
    clusters: Clusters | None = None
    begun: DataFrame | None = None


# What an own row may tell of a title beside `profile_id, title_id, added`; what it does not, is null.
OPTIONAL = {
    "key": "string",
    "anchor": "string",
    "odds": "double",
    "episode_id": "string",
    "position_s": "double",
    "device_class": "string",
    "daypart": "string",
}


class RowKind(ABC):
    """One kind of row. `most` of it stand on a page, each of `least` titles or more."""

    kind: ClassVar[str]
    most: ClassVar[int] = 1
    least: ClassVar[int] = 4
    # Rows of its own that a profile is offered, from which a page takes at most `most`.
    offered: ClassVar[int] = 1
    # What stands over it; a kind of shelves may say more of each.
    text: ClassVar[str] = ""
    # Whether titles that the profile has seen may stand in it.
    shows_seen: ClassVar[bool] = False
    # Whether its titles stand in no shelf: what a profile has put somewhere itself it looks for there.
    keeps_titles: ClassVar[bool] = False
    # Whether a page always has a row of it, where there is one: it is looked for even if it is worth little.
    always: ClassVar[bool] = False
    # What of `Known` it cannot do without.
    needs: ClassVar[tuple[str, ...]] = ()

    def shelves(self, titles: Titles) -> Iterable[Shelf]:
        """The rows that profiles may share."""
        del titles
        return ()

    def own(self, known: Known) -> DataFrame | None:
        """The rows of each profile, `offered` at most: `profile_id, title_id, added` and some of `OPTIONAL`, one row
        a title; None where the kind has only shelves.

        `key` tells rows of a profile apart, `anchor` is the title that one goes out from. `odds` (logarithm), where
        given, are what the title is worth; `episode_id` is to be played, from `position_s`. A row is for the
        circumstances given, else for all.
        """
        del known
        return None

    def missing(self, known: Known) -> list[str]:
        """What it needs that nobody told."""
        return [name for name in self.needs if getattr(known, name) is None]


def row_kinds() -> dict[str, RowKind]:
    """All kinds of row, by name."""
    return {kind: of() for kind, of in declared(rows, RowKind).items()}


def kinds_named(names: Sequence[str]) -> list[RowKind]:
    """The kinds of these names, all of them where none is named. Raises ValueError on a name that no kind has."""
    known = row_kinds()
    strangers = sorted(set(names) - set(known))
    if strangers:
        raise ValueError(f"there is no kind of row {strangers[0]!r}; there are {', '.join(known)}")
    return [kind for name, kind in known.items() if not names or name in names]


def best(scores: Matrix, among: Matrix, n: int = NARROW) -> Matrix:
    """Positions of the `n` best of those that are among, in order; equals in the order of their positions."""
    positions = np.flatnonzero(among)
    order = np.argsort(-scores[positions], kind="stable")[:n]
    found: Matrix = positions[order]
    return found
