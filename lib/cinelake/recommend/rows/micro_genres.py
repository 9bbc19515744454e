"""Of one micro-genre each: what titles share in pace, mood, genre or theme, as "slow-paced emotional dramas".

Made from what the catalogue says, and kept where enough titles share it, and more often than if each part were given
out by itself: its lift, `P(all parts) / Π P(part)`. The name is put together by a small grammar:
`[pace-paced] [mood] genre [about theme]`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from math import prod

import numpy as np

from cinelake.recommend.rows.kind import RowKind, Shelf, Titles

AT_LEAST, LIFT, AT_MOST = 8, 1.3, 80
# Nouns of genres that have one in English; others are adjectives before "titles".
NOUNS = {
    "comedy": "comedies", "documentary": "documentaries", "drama": "dramas", "musical": "musicals",
    "mystery": "mysteries", "romance": "romances", "thriller": "thrillers", "western": "westerns",
}  # fmt: skip
PACES = {"slow": "slow-paced", "fast": "fast-paced"}
# Pace, mood, genre, theme; a part that is not told of is None.
Parts = tuple[str | None, str | None, str, str | None]


class MicroGenres(RowKind):
    kind = "micro_genre"
    most = 4

    def shelves(self, titles: Titles) -> Iterable[Shelf]:
        members: dict[Parts, list[int]] = defaultdict(list)
        alone: Counter[tuple[int, str]] = Counter()
        for at in range(len(titles)):
            told = (_pace(titles.paces[at]), titles.moods[at], titles.genres[at], titles.themes[at])
            alone.update((facet, value) for facet, values in enumerate(told) for value in values)
            for parts in _combined(*told):
                members[parts].append(at)
        lifts = {
            parts: _lift(parts, len(held), alone, len(titles))
            for parts, held in members.items()
            if len(held) >= AT_LEAST
        }
        kept = sorted((p for p in lifts if lifts[p] >= LIFT), key=lambda p: (-lifts[p], name(p)))
        for parts in kept[:AT_MOST]:
            yield Shelf(self.kind, name(parts), name(parts), np.array(members[parts]))


def name(parts: Parts) -> str:
    """As "Slow-paced emotional dramas about war"."""
    pace, mood, genre, theme = parts
    noun = NOUNS.get(genre.lower(), f"{genre.lower()} titles")
    words = [PACES.get(pace or ""), mood and mood.lower(), noun, theme and f"about {theme.lower()}"]
    text = " ".join(word for word in words if word)
    return text[0].upper() + text[1:]


def _pace(pace: str | None) -> tuple[str, ...]:
    return (pace,) if pace in PACES else ()


def _combined(
    paces: tuple[str, ...], moods: tuple[str, ...], genres: tuple[str, ...], themes: tuple[str, ...]
) -> Iterator[Parts]:
    """With a mood, with a pace and a mood, with a theme, and with a mood and a theme."""
    for genre in genres:
        for mood in moods:
            yield None, mood, genre, None
        for pace, mood in product(paces, moods):
            yield pace, mood, genre, None
        for theme in themes:
            yield None, None, genre, theme
        for mood, theme in product(moods, themes):
            yield None, mood, genre, theme


def _lift(parts: Parts, together: int, alone: Counter[tuple[int, str]], titles: int) -> float:
    expected = prod(alone[facet, part] / titles for facet, part in enumerate(parts) if part)
    return together / titles / expected
