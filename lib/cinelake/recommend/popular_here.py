"""What is popular where a profile is: in its market, among its kind of profile, on its kind of device, at the hour.

For profiles of whom nothing else is known. Popularity is a share of starts, and what little is known of a narrow circle
leans on the wider one around it: with `n(c, t)` the starts of title `t` in circle `c`, `N(c)` those of all titles and
`κ` the starts that the wider circle is worth,

    p(c, t) = (n(c, t) + κ · p(parent of c, t)) / (N(c) + κ)

from the whole service (`models/popular.py`, by likes) to the market, the kind of profile in it, the device of those and
the part of the day (a Dirichlet prior, Zhai and Lafferty 2004). A list for a whole day knows no part of it, and ends at
the device. Titles that nobody started anywhere come last, in order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from cinelake.behaviour.rollups import FADED, fade
from cinelake.recommend.model import Fitted
from cinelake.recommend.scoring import EPS, Cells, Matrix, Scores, Scoring
from cinelake.recommend.top_n import Catalogue
from cinelake.recommend.viewers import UNKNOWN

# What narrows a circle, in order: columns of `title_audiences`, and of viewers.
NARROWING = (
    ("country", "market"),
    ("profile_kind", "kind"),
    ("device_kind", "device_kind"),
    ("daypart", "daypart"),
)
# Titles of a circle that are brought to the driver; beyond them its wider circles tell.
TITLES_OF_A_CIRCLE = 2000
# Circles whose scores are kept while a batch is scored: each holds as many numbers as there are titles.
CIRCLES_AT_HAND = 64


class Popularity(BaseModel):
    """How starts make popularity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    half_life_days: float = Field(7.0, gt=0, description="age at which a start counts half (days)")
    prior: float = Field(50.0, gt=0, description="starts that the wider circle is worth")


def circles(title_audiences: DataFrame, as_of: date, half_life_days: float) -> DataFrame:
    """`circle array<string>, title_id, starts double, total double` of the market, its kinds of profile, their devices
    and the parts of their days, from rows of `title_audiences` before `as_of`; of each circle the titles started most.
    """
    faded = (F.col("starts") * fade("play_date", as_of, half_life_days)).cast(FADED)
    told = title_audiences.where(F.col("play_date") < F.lit(as_of)).select(
        *(there for there, _ in NARROWING), "title_id", faded.alias("starts")
    )
    return _most_started(told, [there for there, _ in NARROWING])


def circles_of_likes(liked: DataFrame, people: DataFrame) -> DataFrame:
    """The same, with each title that a profile likes as a start: of `profile_id, title_id`, by what `people` tell.

    These have `profile_id`, and as many of the columns of viewers as narrow a circle; who is of none is in the unknown.
    """
    told = []
    for _, here in NARROWING:
        if here not in people.columns:
            break
        told.append(here)
    known = liked.join(people.select("profile_id", *told), on="profile_id", how="left").select(
        *(F.coalesce(here, F.lit(UNKNOWN)).alias(here) for here in told),
        "title_id",
        F.lit(1).alias("starts"),
    )
    return _most_started(known, told)


def _most_started(told: DataFrame, narrowing: Sequence[str]) -> DataFrame:
    levels = [F.array(*narrowing[:depth]) for depth in range(1, len(narrowing) + 1)]
    if not levels:
        # Nobody tells where anyone is.
        none = F.array().cast("array<string>")
        levels, told = [none], told.where(F.lit(False))
    summed = (
        told.select(F.explode(F.array(*levels)).alias("circle"), "title_id", "starts")
        .groupBy("circle", "title_id")
        .agg(F.sum("starts").alias("starts"))
    )
    most = Window.partitionBy("circle").orderBy(F.desc("starts"), "title_id")
    return (
        summed.select(
            "*",
            F.sum("starts").over(Window.partitionBy("circle")).alias("total"),
            F.row_number().over(most).alias("_place"),
        )
        .where(F.col("_place") <= TITLES_OF_A_CIRCLE)
        .select("circle", "title_id", F.col("starts").cast("double"), F.col("total").cast("double"))
    )


