"""Clusters are recognised by their members, one to one, and what has no match has a fate."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelake.audience.identity import Fate, fates, new_id, total_variation

IDS = ["n0", "n1", "n2"]


def told(before: list[str], moved: dict[tuple[str, int], int], components: int) -> list[Fate]:
    return fates(before, moved, components, IDS, least_overlap=0.25)


def test_clusters_keep_their_ids_whatever_their_numbers() -> None:
    found = told(["a", "b"], {("a", 1): 9, ("a", 0): 1, ("b", 0): 10}, 2)
    assert [(fate.cluster_id, fate.component, fate.event) for fate in found] == [
        ("b", 0, "kept"),
        ("a", 1, "kept"),
    ]
    # Of the ten of a one went to b.
    assert found[1].churn == pytest.approx(0.1)
    assert found[1].overlap == pytest.approx(9 / 10)


def test_the_sum_of_overlaps_decides_and_not_who_comes_first() -> None:
    # Alone, a would take 0; but then b, which has most of its members there, would have none.
    found = told(["a", "b"], {("a", 0): 6, ("a", 1): 5, ("b", 0): 8}, 2)
    assert {fate.cluster_id: fate.component for fate in found} == {"a": 1, "b": 0}


def test_a_cluster_that_comes_in_two_splits() -> None:
    kept, split = told(["a"], {("a", 0): 7, ("a", 1): 3}, 2)
    assert (kept.cluster_id, kept.event) == ("a", "kept")
    assert split == Fate("n1", 1, "split", ("a",))


def test_two_clusters_that_become_one_merge() -> None:
    found = told(["a", "b"], {("a", 0): 7, ("b", 0): 3}, 1)
    assert [(fate.cluster_id, fate.event, fate.related) for fate in found] == [
        ("a", "kept", ()),
        ("b", "merged", ("a",)),
    ]
    assert found[1].component is None


def test_a_cluster_whose_members_go_several_ways_ends_and_one_of_strangers_is_born() -> None:
    found = told(["a", "b", "c"], {("a", 0): 9, ("b", 1): 9, ("c", 0): 2, ("c", 1): 2}, 3)
    events = {fate.cluster_id: fate.event for fate in found}
    assert events == {"a": "kept", "b": "kept", "n2": "born", "c": "ended"}


def test_too_little_in_common_is_no_match() -> None:
    found = told(["a"], {("a", 0): 2, ("a", 1): 2, ("a", 2): 1}, 3)
    assert [fate.event for fate in found] == ["kept", "split", "split"]
    strict = fates(["a"], {("a", 0): 2, ("a", 1): 2, ("a", 2): 2}, 3, IDS, least_overlap=0.5)
    assert [fate.event for fate in strict] == ["split", "split", "split", "ended"]


def test_the_same_model_knows_its_clusters_by_number_however_members_move() -> None:
    moved = {("a", 1): 10, ("b", 0): 10}
    found = fates(["a", "b"], moved, 2, IDS, least_overlap=0.25, numbers={"a": 0, "b": 1})
    assert [(f.cluster_id, f.event, f.churn) for f in found] == [
        ("a", "kept", 1.0),
        ("b", "kept", 1.0),
    ]


def test_on_the_first_day_all_are_born_and_on_a_day_without_clusters_all_end() -> None:
    assert [f.event for f in told([], {}, 3)] == ["born"] * 3
    assert [(f.event, f.component) for f in told(["a"], {}, 0)] == [("ended", None)]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 2)), st.integers(1, 50)
    )
)
def test_every_cluster_has_one_fate_and_every_number_one_cluster(
    moved: dict[tuple[str, int], int],
) -> None:
    found = told(["a", "b", "c", "d"], moved, 3)
    live = [fate for fate in found if fate.component is not None]
    assert [fate.component for fate in live] == [0, 1, 2]
    ids = [fate.cluster_id for fate in found]
    assert len(ids) == len(set(ids))
    assert {"a", "b", "c", "d"} <= set(ids)
    assert all(0 <= fate.churn <= 1 for fate in found if fate.churn is not None)


def test_an_id_says_where_and_when_a_cluster_was_found_and_nothing_else() -> None:
    day, through = date(2026, 3, 16), date(2026, 3, 15)
    one = new_id("adult", day, through, 0)
    assert one == new_id("adult", day, through, 0)
    others = {new_id("kid", day, through, 0), new_id("adult", through, through, 0),
              new_id("adult", day, day, 0), new_id("adult", day, through, 1)}  # fmt: skip
    assert len(others | {one}) == 5


def test_drift_is_half_of_what_differs() -> None:
    assert total_variation(
        {"Crime": 0.6, "Drama": 0.4}, {"Crime": 0.4, "Comedy": 0.6}
    ) == pytest.approx(0.6)
    assert total_variation({"Crime": 1.0}, {"Crime": 1.0}) == 0
