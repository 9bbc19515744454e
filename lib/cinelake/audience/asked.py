"""What people ask of the clusters of a day: all of them, or one in full, by id or by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.audience.portraits import NEIGHBOUR, TITLE
from cinelake.behaviour.history import latest

Row = dict[str, Any]
# Aspects in the order in which a portrait tells of them.
SHOWN = ("genre", "mood", "theme", TITLE, "daypart", "device", "format", "language", "market", "novelty",
         "finishing", "binging", NEIGHBOUR)  # fmt: skip


def newest(table: DataFrame) -> DataFrame:
    """The rows of the newest day."""
    return table.join(table.agg(F.max("as_of").alias("as_of")), on="as_of", how="left_semi")


def clusters(states: DataFrame) -> list[Row]:
    """The clusters of the newest day, adults first, the largest first; those that ended on it come last."""
    rows = newest(states).toArrow().to_pylist()
    return sorted(
        rows,
        key=lambda r: (r["component"] is None, r["population"], -r["members"], r["cluster_id"]),
    )


def portrait(portraits: DataFrame, titles: DataFrame, cluster: str, n: int) -> list[Row]:
    """The first `n` rows of each aspect of the cluster's newest portrait, titles with `name`, in the order of SHOWN."""
    own = newest(portraits.where(F.col("cluster_id") == cluster)).where(F.col("rank") <= n)
    return sorted(with_names(own, titles), key=lambda r: (_place(r["aspect"]), r["rank"]))


def with_names(portraits: DataFrame, titles: DataFrame) -> list[Row]:
    """Rows of portraits with `name`, which only titles have."""
    called = latest(titles, ["title_id"], "name").select(F.col("title_id").alias("term"), "name")
    joined = portraits.join(F.broadcast(called), on="term", how="left")
    named = F.when(F.col("aspect") == TITLE, F.col("name")).alias("name")
    rows: list[Row] = joined.select(*portraits.columns, named).toArrow().to_pylist()
    return rows


def found(rows: Sequence[Row], asked: str) -> list[Row]:
    """The clusters whose id begins so, or whose name is that in any case, or contains it."""
    text = asked.strip().lower()
    for matches in (
        [row for row in rows if row["cluster_id"] == text],
        [row for row in rows if row["name"].lower() == text],
        [row for row in rows if row["cluster_id"].startswith(text) or text in row["name"].lower()],
    ):
        if matches:
            return matches
    return []


def _place(aspect: str) -> int:
    return SHOWN.index(aspect) if aspect in SHOWN else len(SHOWN)
