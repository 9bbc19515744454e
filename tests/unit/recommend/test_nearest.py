"""Of very many titles an index finds nearly all of the best, and never one that may not be shown."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from cinelake.recommend.eligibility import Offer
from cinelake.recommend.nearest import RECALL, Nearest, found_of, nearest
from cinelake.recommend.scoring import Factored
from cinelake.recommend.top_n import Catalogue, Scorer, catalogue, top_n

RANK, TITLES, PROFILES, N = 8, 4000, 120, 10


def taste(random: np.random.Generator, count: int) -> np.ndarray:
    """Vectors around a few directions, some long and most short, as those of titles are."""
    centres = random.normal(size=(12, RANK))
    found = centres[random.integers(12, size=count)] + 0.6 * random.normal(size=(count, RANK))
    return (found * random.lognormal(0, 0.7, (count, 1))).astype(np.float32)


RANDOM = np.random.default_rng(11)
OF_TITLES, OF_PROFILES = taste(RANDOM, TITLES), taste(RANDOM, PROFILES)


def batch(seen: list[list[int]], market: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "profile_id": pa.array(range(PROFILES)),
            "factors": pa.array(OF_PROFILES.tolist(), pa.list_(pa.float32())),
            "seen": pa.array(seen, pa.list_(pa.int32())),
            "market": market,
        }
    )


def lists(titles: Catalogue, asking: pa.RecordBatch) -> dict[int, list[tuple[int, float]]]:
    found: dict[int, list[tuple[int, float]]] = {}
    for ranked in Scorer(titles, N).rank(asking):
        for row in ranked.to_pylist():
            own = found.setdefault(row["profile_id"], [])
            own.append((row["title_id"], row["score"]))
            assert row["rank"] == len(own)
    return found


def test_lists_from_an_index_hold_nearly_all_of_the_best_and_nothing_closed() -> None:
    exact = Catalogue(pa.array(range(TITLES)), np.arange(TITLES), Factored(OF_TITLES))
    # A third of the titles are on offer here, and six there.
    here = np.stack([np.arange(TITLES) % 3 == 0, np.arange(TITLES) < 6])
    ids = pa.array([str(n) for n in range(TITLES)], pa.string())
    exact = replace(exact, offer=Offer(ids, {"DE": 0, "LI": 1}, here, None))
    index = nearest(OF_TITLES, OF_PROFILES, N)
    best = np.argsort(-(OF_PROFILES @ OF_TITLES.T), axis=1)[:, : 2 * N]
    # Each has seen the better half of its best titles, and some others.
    seen = [[*best[n, :N].tolist(), 3, 5] for n in range(PROFILES)]
    asking = batch(seen, ["LI" if n % 10 == 0 else "DE" for n in range(PROFILES)])

    found, wanted = lists(replace(exact, nearest=index), asking), lists(exact, asking)

    assert index.probed < round(TITLES**0.5) / 2
    assert index.recall >= RECALL
    assert found.keys() == wanted.keys()
    common = sum(len({*found[n]} & {*wanted[n]}) for n in wanted)
    # A score of a title is the same from wherever it comes.
    assert common >= 0.95 * sum(map(len, wanted.values()))
    for n in range(PROFILES):
        titles = {title for title, _ in found[n]}
        assert not titles & set(seen[n])
        assert all(here[1 if n % 10 == 0 else 0][title] for title in titles)
        assert len(titles) == len(wanted[n])
        if n % 10 == 0:
            # Too few on offer for the index: all of them are looked at.
            assert found[n] == wanted[n]


def test_recall_is_the_share_of_the_best_that_is_found() -> None:
    best = np.array([[1, 2], [3, 4]])
    assert found_of(best, np.array([[2, 9, 1], [3, -1, -1]])) == 0.75


def test_an_index_travels() -> None:
    index = nearest(OF_TITLES, OF_PROFILES[:9], N)
    before = index.search(OF_PROFILES, N)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(index)).search(OF_PROFILES, N), before)


def test_a_large_catalogue_is_indexed_by_itself(spark: SparkSession) -> None:
    titles = catalogue(
        spark.createDataFrame(
            [(f"t{n:03}", n, OF_TITLES[n].tolist()) for n in range(300)],
            "title_id string, title_idx int, factors array<float>",
        )
    )
    profiles = spark.createDataFrame(
        [(f"p{n}", OF_PROFILES[n].tolist(), [n]) for n in range(20)],
        "profile_id string, factors array<float>, seen array<int>",
    )

    told: list[Nearest] = []

    def rows(exact_up_to: int) -> set[tuple[object, ...]]:
        found = top_n(profiles, titles, 5, exact_up_to, told.append)
        return {tuple(row) for row in found.collect()}

    exact, indexed = rows(300), rows(299)
    assert len(exact) == len(indexed) == 100
    assert len(exact & indexed) >= 90
    # Of the exact ones there is nothing to tell.
    (index,) = told
    assert RECALL <= index.recall <= 1
    assert 1 <= index.probed <= round(300**0.5)
