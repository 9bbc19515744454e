"""A row that breaks its contract is caught in every layer by each gate there is, and the report names the rule.

The gates stand one behind the other: quarantine before the audit, the audit before the commit, and Delta's own
constraint before whoever writes past both. Each is shown the row by taking away those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.checks.gate import AuditFailed
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.runs import publish
from cinelake.runtime.runs.books import Books
from cinelake.runtime.runs.publish import Publisher
from cinelake.runtime.windows import Window
from cinelake.tables.behaviour import RATINGS
from cinelake.tables.contract import Table
from cinelake.tables.ingest import BRONZE_RATINGS
from cinelake.tables.recommend import RECOMMENDATIONS
from cinelake.tables.system import QUARANTINE

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12)


@dataclass(frozen=True)
class Breach:
    """A good row of a table, and what makes it a bad one."""

    table: Table
    good: dict[str, Any]
    bad: dict[str, Any]
    rule: str


BREACHES = [
    Breach(
        BRONZE_RATINGS,
        {"event_id": "e1", "schema_version": 1, "event_time": NOON, "event_date": DAY, "received_at": NOON,
         "clock_ahead_ms": None, "record": "{}"},
        {"event_id": "e2", "schema_version": 99},
        "schema_version_in_range",
    ),
    Breach(
        RATINGS,
        {"event_id": "e1", "profile_id": "p1", "title_id": "t1", "rating": 4.0, "rated_at": NOON, "rating_date": DAY},
        {"event_id": "e2", "rating": 9.5},
        "rating_in_range",
    ),
    Breach(
        RECOMMENDATIONS,
        {"as_of": DAY, "profile_id": "p1", "rank": 1, "title_id": "t1", "score": 0.5, "source": "popular",
         "model_version": None},
        {"rank": 2, "source": "a hunch"},
        "source_is_known",
    ),
]  # fmt: skip


def rows(spark: SparkSession, breach: Breach, *changes: dict[str, Any]) -> DataFrame:
    """Rows of the table; a VARIANT is made from its JSON."""
    plain = ", ".join(
        f"{c.name} {'string' if c.name == 'record' else c.type.simpleString()}"
        for c in breach.table.columns
    )
    frame = spark.createDataFrame([breach.good | change for change in changes], plain)
    return frame.select(
        *(
            F.parse_json("record").alias("record") if name == "record" else name
            for name in breach.table.names
        )
    )


@pytest.mark.parametrize(
    "breach",
    [
        pytest.param(breach, marks=() if breach.table is RATINGS else pytest.mark.thorough)
        for breach in BREACHES
    ],
    ids=lambda breach: str(breach.table.layer),
)
def test_each_layer_has_three_gates(spark: SparkSession, tmp_path: Path, breach: Breach) -> None:
    lake, table = Lake(spark, str(tmp_path / "lake")), breach.table

    def publish_rows(frame: DataFrame, run: str) -> publish.Published:
        publisher = Publisher(lake, Books(), run_id=run, job="test", code="0", inputs={})
        if table is BRONZE_RATINGS:
            return publisher.append(table, frame, run, 0)
        return publisher.replace(table, frame, Window.of_day(DAY), lambda _: None)

    published = publish_rows(rows(spark, breach, {}, breach.bad), "one")
    assert (published.rows, published.quarantined) == (1, 1)
    [turned_away] = lake.read(QUARANTINE).collect()
    assert (turned_away["target"], turned_away["reasons"]) == (table.name, [breach.rule])

    blind = patch.object(publish, "reasons", lambda _: F.array().cast("array<string>"))
    with blind, pytest.raises(AuditFailed) as refused:
        publish_rows(rows(spark, breach, {}, breach.bad), "two")
    assert f"table {table.name!r}" in str(refused.value)
    assert breach.rule in str(refused.value)

    note = Note(run="three", job="test", code="0", action="append")
    with pytest.raises(Exception, match=rf"(?s)DELTA_VIOLATE_CONSTRAINT.*{breach.rule}"):
        lake.append(table, rows(spark, breach, breach.bad), note)
    assert lake.read(table).count() == 1
