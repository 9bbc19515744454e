"""Columns of records from numbers: ids, words and times, dictionary-encoded where values repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.trace import EPISODES, Records, ids


def id_column(seed: int, kind: str, numbers: Longs, valid: Bools | None = None) -> pa.Array:
    """Ids of numbers; null where not `valid`."""
    unique, place = np.unique(numbers, return_inverse=True)
    index = pa.array(place.astype(np.int32), mask=None if valid is None else ~valid)
    return pa.DictionaryArray.from_arrays(index, ids(seed, kind, unique))


def title_column(seed: int, titles: NDArray[Any], valid: Bools | None = None) -> pa.Array:
    """Ids of films and series by title number."""
    return id_column(seed, "title", titles.astype(np.int64) * EPISODES, valid)


def words(index: NDArray[Any], values: Sequence[str], valid: Bools | None = None) -> pa.Array:
    """Texts from a list; null where not `valid`."""
    places = pa.array(index.astype(np.int32), mask=None if valid is None else ~valid)
    return pa.DictionaryArray.from_arrays(places, pa.array(list(values), type=pa.string()))


def times(at_us: Longs, valid: Bools | None = None) -> pa.Array:
    """ISO 8601 in UTC to the second."""
    text = np.datetime_as_string(at_us.astype("datetime64[us]"), unit="s", timezone="UTC")
    return pa.array(text.astype(object), type=pa.string(), mask=None if valid is None else ~valid)


def whole(values: NDArray[Any], valid: Bools | None = None) -> pa.Array:
    return pa.array(values.astype(np.int32), mask=None if valid is None else ~valid)


def real(values: Floats, valid: Bools | None = None) -> pa.Array:
    return pa.array(values.astype(np.float64), mask=None if valid is None else ~valid)


def flags(values: Bools) -> pa.Array:
    return pa.array(values)


def within(records: Records, start_us: int, end_us: int) -> Records:
    """The records that happen in a window, sorted by account, time and order."""
    inside = np.flatnonzero((records.happened >= start_us) & (records.happened < end_us))
    order = np.lexsort((records.order[inside], records.happened[inside], records.account[inside]))
    return records.take(inside[order])
