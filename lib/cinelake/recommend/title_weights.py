"""Models from title to title: weights that each title of a history gives to all others."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from cinelake.recommend.model import Fitted
from cinelake.recommend.scoring import Matrix, TitleToTitle
from cinelake.recommend.top_n import Catalogue


@dataclass(frozen=True)
class TitleWeights(Fitted):
    """Weights `(titles, titles)` in the order of the titles' ids; a profile is its history."""

    ids: pa.Array
    idx: Matrix
    weights: Matrix | csr_array

    def catalogue(self) -> Catalogue:
        return Catalogue(self.ids, self.idx, TitleToTitle(self.weights))

    def profiles(self, histories: DataFrame) -> DataFrame:
        return histories.where(F.size("liked") > 0)


def numbered_titles(wanted: DataFrame) -> tuple[pa.Array, Matrix]:
    """Ids, in their order, and numbers of all titles of `title_id, title_idx`."""
    rows = wanted.select("title_id", "title_idx").distinct().toArrow().sort_by("title_id")
    return rows.column("title_id").combine_chunks(), rows.column("title_idx").to_numpy()
