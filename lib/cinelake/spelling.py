"""What somebody meant who mistyped a name, for the messages that refuse it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# How alike two names must be (Ratcliff and Obershelp's measure, from 0 to 1) for one to be taken for the other.
ALIKE = 0.6


def nearest(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The one of `known` that is most like `name`; None where none is."""
    return next(iter(get_close_matches(name, list(known), 1, alike)), None)


def nearest_key(key: str, known: Iterable[str]) -> str | None:
    """As `nearest`, for dotted keys: one in the wrong section shares its last part with the one that is meant."""
    keys = list(known)
    by_end = {each.rpartition(".")[2]: each for each in keys}
    end = nearest(key.rpartition(".")[2], by_end)
    return nearest(key, keys, 0.5) or (by_end[end] if end is not None else None)


def hint(
    name: str, known: Iterable[str], otherwise: str = "there are", alike: float = ALIKE
) -> str:
    """`did you mean 'x'?`, or, where none is near, `there are` and all of `known` in their order."""
    names = list(known)
    meant = nearest(name, names, alike)
    return f"did you mean {meant!r}?" if meant else f"{otherwise} {', '.join(names)}"
