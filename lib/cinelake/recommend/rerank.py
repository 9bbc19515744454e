"""Lists that are not only relevant: calibrated to what a profile watches, diverse, less popular, fresher.

From the best candidates of a profile, titles are taken one by one: each time the one with the greatest

    relevance · (1 − calibration) − calibration · KL(history ‖ list with it)
      − diversity · greatest likeness to those taken − popularity · how much it is liked + freshness · how new it is

(calibration: Steck 2018, greedy; diversity: maximal marginal relevance, Carbonell and Goldstein 1998). Relevance is the
score, from 0 for the last candidate to 1 for the first; the others lie between 0 and 1 as well, so weights compare.
With all weights at 0 the order is that of the scores.

To explore, some places of a list, evenly spread, go to any of the candidates that are left, each with the same chance:
what nobody is shown nobody can like. The chance is kept beside the title, for whoever weighs by it what came of the
list (inverse propensity; Horvitz and Thompson 1952). The draw follows from the profile and the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.draws import mixed
from cinelake.recommend.evaluation import traits
from cinelake.recommend.measures import SMOOTHING, Traits
from cinelake.recommend.scoring import Matrix, cells

Batches = Iterator[pa.RecordBatch]
# Profiles taken together: candidates × genres of them are one block.
ROWS = 512


class Taste(BaseModel):
    """How much each counts, against relevance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: float = Field(
        0.0, ge=0, le=1, description="of the genres of the history (Steck 2018)"
    )
    diversity: float = Field(0.0, ge=0, le=1, description="against titles like those before")
    popularity: float = Field(0.0, ge=0, le=1, description="against what everybody likes")
    freshness: float = Field(0.0, ge=0, le=1, description="of what is new on the service")
    exploration: float = Field(
        0.0, ge=0, le=0.5, description="share of a list's places that are drawn at random"
    )
    half_life_days: float = Field(
        30.0, gt=0, description="age at which a title is half as new (days)"
    )
    candidates: int = Field(200, ge=1, le=2000, description="titles to choose from")

    @property
    def is_plain(self) -> bool:
        """Whether the order is that of the scores."""
        return not any(
            (self.calibration, self.diversity, self.popularity, self.freshness, self.exploration)
        )

    def explored(self, n: int) -> Matrix:
        """Which places of a list of `n` are drawn at random: the last of each stretch of equal length."""
        done = np.floor(np.arange(1, n + 1) * self.exploration + 1e-9)
        found: Matrix = np.diff(done, prepend=0) > 0
        return found


@dataclass(frozen=True)
class Candidates:
    """Of `b` profiles the best `m` titles, by position (−1: none), with their scores, and the histories' genres.

    `hashes (b)` are what is drawn at random follows from.
    """

    titles: Matrix
    scores: Matrix
    tastes: Matrix
    hashes: Matrix


def reranked(given: Candidates, traits: Traits, newness: Matrix, taste: Taste, n: int) -> Matrix:
    """Places `(b, n)` of the titles taken among the candidates, in order; −1 where there is none left.

    `newness (titles)` is 1 for a title of today, and falls to 0.
    """
    rows, width = given.titles.shape
    there = given.titles >= 0
    titles = np.where(there, given.titles, 0)
    fixed = _relevance(given.scores, there) * (1 - taste.calibration)
    likes = np.log1p(traits.likes)
    fixed -= taste.popularity * (likes / max(float(likes.max(initial=0.0)), 1e-12))[titles]
    fixed += taste.freshness * newness[titles]
    genres = traits.genres[titles]
    norms = np.linalg.norm(genres, axis=2, keepdims=True)
    directions = np.divide(genres, norms, out=np.zeros_like(genres), where=norms > 0)
    free, taken = there.copy(), np.zeros((rows, genres.shape[2]))
    nearest = np.zeros((rows, width))
    places = np.full((rows, n), -1)
    explored, drawn = taste.explored(n), mixed(given.hashes[:, None], np.arange(width))
    every = np.arange(rows)
    for place in range(min(n, width)):
        worth = fixed - taste.diversity * nearest
        if taste.calibration:
            worth = worth - taste.calibration * _divergence(
                given.tastes, taken[:, None, :] + genres
            )
        if explored[place]:
            worth = drawn.astype(np.float64)
        # Of equals the first, which has the higher score.
        best = np.argmax(np.where(free, worth, -np.inf), axis=1)
        is_left = free[every, best]
        places[is_left, place] = best[is_left]
        free[every, best] = False
        taken += np.where(is_left[:, None], genres[every, best], 0.0)
        likeness = np.einsum("bmg,bg->bm", directions, directions[every, best])
        nearest = np.maximum(nearest, np.where(is_left[:, None], likeness, 0.0))
    return places


