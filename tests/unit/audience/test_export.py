"""What leaves the lake is told of many households, and not to be undone."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from cinelake.audience.export import exported

DAY = date(2026, 3, 16)


def state(cluster: str, households: int, population: str = "adult", **more: Any) -> dict[str, Any]:
    return {
        "as_of": DAY, "cluster_id": cluster, "name": f"Name {cluster}", "population": population, "born_on": DAY,
        "households": households, "members": households + 3, "component": 0,
    } | more  # fmt: skip


def mark(
    cluster: str, households: int, aspect: str = "genre", term: str = "Crime"
) -> dict[str, Any]:
    return {
        "cluster_id": cluster, "aspect": aspect, "rank": 1, "term": term, "households": households,
        "profiles": households, "share": 0.4567, "lift": 1.234, "name": "Heat" if aspect == "title" else None,
    }  # fmt: skip


def ids(told: dict[str, Any]) -> list[str]:
    return [cluster["cluster_id"] for cluster in told["clusters"]]


def test_small_clusters_and_what_ended_stay_in_the_lake() -> None:
    states = [
        state("a", 100), state("b", 50), state("c", 49), state("d", 3),
        state("e", 80, component=None),
    ]  # fmt: skip
    told = exported(states, [], 50)
    assert ids(told) == ["a", "b"]
    assert (told["left_out"], told["as_of"]) == (2, "2026-03-16")


def test_of_a_cluster_households_are_counted_in_tens_and_no_profiles() -> None:
    assert exported([state("a", 109)], [], 50) == {
        "as_of": "2026-03-16",
        "least_households": 50,
        "left_out": 0,
        "clusters": [
            {
                "cluster_id": "a", "name": "Name a", "population": "adult", "born_on": "2026-03-16",
                "households": 100, "marks": [],
            }
        ],
    }  # fmt: skip


def test_one_cluster_that_is_left_out_takes_the_smallest_other_one_with_it() -> None:
    # Who knows how many there are could count the missing one by the others.
    states = [state("a", 100), state("b", 60), state("c", 9), state("k", 70, "kid")]
    assert ids(exported(states, [], 50)) == ["a", "k"]


def test_what_is_true_of_few_or_of_all_but_few_is_not_told() -> None:
    states = [state("a", 100), state("b", 100)]
    marks = [
        mark("a", 9),
        mark("a", 95, term="Drama"),
        mark("a", 100, term="War"),
        mark("a", 50, "title", "t1"),
    ]
    told = exported(states, marks, 10)
    assert told["clusters"][0]["marks"] == [
        {"aspect": "genre", "term": "War", "share": 0.46, "lift": 1.2},
        {"aspect": "title", "term": "t1", "share": 0.46, "lift": 1.2, "name": "Heat"},
    ]


def test_neighbours_that_are_left_out_are_not_named() -> None:
    states = [state("a", 100), state("b", 90), state("c", 9), state("d", 8)]
    marks = [mark("a", 90, "neighbour", "b"), mark("a", 9, "neighbour", "c")]
    told = exported(states, marks, 50)
    assert told["clusters"][0]["marks"] == [
        {"aspect": "neighbour", "term": "Name b", "cluster_id": "b"}
    ]
    assert "Name c" not in json.dumps(told)


def test_single_households_are_never_told_of() -> None:
    with pytest.raises(ValueError, match="give 2 or more"):
        exported([state("a", 100)], [], 1)
    assert exported([], [], 50)["clusters"] == []
