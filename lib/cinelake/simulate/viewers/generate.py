"""What a delivery needs of the viewers' side: a window's happenings, and once, at the beginning, what stood then.

A service that begins to deliver sends the state of its accounts, profiles, devices and catalogue first; such records
bear the time of that load and the event ids of the changes that they come from. A row of truth belongs to the window in
which its subject first touches what is delivered, so that windows put together hold each once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cinelake.simulate.randomness import Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import MINUTE, Plays, Records, Truths
from cinelake.simulate.viewers import service_side
from cinelake.simulate.viewers.billing import Burden

# The load takes this long.
_LOAD = 10 * MINUTE


@dataclass(frozen=True)
class Made:
    """Plays pressed and records that happen from `reach` on, and the truth that belongs to the window."""

    plays: Plays
    records: list[Records]
    truths: Truths


@dataclass(frozen=True)
class MadeWorld:
    """The same of the catalogue."""

    records: list[Records]
    truths: Truths


def generate(
    settings: Settings,
    accounts: Longs,
    begin: int,
    reach: int,
    start: int,
    end: int,
    burden: Burden | None = None,
) -> Made:
    """What these accounts do in [reach, end), with the truth of [start, end), of a service that begins at `begin`."""
    plays, records, truths = service_side.generate(settings, accounts, reach, end, burden)
    if reach <= begin:
        records = [
            *_loaded(service_side.standing(settings, accounts, begin, burden), begin),
            *records,
        ]
    return Made(plays, records, _of_window(truths, begin, start, end))


def generate_world(settings: Settings, begin: int, reach: int, start: int, end: int) -> MadeWorld:
    """The catalogue's announcements in [reach, end), with the truth of [start, end)."""
    records, truths = service_side.generate_world(settings, reach, end)
    if reach <= begin:
        records = [*_loaded(service_side.standing_world(settings, begin), begin), *records]
    return MadeWorld(records, _of_window(truths, begin, start, end))


def _loaded(records: list[Records], begin: int) -> list[Records]:
    """The records of a load, one after the other from `begin` on."""
    spread = np.uint64(_LOAD)
    return [
        replace(
            part,
            happened=begin
            + (
                (part.account + 7 * part.order).view(np.uint64) * np.uint64(2_654_435_761) % spread
            ).astype(np.int64),
        )
        for part in records
    ]


def _of_window(truths: Truths, begin: int, start: int, end: int) -> Truths:
    kept: dict[str, pa.Table] = {}
    for name, table in truths.tables.items():
        first = pc.max_element_wise(table["from_at"].cast(pa.int64()), pa.scalar(begin))
        inside = pc.and_(pc.greater_equal(first, start), pc.less(first, end))
        if "until_at" in table.column_names:
            # What was over before is not among what stood.
            over = pc.less_equal(table["until_at"].cast(pa.int64()), begin)
            inside = pc.and_(inside, pc.invert(pc.fill_null(over, False)))
        kept[name] = table.filter(inside)
    return Truths(kept)