def rerank(
    lists: DataFrame,
    histories: DataFrame,
    catalogue: Traits,
    newness: Matrix,
    taste: Taste,
    n: int,
    day: date | None = None,
) -> DataFrame:
    """`profile_id, rank, title_idx, score, propensity` of the `n` titles taken for each profile.

    `lists` has the first four, with `taste.candidates` titles of each; `histories` holds `profile_id, liked
    array<int>`. The score stays that of the model. `propensity` is the chance that the title had where it was drawn at
    random, a draw that follows from the profile and `day`; else null.
    """
    row = F.struct("rank", "title_idx", "score").alias("_row")
    # A column before it is collected: what is collected, Spark interprets row by row where it computes it.
    gathered = (
        lists.select("profile_id", row)
        .groupBy("profile_id")
        .agg(F.sort_array(F.collect_list("_row")).alias("_listed"))
        .join(histories.select("profile_id", "liked"), on="profile_id", how="left")
        .select("*", F.xxhash64("profile_id", F.lit(day)).alias("_hash"))
    )
    profile = lists.schema["profile_id"].dataType.simpleString()
    shared = lists.sparkSession.sparkContext.broadcast((catalogue, newness))

    def take(batches: Batches) -> Batches:
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS):
                yield _taken(batch.slice(start, ROWS), *shared.value, taste, n)

    # Python, because what is taken next depends on all that was taken before.
    columns = "rank int, title_idx int, score double, propensity double"
    return gathered.mapInArrow(take, f"profile_id {profile}, {columns}")


def rearranged(
    lists: DataFrame, histories: DataFrame, titles: DataFrame, taste: Taste, as_of: date, n: int
) -> DataFrame:
    """`profile_id, rank, title_id, score, propensity`, re-ranked, from lists of the first four.

    `titles` holds `title_id, title_idx, likes, genres array<string>, release_date` of all titles in lists and
    histories; one without a date is not new.
    """
    numbers = titles.select("title_id", "title_idx")
    known = traits(titles, histories.where(F.size("liked") > 0).count())
    days = titles.select(
        "title_idx", F.date_diff(F.lit(as_of), "release_date").cast("double").alias("age")
    )
    ages = days.toArrow().sort_by("title_idx").column("age").to_numpy()
    newness = np.where(np.isnan(ages), 0.0, 2.0 ** (-np.maximum(ages, 0.0) / taste.half_life_days))
    given = lists.join(F.broadcast(numbers), on="title_id", how="inner").drop("title_id")
    taken = rerank(given, histories, known, newness, taste, n, as_of)
    return taken.join(F.broadcast(numbers), on="title_idx", how="inner").select(
        "profile_id", "rank", "title_id", "score", "propensity"
    )


def _taken(
    batch: pa.RecordBatch, catalogue: Traits, newness: Matrix, taste: Taste, n: int
) -> pa.RecordBatch:
    listed = batch.column("_listed")
    row, rows = cells(listed)
    column = np.arange(len(row)) - np.repeat(
        np.cumsum(np.bincount(row)) - np.bincount(row), np.bincount(row)
    )
    numbers = rows.field("title_idx").to_numpy(zero_copy_only=False)
    width = int(column.max(initial=-1)) + 1
    titles = np.full((batch.num_rows, width), -1)
    scores = np.zeros((batch.num_rows, width))
    titles[row, column] = catalogue.at(numbers)
    scores[row, column] = rows.field("score").to_numpy(zero_copy_only=False)
    liked_row, liked = cells(batch.column("liked"))
    tastes = catalogue.shares(liked_row, liked.to_numpy(zero_copy_only=False), batch.num_rows)
    hashes = batch.column("_hash").to_numpy(zero_copy_only=False)
    given = Candidates(titles, scores, tastes, hashes)
    places = reranked(given, catalogue, newness, taste, n)
    at, rank = np.nonzero(places >= 0)
    chosen = places[at, rank]
    return pa.RecordBatch.from_arrays(
        [
            batch.column("profile_id").take(pa.array(at)),
            pa.array((rank + 1).astype(np.int32)),
            pa.array(catalogue.numbers[titles[at, chosen]].astype(np.int32)),
            pa.array(scores[at, chosen]),
            # One of all that were left when its place came.
            pa.array(1.0 / ((titles >= 0).sum(axis=1)[at] - rank), mask=~taste.explored(n)[rank]),
        ],
        names=["profile_id", "rank", "title_idx", "score", "propensity"],
    )


def _relevance(scores: Matrix, there: Matrix) -> Matrix:
    lowest = np.where(there, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    highest = np.where(there, scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    span = highest - lowest
    is_spread = there & (span > 0)
    found = np.ones(scores.shape)
    np.divide(scores - lowest, span, out=found, where=is_spread)
    return found


def _divergence(tastes: Matrix, shown: Matrix) -> Matrix:
    """KL divergence of each candidate's list from the history, as a share of the worst that can be."""
    total = shown.sum(axis=2, keepdims=True)
    shares = np.divide(shown, total, out=np.zeros_like(shown), where=total > 0)
    mixed = (1 - SMOOTHING) * shares + SMOOTHING * tastes[:, None, :]
    ratio = np.divide(
        np.broadcast_to(tastes[:, None, :], mixed.shape),
        mixed,
        out=np.ones_like(mixed),
        where=mixed > 0,
    )
    worst = -np.log(SMOOTHING)
    found: Matrix = (tastes[:, None, :] * np.log(np.where(ratio > 0, ratio, 1.0))).sum(
        axis=2
    ) / worst
    return found
