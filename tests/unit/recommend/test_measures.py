"""The measures agree with RecTools, with the textbook's sums title by title, and with cases worked by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from cinelake.recommend.measures import ACCURACY, MEASURES, Judged, Traits, measured

# A case of twelve profiles: what they liked before, their lists, and what they went on to like.
_draw = random.Random(11)
TITLES = [f"t{n:02}" for n in range(14)]
GENRES = {
    title: sorted(_draw.sample(["drama", "comedy", "crime", "sci-fi"], _draw.randint(1, 3)))
    for title in TITLES
}
PROFILES = [f"p{n:02}" for n in range(12)]
HISTORY = {profile: sorted(_draw.sample(TITLES[:12], _draw.randint(1, 5))) for profile in PROFILES}
UNSEEN = {profile: [t for t in TITLES if t not in HISTORY[profile]] for profile in PROFILES}
LISTS = {profile: _draw.sample(UNSEEN[profile], 6) for profile in PROFILES}
WANTED = {
    profile: sorted(_draw.sample(UNSEEN[profile], _draw.randint(1, 5))) for profile in PROFILES
}
# Means over the profiles, by RecTools 0.14.0: NDCG(divide_by_achievable=True), MRR, MeanInvUserFreq,
# AvgRecPopularity, Serendipity with all titles as the catalogue, IntraListDiversity with the cosine of genres, and MAP,
# which divides by all that is relevant.
RECTOOLS = {
    3: {
        "ndcg": 0.4065423191461734,
        "recall": 0.4361111111111111,
        "precision": 0.3055555555555556,
        "reciprocal_rank": 0.4861111111111111,
        "hit_rate": 0.6666666666666666,
        "map_by_relevant": 0.30625,
        "novelty": 2.621637500560899,
        "popularity": 2.0,
        "serendipity": 0.05555555555555556,
        "diversity": 0.6217004843360597,
    },
    6: {
        "ndcg": 0.4844874995225432,
        "recall": 0.6430555555555556,
        "precision": 0.23611111111111108,
        "reciprocal_rank": 0.5333333333333333,
        "hit_rate": 0.9166666666666666,
        "map_by_relevant": 0.3625,
        "novelty": 2.7164996533186447,
        "popularity": 1.9722222222222223,
        "serendipity": 0.029761904761904764,
        "diversity": 0.6083879595678541,
    },
}


def traits(genres: dict[str, list[str]], likes: list[int], profiles: int) -> Traits:
    known = sorted({genre for row in genres.values() for genre in row})
    shares = [[(genre in row) / max(1, len(row)) for genre in known] for row in genres.values()]
    table = np.array(shares).reshape(len(genres), len(known))
    return Traits(np.arange(len(genres)), np.array(likes, float), table, profiles)


def judged(
    lists: list[list[int]],
    wanted: list[list[int]],
    tastes: np.ndarray | None = None,
    width: int = 12,
) -> Judged:
    table = np.array([row + [-1] * (width - len(row)) for row in lists]).reshape(len(lists), width)
    cells = [(row, title) for row, some in enumerate(wanted) for title in some]
    rows, titles = (np.array([cell[at] for cell in cells], int) for at in (0, 1))
    none = np.zeros((len(lists), 0))
    counts = np.array([len(some) for some in wanted])
    return Judged(table, counts, (rows, titles), none if tastes is None else tastes)


def test_they_agree_with_rectools() -> None:
    likes = [sum(title in row for row in HISTORY.values()) for title in TITLES]
    numbers = {title: n for n, title in enumerate(TITLES)}
    lists, wanted = (
        [[numbers[title] for title in table[profile]] for profile in PROFILES]
        for table in (LISTS, WANTED)
    )
    case = judged(lists, wanted, np.zeros((12, 4)))

    found = measured(case, traits(GENRES, likes, len(PROFILES)), [3, 6])

    relevant = case.relevant
    for k, expected in RECTOOLS.items():
        found[f"map_by_relevant_at_{k}"] = (
            found[f"average_precision_at_{k}"] * np.minimum(k, relevant) / relevant
        )
        for name, value in expected.items():
            assert found[f"{name}_at_{k}"].mean() == pytest.approx(value, abs=1e-9), (name, k)


def by_the_book(ranked: list[int], wanted: set[int], k: int) -> dict[str, float]:
    found, precisions, gain, first = 0, 0.0, 0.0, 0.0
    for place, title in enumerate(ranked[:k], start=1):
        if title in wanted:
            found += 1
            first = first or 1 / place
            precisions += found / place
            gain += math.log(2) / math.log(place + 1)
    best = sum(math.log(2) / math.log(place + 1) for place in range(1, min(k, len(wanted)) + 1))
    return {
        "ndcg": gain / best,
        "recall": found / len(wanted),
        "precision": found / k,
        "average_precision": precisions / min(k, len(wanted)),
        "reciprocal_rank": first,
        "hit_rate": float(found > 0),
    }


def test_accuracy_is_that_of_the_textbook_for_lists_of_any_length() -> None:
    draw = random.Random(5)
    lists = [draw.sample(range(30), draw.randint(0, 12)) for _ in range(200)]
    wanted = [draw.sample(range(30), draw.randint(1, 14)) for _ in range(200)]
    nothing = traits({str(n): [] for n in range(30)}, [1] * 30, 5)

    found = measured(judged(lists, wanted), nothing, [1, 10, 20])

    for k in (1, 10, 20):
        for row, (ranked, some) in enumerate(zip(lists, wanted, strict=True)):
            for name, value in by_the_book(ranked, set(some), k).items():
                assert found[f"{name}_at_{k}"][row] == pytest.approx(value, abs=1e-9), (name, k)
    assert set(ACCURACY) == set(by_the_book([1], {1}, 1))


def test_miscalibration_is_stecks_divergence() -> None:
    titles = traits(
        {"a": ["drama"], "b": ["comedy"], "c": ["comedy", "drama"], "d": []}, [1] * 4, 3
    )
    comedy, drama = 0, 1
    tastes = np.array([[0.3, 0.7], [0.0, 1.0], [0.5, 0.5], [0.0, 0.0], [0.0, 1.0]])
    # As the history is; all of the other genre; a list of one genre; nothing known of the history, or of the list.
    lists = [[0] * 7 + [1] * 3, [1], [0], [0], [3]]

    found = measured(judged(lists, [[0]] * 5, tastes), titles, [10])["miscalibration_at_10"]

    assert found[0] == pytest.approx(0.0)
    assert found[1] == pytest.approx(math.log(1 / 0.01))
    mixed = {drama: 0.99 + 0.01 * 0.5, comedy: 0.01 * 0.5}
    assert found[2] == pytest.approx(sum(0.5 * math.log(0.5 / share) for share in mixed.values()))
    assert np.isnan(found[3:]).all()


def test_an_empty_list_is_no_hit_and_has_no_traits() -> None:
    titles = traits({"a": ["drama"], "b": ["comedy"]}, [3, 1], 4)
    found = measured(judged([[], [0]], [[0], [0]], np.full((2, 2), 0.5)), titles, [2])

    def of(row: int) -> dict[str, Any]:
        return {name: found[f"{name}_at_2"][row] for name in MEASURES}

    assert {name for name, value in of(0).items() if np.isnan(value)} == {
        "novelty", "popularity", "diversity", "miscalibration", "serendipity",
    }  # fmt: skip
    assert all(of(0)[name] == 0 for name in ACCURACY)
    # One title has no other to differ from.
    assert np.isnan(of(1)["diversity"])
    assert of(1)["novelty"] == pytest.approx(math.log2(4 / 3))


def test_without_titles_there_is_nothing_to_find() -> None:
    empty = Traits(np.array([], int), np.array([]), np.zeros((0, 0)), 0)
    found = measured(
        Judged(np.full((1, 3), -1), np.array([2]), (np.array([], int),) * 2, np.zeros((1, 0))),
        empty,
        [10],
    )
    assert found["recall_at_10"].tolist() == [0.0]
