"""What is scored fast is scored right within its bound, and lists of every model equal those of a full sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, random_array

from cinelake.recommend.scoring import Blended, Factored, Part, Scoring, TitleToTitle
from cinelake.recommend.top_n import Catalogue, Scorer

TITLES, PROFILES, RANK = 211, 40, 8


def models() -> dict[str, Scoring]:
    random = np.random.default_rng(3)
    factored = Factored(random.normal(size=(TITLES, RANK)).astype("f4"))
    dense = TitleToTitle(random.normal(size=(TITLES, TITLES)))
    sparse = random_array((TITLES, TITLES), density=0.1, format="csr", rng=np.random.default_rng(4))
    return {
        "factored": factored,
        "dense": dense,
        "sparse": TitleToTitle(csr_array(sparse)),
        "blended": Blended([Part(0.7, factored), Part(0.3, dense)]),
    }


def batch() -> tuple[pa.RecordBatch, np.ndarray, list[list[int]]]:
    random = np.random.default_rng(5)
    factors = random.normal(size=(PROFILES, RANK)).astype("f4")
    liked = [
        random.choice(TITLES, random.integers(0, 30), replace=False).tolist()
        for _ in range(PROFILES)
    ]
    columns = [
        pa.array(range(PROFILES)),
        pa.array(list(factors)),
        pa.array(liked, pa.list_(pa.int32())),
    ]
    names = ["profile_id", "factors", "liked"]
    return (
        pa.RecordBatch.from_arrays([*columns, columns[2]], names=[*names, "seen"]),
        factors,
        liked,
    )


def by_the_book(model: str, factors: np.ndarray, liked: list[list[int]]) -> np.ndarray:
    """Every score, in double precision, profile by profile."""
    found: dict[str, Any] = models()

    def summed(weights: np.ndarray) -> np.ndarray:
        return np.array([weights[own].sum(axis=0) for own in liked])

    def standardised(scores: np.ndarray) -> np.ndarray:
        spread = scores.std(axis=1, keepdims=True)
        return np.divide(
            scores - scores.mean(axis=1, keepdims=True), spread,
            out=np.zeros_like(scores), where=spread > 0,
        )  # fmt: skip

    by_factors = factors.astype(float) @ found["factored"].factors.astype(float).T
    match model:
        case "factored":
            return by_factors
        case "dense":
            return summed(found["dense"].weights)
        case "sparse":
            return summed(found["sparse"].weights.toarray())
    return 0.7 * standardised(by_factors) + 0.3 * standardised(summed(found["dense"].weights))


def lists_of(scoring: Scoring, rows: pa.RecordBatch, n: int = 10) -> list[list[tuple[int, float]]]:
    held = Catalogue(pa.array(range(TITLES)), np.arange(TITLES), scoring)
    found: dict[int, list[tuple[int, float]]] = {}
    for part in Scorer(held, n).rank(rows):
        for row in part.to_pylist():
            found.setdefault(row["profile_id"], []).append((row["title_id"], row["score"]))
    return [found[profile] for profile in rows.column("profile_id").to_pylist()]


@pytest.mark.parametrize("model", models())
def test_lists_are_those_of_a_full_sort(model: str) -> None:
    rows, factors, liked = batch()
    scores = by_the_book(model, factors, liked)
    for own, row, listed in zip(liked, scores, lists_of(models()[model], rows), strict=True):
        row[own] = -np.inf
        best = np.lexsort((np.arange(TITLES), -np.round(row, 9)))[:10]
        assert [title for title, _ in listed] == best.tolist()
        np.testing.assert_allclose([score for _, score in listed], row[best], atol=1e-9)


@pytest.mark.parametrize("model", models())
def test_what_is_fast_is_within_its_bound(model: str) -> None:
    rows, factors, liked = batch()
    exact = by_the_book(model, factors, liked)
    held = Scorer(Catalogue(pa.array(range(TITLES)), np.arange(TITLES), models()[model]), 10)
    out = np.empty((20, held.columns), np.float32)
    bound = models()[model].of(rows, held._cells).fast(10, 30, out)
    assert (np.abs(out[:, :TITLES] - exact[10:30]) <= bound[:, None] + 1e-12).all()


@pytest.mark.parametrize("model", models())
def test_a_list_is_the_same_to_the_last_bit_wherever_its_profile_stands(model: str) -> None:
    rows, _, _ = batch()
    scoring = models()[model]
    together = lists_of(scoring, rows)
    assert [lists_of(scoring, rows.slice(at, 1))[0] for at in range(PROFILES)] == together


def test_who_finds_all_titles_equal_has_no_say_in_a_blend() -> None:
    dense = TitleToTitle(np.eye(TITLES))
    indifferent = Factored(np.ones((TITLES, 1), np.float32))
    columns = [pa.array([0]), pa.array([[1.0]]), pa.array([[4, 7]]), pa.array([[4]])]
    rows = pa.RecordBatch.from_arrays(columns, names=["profile_id", "factors", "liked", "seen"])
    (listed,) = lists_of(Blended([Part(0.5, dense), Part(0.5, indifferent)]), rows, 2)
    assert [title for title, _ in listed] == [7, 0]


def test_what_stood_beyond_the_titles_before_makes_no_bound() -> None:
    rows, _, _ = batch()
    dense = models()["dense"]
    held = Scorer(Catalogue(pa.array(range(TITLES)), np.arange(TITLES), dense), 10)
    out = np.full((PROFILES, TITLES + 5), np.nan, np.float32)
    bound = Blended([Part(1.0, dense)]).of(rows, held._cells).fast(0, PROFILES, out)
    assert np.isfinite(bound).all()


def test_a_blend_may_be_part_of_a_blend() -> None:
    rows, factors, liked = batch()
    inner, outer = models()["blended"], models()["sparse"]
    mixed = by_the_book("blended", factors, liked), by_the_book("sparse", factors, liked)
    scores = np.zeros((PROFILES, TITLES))
    for weight, part in zip((0.5, 0.5), mixed, strict=True):
        spread = part.std(axis=1, keepdims=True)
        centred = part - part.mean(axis=1, keepdims=True)
        scores += weight * np.divide(centred, spread, out=np.zeros_like(part), where=spread > 0)
    found = lists_of(Blended([Part(0.5, inner), Part(0.5, outer)]), rows)
    for own, row, listed in zip(liked, scores, found, strict=True):
        row[own] = -np.inf
        np.testing.assert_allclose([s for _, s in listed], np.sort(row)[::-1][:10], atol=1e-9)
