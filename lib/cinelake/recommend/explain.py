"""Why a title is recommended: what each title of the history adds to its score.

A profile's factors follow from its history (fold_in.py), and so does what each title of it adds to a score, as the
model tells (`Folding.contributions`). A title may take away, too. So that a reader can add it up, what the titles that
are not named add stands beside those that are, and what is left of the score: what everybody is offered alike, which
with factors of ALS is nothing. Beside each title stands what the catalogue says of both alike: of genres, moods and
themes those that fewest titles have, for they tell most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, StringType, StructField, StructType

from cinelake.recommend import content
from cinelake.recommend.fold_in import FoldedIn, Folding, known, markets
from cinelake.recommend.scoring import Factored, Matrix
from cinelake.recommend.top_n import Catalogue
from cinelake.tables.recommend import REASONS

Batches = Iterator[pa.RecordBatch]
# What two titles share is told in these facets, and so many terms of it.
FACETS, SHARED = ("genre", "mood", "theme"), 3
SHARED_TYPE = ArrayType(ArrayType(StringType()))
# Places of what is added beside the reasons: what is nothing but for how numbers are rounded is nothing.
PLACES = 12


@dataclass(frozen=True)
class Said:
    """What titles are said to be, packed so that it can be broadcast: `terms`, the rarest first, and of the title at a
    position the `numbers` of its terms from `starts[position]` to `starts[position + 1]`.
    """

    terms: Sequence[str]
    starts: Matrix
    numbers: Matrix
    _known: dict[int, frozenset[int]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, said: DataFrame, ids: pa.Array) -> Said:
        """Of the titles with these ids, by what the catalogue says (content.py)."""
        rows = content.terms(said, FACETS).toArrow()
        found = rows.column("term").combine_chunks().value_counts()
        having = sorted(
            zip(found.field("counts").to_pylist(), found.field("values").to_pylist(), strict=True)
        )
        terms = [term for _, term in having]
        number = pa.compute.index_in(rows.column("term"), value_set=pa.array(terms, pa.string()))
        place = pa.compute.index_in(rows.column("title_id"), value_set=ids.cast(pa.string()))
        is_listed = place.is_valid()
        at, numbers = (column.filter(is_listed).to_numpy() for column in (place, number))
        order = np.argsort(at, kind="stable")
        starts = np.searchsorted(at[order], np.arange(len(ids) + 1))
        return cls(terms, starts, numbers[order])

    def shared(self, one: int, other: int) -> list[str]:
        """What is said of both. A title of the history that is recommended, not being seen yet, is like itself, which
        tells nothing.
        """
        if one == other:
            return []
        both = sorted(self._of(one) & self._of(other))
        return [self.terms[number] for number in both[:SHARED]]

    def _of(self, title: int) -> frozenset[int]:
        if title not in self._known:
            own = slice(self.starts[title], self.starts[title + 1])
            self._known[title] = frozenset(self.numbers[own].tolist())
        return self._known[title]


def with_reasons(
    lists: DataFrame, histories: DataFrame, model: FoldedIn, n: int, said: DataFrame
) -> DataFrame:
    """Lists (`profile_id, rank, title_id, …`) with `because`: the `n` titles of the history that add most, most first;
    `shared`, of each of these what is said of it and of the title recommended; `by_others`, what the other titles of
    the history add; and `for_everybody`, what is left of the score.

    `histories` holds `profile_id, liked array<int>`, and `market` where it is known; `said` is what the catalogue says
    of titles (content.py). Titles that the model does not know add nothing. The contributions of `because` and the last
    two sum to the score.
    """
    held = model.catalogue()
    shared = lists.sparkSession.sparkContext.broadcast(
        (held, model.folding, Said.of(said, held.ids))
    )
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
    told = [
        StructField("because", ArrayType(REASONS)),
        StructField("shared", SHARED_TYPE),
        StructField("by_others", DoubleType()),
        StructField("for_everybody", DoubleType()),
    ]
    row = StructType([*listed.elementType.fields, *told])
    return StructType([gathered.schema["profile_id"], StructField("explained", ArrayType(row))])


def _explained(batches: Batches, held: Catalogue, folding: Folding, said: Said, n: int) -> Batches:
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
                    row
                    | _reasons(ids, said, places[at], history, added[at], order[at], row["score"])
                    for at, row in enumerate(listed)
                ]
            )
        columns = [batch.column("profile_id"), pa.array(rows, _row_type(batch))]
        yield pa.RecordBatch.from_arrays(columns, names=["profile_id", "explained"])


def _reasons(
    ids: list[Any],
    said: Said,
    title: int,
    history: Matrix,
    added: Matrix,
    order: Matrix,
    score: float,
) -> dict[str, Any]:
    """Of those that add anything."""
    adding = [at for at in order.tolist() if added[at] > 0]
    return {
        "because": [
            {"title_id": str(ids[history[at]]), "contribution": float(added[at])} for at in adding
        ],
        "shared": [said.shared(int(title), int(history[at])) for at in adding],
        "by_others": round(float(added.sum() - added[adding].sum()), PLACES),
        "for_everybody": round(float(score - added.sum()), PLACES),
    }


def _row_type(batch: pa.RecordBatch) -> pa.DataType:
    """The type of the rows of a list with their reasons."""
    listed = batch.schema.field("listed").type.value_type
    reason = pa.struct([("title_id", pa.string()), ("contribution", pa.float64())])
    told = [
        ("because", pa.list_(reason)),
        ("shared", pa.list_(pa.list_(pa.string()))),
        ("by_others", pa.float64()),
        ("for_everybody", pa.float64()),
    ]
    return pa.list_(pa.struct([*listed, *(pa.field(*each) for each in told)]))
