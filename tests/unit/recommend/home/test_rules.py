"""Brand rules hold exactly, and rules that contradict each other are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cinelake.recommend.home.rules import BrandRules, Cap, Share, obeyed

GROUPS = {"sponsored": ["a", "b"], "house": ["c"]}


def rules(*told: dict[str, Any]) -> BrandRules:
    return BrandRules.model_validate({"groups": GROUPS, "rules": told})


@pytest.mark.parametrize(
    ("one", "other", "against"),
    [
        (
            {"rule": "share", "group": "house", "share": 0.4},
            {"rule": "cap", "group": "house", "share": 0.2},
            "at most 20% may be of house, and at least 40% are to be",
        ),
        (
            {"rule": "block", "group": "house"},
            {"rule": "share", "group": "house", "share": 0.1},
            "no title of house may be shown, and 10% are to be",
        ),
        (
            {"rule": "pin", "title": "a", "row": 0, "position": 1},
            {"rule": "block", "group": "sponsored"},
            "title 'a' is to be shown, and no title of sponsored may be",
        ),
        (
            {"rule": "pin", "title": "a", "row": 2, "position": 1},
            {"rule": "pin", "title": "c", "row": 2, "position": 1},
            "one place, row 2 and position 1, for two titles",
        ),
        (
            {"rule": "pin", "title": "a", "row": 2},
            {"rule": "pin", "title": "a", "row": 3},
            "title 'a' cannot stand at two places",
        ),
        (
            {"rule": "first", "kind": "genre"},
            {"rule": "first", "kind": "genre"},
            "rows of genre cannot come first twice",
        ),
        (
            {"rule": "share", "group": "house", "share": 0.6},
            {"rule": "share", "group": "sponsored", "share": 0.5},
            "house and sponsored are to have more than all tiles",
        ),
    ],
)
def test_rules_that_contradict_each_other_are_both_named(
    one: dict[str, Any], other: dict[str, Any], against: str
) -> None:
    with pytest.raises(
        ValidationError, match=f"rules 'x' and 'y' contradict each other: {against}"
    ):
        rules({"name": "x"} | one, {"name": "y"} | other)


def test_a_group_that_nobody_named_is_refused() -> None:
    with pytest.raises(
        ValidationError, match="'x' speaks of the group 'own'; there are house, original, sponsored"
    ):
        rules({"name": "x", "rule": "block", "group": "own"})


def test_rows_that_are_to_come_first_are_of_a_kind_that_pages_have() -> None:
    told = rules({"name": "x", "rule": "first", "kind": "my_lst"})
    with pytest.raises(
        ValueError, match="'x' puts rows of 'my_lst' first; did you mean 'my_list'?"
    ):
        told.require_kinds(["genre", "my_list"])
    rules({"name": "x", "rule": "first", "kind": "genre"}).require_kinds(["genre", "my_list"])


def test_what_is_worth_least_goes_first() -> None:
    titles, worth = np.array([0, 1, 2, 3]), np.array([4.0, 3.0, 2.0, 1.0])
    own = {"original": np.array([False, True, True, False])}
    cap = Cap(name="x", group="original", share=0.4)
    assert obeyed(titles, worth, [cap], own).tolist() == [True, True, False, True]
    share = Share(name="x", group="original", share=0.6)
    assert obeyed(titles, worth, [share], own).tolist() == [True, True, True, False]


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(-5, 5)), max_size=30),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_caps_and_shares_hold_on_every_page(
    tiles: list[tuple[bool, bool, float]], cap: float, share: float
) -> None:
    groups = {name: np.array([tile[n] for tile in tiles], bool) for n, name in enumerate("ab")}
    told = [Cap(name="x", group="a", share=cap), Share(name="y", group="b", share=share)]
    worth = np.array([tile[2] for tile in tiles])
    stays = obeyed(np.arange(len(tiles)), worth, told, groups)
    left = int(stays.sum())
    assert (stays & groups["a"]).sum() <= cap * left + 1e-6
    assert (stays & groups["b"]).sum() >= share * left - 1e-6
