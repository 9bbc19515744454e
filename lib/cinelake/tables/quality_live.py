"""Streaming quality as it happens: what the batch will say of today, as far as records have come in.

Each has the columns of the table that it goes ahead of; what that says of a day holds, once it says anything.
"""

from __future__ import annotations

from dataclasses import replace

from cinelake.tables.contract import Kind, Table
from cinelake.tables.qoe import QOE_ANOMALIES, QOE_CELLS, QOE_SESSIONS

# The batch has it by then, and a stream's memory goes back two.
KEPT_DAYS = 7


def _live(table: Table) -> Table:
    return replace(
        table,
        name=f"{table.name}_live",
        kind=Kind.LIVE,
        grain=f"{table.grain}; of records so far, until the batch says it",
        retention_days=KEPT_DAYS,
    )


QOE_SESSIONS_LIVE = _live(QOE_SESSIONS)
QOE_CELLS_LIVE = _live(QOE_CELLS)
QOE_ANOMALIES_LIVE = _live(QOE_ANOMALIES)
