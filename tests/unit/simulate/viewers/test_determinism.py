from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, HOUR, Plays, Records
from cinelake.simulate.viewers.service_side import generate, require_window, standing

from .conftest import START

SETTINGS = Settings()
ACCOUNTS = np.arange(24)
SPAN = (START + 3 * DAY, START + 6 * DAY + 5 * HOUR)


def rows_of(records: list[Records], start: int, end: int) -> dict[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    for part in records:
        table = pa.table(
            {
                "account": part.account,
                "happened": part.happened,
                "order": part.order,
                **{
                    name: column.cast(column.type.value_type)
                    if pa.types.is_dictionary(column.type)
                    else column
                    for name, column in part.payload.items()
                },
            }
        )
        for row in table.to_pylist():
            if start <= row["happened"] < end:
                values = tuple(tuple(v) if isinstance(v, list) else v for v in row.values())
                found.setdefault(part.source, []).append(values)
    return {source: sorted(rows, key=repr) for source, rows in found.items()}


def play_rows(plays: Plays, start: int, end: int) -> dict[str, np.ndarray]:
    inside = np.flatnonzero((plays.rows.pressed_at >= start) & (plays.rows.pressed_at < end))
    part = plays.take(inside)
    found = {field.name: getattr(part.rows, field.name) for field in fields(part.rows)}
    for name, ragged in (("pause", part.pauses), ("seek", part.seeks)):
        found |= {f"{name} {f.name}": getattr(ragged, f.name) for f in fields(ragged)}
    return found


def assert_same(
    one: tuple[Plays, list[Records]], other: tuple[Plays, list[Records]], span: tuple[int, int]
) -> None:
    left, right = rows_of(one[1], *span), rows_of(other[1], *span)
    assert left.keys() == right.keys()
    for source, rows in left.items():
        assert rows == right[source], source
    first, second = play_rows(one[0], *span), play_rows(other[0], *span)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


def merged(parts: list[tuple[Plays, list[Records]]]) -> tuple[Plays, list[Records]]:
    from cinelake.simulate.viewers.service_side import _joined, _sorted

    plays = _sorted(_joined([part[0] for part in parts]))
    return plays, [records for part in parts for records in part[1]]


def run(accounts: np.ndarray, start: int, end: int) -> tuple[Plays, list[Records]]:
    plays, records, _ = generate(SETTINGS, accounts, start, end)
    return plays, records


@pytest.fixture(scope="module")
def alone() -> tuple[Plays, list[Records]]:
    return run(ACCOUNTS, *SPAN)


def test_a_window_alone_equals_the_window_cut_from_a_longer_run(
    alone: tuple[Plays, list[Records]],
) -> None:
    longer = run(ACCOUNTS, START - 10 * DAY, START + 20 * DAY)
    assert_same(alone, longer, SPAN)


def test_days_one_by_one_equal_the_window(alone: tuple[Plays, list[Records]]) -> None:
    edges = [SPAN[0], SPAN[0] + DAY, SPAN[0] + DAY + 7 * HOUR, SPAN[1]]
    parts = [run(ACCOUNTS, a, b) for a, b in pairwise(edges)]
    assert_same(alone, merged(parts), SPAN)


def test_any_split_and_order_of_accounts_gives_the_same_rows(
    alone: tuple[Plays, list[Records]],
) -> None:
    parts = [
        run(ACCOUNTS[::-3], *SPAN),
        run(ACCOUNTS[1::3], *SPAN),
        run(ACCOUNTS[::3][::-1], *SPAN),
    ]
    seen = np.concatenate([ACCOUNTS[::-3], ACCOUNTS[1::3], ACCOUNTS[::3]])
    if len(np.unique(seen)) < len(seen):
        rest = np.setdiff1d(ACCOUNTS, ACCOUNTS[1::3])
        parts = [parts[1], run(rest[:13], *SPAN), run(rest[13:][::-1], *SPAN)]
    assert_same(alone, merged(parts), SPAN)


def test_another_seed_is_another_service(alone: tuple[Plays, list[Records]]) -> None:
    plays, _, _ = generate(Settings(seed=8), ACCOUNTS[:8], *SPAN)
    assert not np.array_equal(plays.rows.title[:50], alone[0].rows.title[:50])


def test_what_stands_is_part_of_a_longer_run() -> None:
    long_ago = START - 60 * DAY
    _, records, _ = generate(SETTINGS, ACCOUNTS, long_ago, START)
    ran = rows_of(records, long_ago, START)
    stands = rows_of(standing(SETTINGS, ACCOUNTS, START), long_ago, START)
    for source, rows in stands.items():
        assert set(rows) <= set(ran[source]), source


def test_event_orders_are_unique_within_account_and_source() -> None:
    _, records, _ = generate(SETTINGS, np.arange(60), START, START + 10 * DAY)
    for source in {part.source for part in records}:
        keys = np.concatenate(
            [np.stack([p.account, p.order]) for p in records if p.source == source], axis=1
        )
        assert len(np.unique(keys, axis=1).T) == keys.shape[1], source


@pytest.mark.parametrize(
    ("start", "end"), [(START, START), (START + DAY, START), (0, DAY), (START, START + 9000 * DAY)]
)
def test_a_window_outside_the_world_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match=r"window|world"):
        require_window(SETTINGS, start, end)
