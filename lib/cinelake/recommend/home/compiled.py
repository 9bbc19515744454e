"""Loops that are compiled (Numba), for what numpy does only with large arrays between the steps.

They are compiled for the types that they are called with when they are first called, and kept on disk beside their
file where it is on one. So callers keep to the types that a loop's description names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])
# A file inside an archive, as `--py-files cinelake.zip` has it, has no place beside it.
KEPT = Path(__file__).is_file()


def compiled(loop: F) -> F:
    """The same function, compiled when it is first called."""
    return cast(F, njit(loop, cache=KEPT, nogil=True))