@dataclass(frozen=True)
class PopularHere(Fitted):
    """`titles (title_id, title_idx, factors)` of the whole service (models/popular.py), and the circles' starts."""

    titles: DataFrame
    circles: DataFrame
    prior: float

    def catalogue(self) -> Catalogue:
        rows = self.titles.select("title_id", "title_idx", F.col("factors")[0].alias("_likes"))
        everywhere = rows.toArrow().sort_by("title_id")
        ids = everywhere.column("title_id").combine_chunks()
        likes = everywhere.column("_likes").to_numpy()
        shares = likes / max(float(likes.sum()), 1e-12)
        found = self.circles.toArrow()
        names = sorted({tuple(circle) for circle in found.column("circle").to_pylist()})
        number = {name: at for at, name in enumerate(names)}
        place = pa.compute.index_in(found.column("title_id").combine_chunks(), value_set=ids)
        row = np.array([number[tuple(c)] for c in found.column("circle").to_pylist()], np.int64)
        is_known = place.is_valid().to_numpy(zero_copy_only=False)
        at = place.fill_null(0).to_numpy(zero_copy_only=False)[is_known]
        starts = found.column("starts").to_numpy()[is_known]
        totals = np.zeros(len(names))
        totals[row] = found.column("total").to_numpy()
        counts = csr_array((starts, (row[is_known], at)), shape=(len(names), len(ids)))
        scoring = CircledScoring(names, counts, totals, shares, self.prior)
        return Catalogue(ids, everywhere.column("title_idx").to_numpy().astype(np.int64), scoring)

    def profiles(self, histories: DataFrame) -> DataFrame:
        """Everybody; who is in no circle that is known sees what is popular everywhere."""
        kept = [name for name in histories.columns if name not in CircledScoring.columns]
        told = (F.col(c) if c in histories.columns else F.lit(None) for c in CircledScoring.columns)
        return histories.select(
            *kept,
            *(
                F.coalesce(value, F.lit(UNKNOWN)).alias(name)
                for value, name in zip(told, CircledScoring.columns, strict=True)
            ),
        )


class CircledScoring(Scoring):
    """A score is the share of starts in the narrowest circle of the profile, smoothed by those around it.

    `counts (circles, titles)`, `totals (circles)`, and `shares (titles)` of the whole service.
    """

    columns = tuple(here for _, here in NARROWING)

    def __init__(
        self,
        names: Sequence[tuple[str, ...]],
        counts: csr_array,
        totals: Matrix,
        shares: Matrix,
        prior: float,
    ) -> None:
        self.number = {name: at for at, name in enumerate(names)}
        self.counts, self.totals, self.shares, self.prior = counts, totals, shares, prior

    @property
    def titles(self) -> int:
        return len(self.shares)

    def of(self, batch: pa.RecordBatch, cells: Cells) -> Scores:  # noqa: ARG002
        told = zip(*(batch.column(name).to_pylist() for name in self.columns), strict=True)
        return _CircledScores(self, list(told))

    def of_circle(self, narrowest: tuple[str, ...]) -> Matrix:
        """The shares of all titles there."""
        found = self.shares
        for depth in range(1, len(narrowest) + 1):
            circle = self.number.get(narrowest[:depth])
            if circle is not None:
                own = self.counts[[circle]].toarray().ravel()
                found = (own + self.prior * found) / (self.totals[circle] + self.prior)
        return found


class _CircledScores(Scores):
    def __init__(self, model: CircledScoring, profiles: list[tuple[str, ...]]) -> None:
        self.profiles = profiles
        # Few circles hold many profiles, and those of one market stand together.
        self.of_circle = lru_cache(maxsize=CIRCLES_AT_HAND)(model.of_circle)

    def fast(self, start: int, stop: int, out: Matrix) -> Matrix:
        bound = np.empty(stop - start)
        for place, circle in enumerate(self.profiles[start:stop]):
            shares = self.of_circle(circle)
            out[place, : len(shares)] = shares
            bound[place] = 2 * EPS * float(shares.max(initial=0.0))
        return bound

    def exact(self, rows: Matrix, positions: Matrix) -> Matrix:
        found = np.empty(positions.shape)
        for place, row in enumerate(rows):
            found[place] = self.of_circle(self.profiles[row])[positions[place]]
        return found

    def moments(self) -> tuple[Matrix, Matrix]:
        found = [(s.mean(), s.std()) for s in map(self.of_circle, self.profiles)]
        mean, spread = np.array(found).reshape(-1, 2).T
        return mean, spread
