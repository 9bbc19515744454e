"""The sources in words, each with a record of a small simulated service."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from cinelake.simulate.delivery.shipment import LANDING, Window
from cinelake.simulate.service import WORLD, Order, account_blocks
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY
from cinelake.sources.catalog import all_sources
from cinelake.sources.source import Source

ACCOUNTS = 40
DAYS = 3


def explanation(settings: Settings, begin: int) -> str:
    """All sources, with what a record of each looks like; `begin` is the first day (µs UTC)."""
    order = Order(settings, ACCOUNTS, begin, Window(begin, begin + DAYS * DAY))
    found: dict[str, str] = {}
    for batch in account_blocks(order, np.arange(WORLD, ACCOUNTS, dtype=np.int64)):
        for row in batch.to_pylist():
            if row["area"] == LANDING and row["source"] not in found:
                good = [line for line in row["text"].splitlines() if _is_record(line)]
                if good:
                    found[row["source"]] = good[0].decode()
    pages = (_page(source, found.get(name)) for name, source in all_sources().items())
    return "\n\n".join(pages)


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _page(source: Source, line: str | None) -> str:
    return "\n".join(_lines(source, line))


def _lines(source: Source, line: str | None) -> Iterator[str]:
    yield f"{source.name}: {source.description} (schema version {source.schema_version})"
    width = max(len(column.name) for column in source.columns)
    for column in source.columns:
        marks = [*(["required"] if column.required else [])]
        marks += [f"personal: {column.personal}"] if column.personal else []
        note = f" [{'; '.join(marks)}]" if marks else ""
        yield f"  {column.name:<{width}}  {column.type.simpleString():<13} {column.comment}{note}"
    yield f"  for example: {line or 'none in this small service'}"
