"""Why a title is recommended: what each title of the history adds to its score.

A profile's factors follow from its history (fold_in.py), and so does what each title of it adds to a score, as the
model tells (`Folding.contributions`). A title may take away, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructField, StructType

from cinelake.recommend.fold_in import FoldedIn, Folding, known, markets
from cinelake.recommend.scoring import Factored, Matrix
from cinelake.recommend.top_n import Catalogue
from cinelake.tables.recommend import REASONS

Batches = Iterator[pa.RecordBatch]


def with_reasons(lists: DataFrame, histories: DataFrame, model: FoldedIn, n: int) -> DataFrame:
    """Lists (`profile_id, rank, title_id, …`) with `because`: the `n` titles of the history that add most, most first.

    `histories` holds `profile_id, liked array<int>`, and `market` where it is known. Titles that the model does not
    know add nothing.
    """
    shared = lists.sparkSession.sparkContext.broadcast((model.catalogue(), model.folding))
    told = [name for name in lists.columns if name not in ("profile_id", "rank")]
    place = F.struct("rank", *told).alias("_place")
    where = [name for name in histories.columns if name == "market"]
    gathered = (
        lists.select("profile_id", place)  # before it is collected, for then Spark compiles it
        .groupBy("profile_id")
        .agg(F.sort_array(F.collect_list("_place")).alias("listed"))
        .join(histories.select("profile_id", "liked", *where), on="profile_id", how="inner")
    )
    found = gathered.select("profile_id", "listed", "liked", *where).mapInArrow(
        lambda batches: _explained(batches, *shared.value, n),
        _schema(gathered),
    )
    return found.select("profile_id", F.inline("explained"))


def _schema(gathered: DataFrame) -> StructType:
    listed = gathered.schema["listed"].dataType
    assert isinstance(listed, ArrayType)
    assert isinstance(listed.elementType, StructType)
    row = StructType([*listed.elementType.fields, StructField("because", ArrayType(REASONS))])
    return StructType([gathered.schema["profile_id"], StructField("explained", ArrayType(row))])


def _explained(batches: Batches, held: Catalogue, folding: Folding, n: int) -> Batches:
    assert isinstance(held.scoring, Factored)
    factors = held.scoring.factors.astype(np.float64)
    ids = held.ids.to_pylist()
    position = {title: at for at, title in enumerate(ids)}
    for batch in batches:
        rows = []
        for listed, history, market in zip(
            batch.column("listed").to_pylist(),
            known(held, batch.column("liked")),
            markets(batch),
            strict=True,
        ):
            places = np.array([position[row["title_id"]] for row in listed], np.int64)
            added = folding.contributions(factors[places], factors[history], market)
            order = np.argsort(-added, axis=1, kind="stable")[:, :n]
            rows.append(
                [
                    row | {"because": _reasons(ids, history, added[at], order[at])}
                    for at, row in enumerate(listed)
                ]
            )
        columns = [batch.column("profile_id"), pa.array(rows, _row_type(batch))]
        yield pa.RecordBatch.from_arrays(columns, names=["profile_id", "explained"])


def _reasons(ids: list[Any], history: Matrix, added: Matrix, order: Matrix) -> list[dict[str, Any]]:
    """Of those that add anything."""
    return [
        {"title_id": str(ids[history[at]]), "contribution": float(added[at])}
        for at in order
        if added[at] > 0
    ]


def _row_type(batch: pa.RecordBatch) -> pa.DataType:
    """The type of the rows of a list with their reasons."""
    listed = batch.schema.field("listed").type.value_type
    reason = pa.struct([("title_id", pa.string()), ("contribution", pa.float64())])
    return pa.list_(pa.struct([*listed, pa.field("because", pa.list_(reason))]))
