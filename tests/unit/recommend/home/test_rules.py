"""Brand rules hold exactly, and rules that contradict each other are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cinelake.recommend.home.rules import (
    BrandRules,
    Cap,
    Quotas,
    Share,
    Stock,
    obeyed,
    settled,
)

GROUPS = {"sponsored": ["a", "b"], "house": ["c"], "wide": ["c", "d"]}


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
        (
            {"rule": "share", "group": "house", "share": 0.3},
            {"rule": "cap", "group": "wide", "share": 0.2},
            "at most 20% may be of wide, in which house lies, and at least 30% are to be of that",
        ),
        (
            {"rule": "share", "group": "house", "share": 0.3},
            {"rule": "block", "group": "wide"},
            "no title of wide may be shown, in which house lies, and 30% are to be of that",
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


TOGETHER = "contradict each other: by the titles of their groups no page can keep them together"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        # Two of three titles of a group that overlaps with another, and one more of neither, are all there can be.
        (
            "'x', 'y' and 'z'",
            [
                {"name": "x", "rule": "share", "group": "house", "share": 0.4},
                {"name": "y", "rule": "share", "group": "sponsored", "share": 0.4},
                {"name": "z", "rule": "share", "group": "far", "share": 0.3},
            ],
        ),
        (
            "'x' and 'y'",
            [
                {"name": "x", "rule": "pin", "title": "c"},
                {"name": "y", "rule": "cap", "group": "wide", "share": 0.0},
                {"name": "z", "rule": "share", "group": "sponsored", "share": 0.5},
            ],
        ),
        # What both hold is capped, and each has but that.
        (
            "'x', 'y' and 'z'",
            [
                {"name": "x", "rule": "share", "group": "wide", "share": 0.9},
                {"name": "y", "rule": "cap", "group": "house", "share": 0.3},
                {"name": "z", "rule": "cap", "group": "rest", "share": 0.3},
            ],
        ),
    ],
)
def test_rules_that_contradict_each_other_by_their_titles_are_all_named(
    named: str, told: list[dict[str, Any]]
) -> None:
    groups = GROUPS | {"far": ["e"], "rest": ["d", "e"]}
    with pytest.raises(ValidationError, match=f"rules {named} {TOGETHER}"):
        BrandRules.model_validate({"groups": groups, "rules": told})
    for left_out in told:
        if repr(left_out["name"]) in named:
            rest = [rule for rule in told if rule is not left_out]
            BrandRules.model_validate({"groups": groups, "rules": rest})


def test_rules_that_contradict_each_other_by_what_is_original_are_named_once_that_is_known() -> (
    None
):
    block, pin = {"rule": "block", "group": "original"}, {"rule": "pin", "title": "b"}
    share = {"rule": "share", "group": "sponsored", "share": 0.1}
    ids = ["a", "b", "c", "d", "e"]
    for other in (pin, share):
        told = rules({"name": "x"} | block, {"name": "y"} | other)
        assert (
            told.members(ids, np.array([True, False, False, False, False]))["sponsored"].sum() == 2
        )
        with pytest.raises(ValueError, match=f"rules 'x' and 'y' {TOGETHER}"):
            told.members(ids, np.array([True, True, False, False, False]))
    # Of what is not in the catalogue a page is made without, whatever else is said of it.
    told = rules({"name": "x"} | block, {"name": "y"} | share, {"name": "z"} | pin)
    assert not told.members(["d", "e"], np.array([True, False]))["sponsored"].any()


def test_a_group_that_nobody_named_is_refused() -> None:
    with pytest.raises(
        ValidationError,
        match="'x' speaks of the group 'own'; there are house, original, sponsored, wide",
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


def stock_of(page: int, worth: np.ndarray, rows: int) -> Stock:
    """All titles but the first, which stand on the page; tile and title fit where their remainders by `rows` do."""
    rest = np.arange(page, len(worth))
    return Stock(
        rest[np.argsort(-worth[rest], kind="stable")],
        lambda tile: np.arange(len(worth)) % rows == tile % rows,
        np.zeros(page, bool),
    )


def test_what_a_share_wants_takes_the_places_of_what_is_worth_least_in_rows_that_it_fits() -> None:
    worth = np.array([9.0, 8.0, 1.0, 2.0, 0.5, 0.4, 0.3, 0.2])
    house = np.isin(np.arange(8), [5, 6, 7])
    quotas = Quotas([Share(name="x", group="house", share=0.5)], {"house": house})
    found = settled(np.arange(4), worth[:4], worth, quotas, stock_of(4, worth, 2))
    # Title 5 fits the row of title 3, and 6 that of title 2; 4 is worth more than these, but not of the house.
    assert (found[0].tolist(), found[1].tolist(), found[2]) == ([0, 1, 6, 5], [True] * 4, ())
    # Of the two that fit its row there is one of the house; the other place is in a row that it does not fit.
    quotas = Quotas([Share(name="x", group="house", share=0.75)], {"house": house})
    after, stays, _ = settled(np.arange(4), worth[:4], worth, quotas, stock_of(4, worth, 4))
    assert (sorted(after.tolist()), stays.all()) == ([0, 5, 6, 7], True)


def test_a_share_of_which_nothing_may_be_shown_is_named_and_leaves_the_page() -> None:
    worth, nothing = np.arange(6.0), np.zeros(6, bool)
    told = [Share(name="x", group="house", share=0.5), Cap(name="y", group="many", share=0.25)]
    quotas = Quotas(told, {"house": nothing, "many": np.arange(6) < 2})
    after, stays, unmet = settled(np.arange(4), worth[:4], worth, quotas, stock_of(4, worth, 1))
    assert (after.tolist(), stays.tolist(), unmet) == ([5, 1, 2, 3], [True] * 4, ("x",))
    # What a cap forbids a share cannot want.
    quotas = Quotas(told, {"house": np.arange(6) < 2, "many": np.arange(6) < 2})
    after, stays, unmet = settled(np.arange(4), worth[:4], worth, quotas, stock_of(4, worth, 1))
    assert (stays.sum(), unmet) == (4, ("x",))
    assert (after[stays] < 2).sum() <= 1


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(-5, 5)), min_size=20, max_size=60),
    st.integers(1, 12),
    st.integers(1, 4),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_pages_keep_their_tiles_where_enough_titles_are_on_offer(
    told: list[tuple[bool, bool, float]], page: int, rows: int, cap: float, share: float
) -> None:
    groups = {name: np.array([title[n] for title in told], bool) for n, name in enumerate("ab")}
    rules = [Cap(name="x", group="a", share=cap), Share(name="y", group="b", share=share)]
    worth = np.array([title[2] for title in told])
    after, stays, unmet = settled(
        np.arange(page), worth[:page], worth, Quotas(rules, groups), stock_of(page, worth, rows)
    )
    left = after[stays]
    assert len(set(left.tolist())) == len(left)
    assert groups["a"][left].sum() <= cap * len(left) + 1e-6
    assert unmet or groups["b"][left].sum() >= share * len(left) - 1e-6
    # A title that every rule wants, of those that there are, is enough for a page.
    wanted = groups["b"] & ~groups["a"]
    if wanted.any():
        assert len(left)
        assert unmet == ()
    if wanted.sum() >= page:
        assert stays.all()
    if not groups["a"].all():
        assert len(left)
