"""A mixture of tastes: each profile is of one of some classes, and classes choose among what is on offer.

The model, and how it is fitted, stands in taste_classes.py; for how much of the time titles were on offer in a market,
in on_offer.py. Other kinds take all that a profile has not met for something that it might have chosen; this one does
not, and finds what is new, or is not licensed everywhere, worth more than the sum of its likes.

A round of the fit is a pass over the profiles where they are; what comes to the driver is of the size of classes times
titles. A score is the utility of the title that is expected of the profile, over all classes that it may be of: an
inner product (taste_fold.py), so that lists are made as those of factors are, for profiles that no fit has seen, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from cinelake.persisted import persisted
from cinelake.recommend.fold_in import FoldedIn
from cinelake.recommend.model import NO_PARTS, Fitted, Recipe, liked
from cinelake.recommend.on_offer import offered, told
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.taste_classes import Classes, Evidence, Sums
from cinelake.recommend.taste_fold import TasteFold
from cinelake.recommend.title_weights import numbered_titles
from cinelake.recommend.top_n import Catalogue
from cinelake.recommend.viewers import UNKNOWN

Batches = Iterator[pa.RecordBatch]
# Posteriors are summed in whole numbers of this part of a profile: the same in any order.
UNIT = 2.0**-20


class MixtureRecipe(Recipe):
    """Classes of taste whose chances of choosing a title are log-linear in a few dimensions."""

    kind: ClassVar[str] = "mixture"

    classes: int = Field(64, ge=1, le=1024, description="tastes that a profile may have")
    rank: int = Field(5, ge=1, le=64, description="dimensions in which they differ")
    penalty: float = Field(6.0, gt=0, description="of titles' factors: precision of their prior")
    making_up: float = Field(
        0.8,
        ge=0,
        le=1,
        description="how far a short time on offer is made up for; less than 1, for what is new fades",
    )
    iterations: int = Field(10, ge=1, le=100)
    seed: int = Field(42, description="of the random start")

    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> Tastes:  # noqa: ARG002
        """Where interactions have `market` and `met_on`, these tell what was on offer where; else everything was."""
        known = told(interactions)
        wanted = liked(known)
        ids, idx = numbered_titles(wanted)
        names = wanted.select("market").distinct().toArrow().column("market").to_pylist()
        markets = sorted(names)
        reach = offered(known, markets, idx) ** self.making_up
        gathered = wanted.groupBy("profile_id").agg(
            F.max("market").alias("market"), F.collect_set("title_idx").alias("liked")
        )
        with persisted(gathered.select("market", "liked")) as histories:
            counted = wanted.groupBy("title_idx").count().toArrow().sort_by("title_idx")
            choices = np.empty(len(idx))
            choices[np.argsort(idx)] = counted.column("count").to_numpy()
            found = Classes.at_random(
                choices, reach, self.classes, self.rank, self.penalty, self.seed
            )
            for _ in range(self.iterations):
                found = found.better(_sums(histories, Asked(idx, markets, Evidence.of(found))))
        factors = np.column_stack([found.titles, found.offsets]).astype(np.float32)
        table = pa.table({"title_id": ids, "title_idx": idx, "factors": list(factors)})
        titles = interactions.sparkSession.createDataFrame(table)
        return Tastes(titles, TasteFold.of(found, markets), found)


@dataclass(frozen=True)
class Asked:
    """What posteriors of rows `market, liked` take; titles are named by the numbers `idx`."""

    idx: Matrix
    markets: Sequence[str]
    evidence: Evidence

    def posteriors(self, batch: pa.RecordBatch) -> tuple[csr_array, Matrix, Matrix]:
        """Histories `(profiles, titles)`, numbers of markets, −1 where it is none of these, and posteriors."""
        order = np.argsort(self.idx)
        liked = batch.column("liked")
        lengths = liked.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        rows = np.repeat(np.arange(len(liked)), lengths)
        wanted = liked.flatten().to_numpy(zero_copy_only=False)
        place = np.minimum(np.searchsorted(self.idx[order], wanted), len(order) - 1)
        is_known = self.idx[order[place]] == wanted
        cells = rows[is_known], order[place[is_known]]
        shape = (len(liked), len(self.idx))
        histories = csr_array((np.ones(len(cells[0])), cells), shape=shape)
        # Sums of a row in the order of its titles, whatever order they came in.
        histories.sort_indices()
        names = batch.column("market").fill_null(UNKNOWN)
        found = pc.index_in(names, value_set=pa.array(self.markets))
        market = found.fill_null(-1).to_numpy(zero_copy_only=False)
        return histories, market, self.evidence.posteriors(histories, market)


@dataclass(frozen=True)
class Tastes(Fitted):
    """`titles (title_id, title_idx, factors)` with their offsets last, and what finds a profile's taste."""

    titles: DataFrame
    fold: TasteFold
    classes: Classes

    @cached_property
    def model(self) -> FoldedIn:
        """As lists are made with it."""
        return FoldedIn(self.titles, self.fold, column="tastes")

    def catalogue(self) -> Catalogue:
        return self.model.catalogue()

    def profiles(self, histories: DataFrame) -> DataFrame:
        """Those who like a title; who is in no market of the fit, as if titles were on offer as they are on average."""
        return self.model.profiles(histories)


def _sums(histories: DataFrame, asked: Asked) -> Sums:
    """Over profiles: choices and numbers of the classes, and the lengths of histories by market."""
    shared = histories.sparkSession.sparkContext.broadcast(asked)
    # Python, because Spark multiplies no matrices on data frames.
    parts = histories.mapInArrow(
        lambda batches: _summed(batches, shared.value), "row int, class int, units bigint"
    )
    rows = parts.groupBy("row", "class").agg(F.sum("units").alias("units")).toArrow()
    shared.destroy()
    titles, markets = len(asked.idx), len(asked.markets)
    total = np.zeros((titles + markets + 1, len(asked.evidence.prior)))
    total[rows.column("row").to_numpy(), rows.column("class").to_numpy()] = (
        rows.column("units").to_numpy() * UNIT
    )
    return Sums(total[:titles].T, total[titles:-1], total[-1])


def _summed(batches: Batches, asked: Asked) -> Batches:
    """Rows are titles, then markets, then all profiles together."""
    titles, markets = len(asked.idx), len(asked.markets)
    total = np.zeros((titles + markets + 1, len(asked.evidence.prior)), np.int64)
    for batch in batches:
        histories, market, found = asked.posteriors(batch)
        units = np.round(found / UNIT).astype(np.int64)
        total[:titles] += histories.T.astype(np.int64) @ units
        lengths = np.diff(histories.indptr).astype(np.int64)
        np.add.at(total, titles + market, lengths[:, None] * units)
        total[-1] += units.sum(axis=0)
    row, column = np.nonzero(total)
    yield pa.RecordBatch.from_arrays(
        [
            pa.array(row.astype(np.int32)),
            pa.array(column.astype(np.int32)),
            pa.array(total[row, column]),
        ],
        names=["row", "class", "units"],
    )
