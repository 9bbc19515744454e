"""Pages against a plain computation: nothing that may not be shown, nothing twice, and each row as its kind says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from scipy.sparse import csr_array
from unit.tables.rows import same

from cinelake.recommend.eligibility import Offer
from cinelake.recommend.home.attention import USUAL_ATTENTION
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.making import Maker
from cinelake.recommend.home.pages import OWN as OWN_ROWS
from cinelake.recommend.home.pages import gathered
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.rules import BrandRules
from cinelake.recommend.home.taste import Tastes
from cinelake.recommend.rows.kind import ANCHOR, Known, RowKind, Shelf
from cinelake.recommend.scoring import Factored

TITLES, RANK = 60, 4
EVENING, MORNING = (
    Circumstances("tv", "evening", date(2026, 1, 2)),
    Circumstances("phone", "morning", date(2026, 1, 2)),
)


class Picks(RowKind):
    kind = "picks"
    text = "Picks"


class Parts(RowKind):
    kind = "parts"
    most = 2
    least = 2


class Fresh(RowKind):
    kind = "fresh"
    text = "Fresh"


class Begun(RowKind):
    kind = "begun"
    least = 1
    shows_seen = True
    text = "Begun"


class Like(RowKind):
    kind = "like"
    most, offered, least = 1, 2, 1
    text = f"Like {ANCHOR}"


def plan(**more: Any) -> Plan:
    dice = np.random.default_rng(1)
    ids = pa.array([f"t{n:02}" for n in range(TITLES)])
    idx = np.arange(TITLES) * 2 + 1
    genre = np.arange(TITLES) % 3
    factors = dice.normal(size=(TITLES, RANK)).astype("f4")
    added = dice.normal(size=10)
    at = np.zeros((2, TITLES))
    # In the morning titles of the last genre are wanted.
    at[1, genre == 2] = 4.0
    told: dict[str, Any] = {
        "ids": ids,
        "idx": idx,
        "names": [f"Title {n}" for n in range(TITLES)],
        "genres": csr_array(np.eye(3)[genre]),
        "offer": Offer(ids, {"DE": 0}, (np.arange(TITLES) % 10 != 0)[None], np.where(genre == 1, 18, 6)),
        "tastes": Tastes(Factored(factors), ids, idx, np.arange(TITLES), np.arange(TITLES)),
        "taste": 1.0,
        "shown": -0.5,
        "circumstances": [EVENING, MORNING],
        "worth": {"DE": dice.normal(-3, 0.5, TITLES)},
        "at": {"DE": at},
        "kinds": [Begun(), Fresh(), Like(), Parts(), Picks()],
        "shelves": [
            Shelf("picks", "", "Picks", np.arange(TITLES)),
            *(Shelf("parts", f"{n}", f"Part {n}", np.flatnonzero(genre == n)) for n in range(3)),
            Shelf("fresh", "", "Fresh", np.arange(20, 30), added, "DE"),
            Shelf("fresh", "", "Elsewhere", np.arange(20, 30), added, "US"),
        ],
        "attention": USUAL_ATTENTION,
        "rules": BrandRules(),
        "groups": {"original": genre == 0},
        "grid": Grid(rows=5, titles=4, exploration=0.0),
    }  # fmt: skip
    return Plan(**(told | more))


OWN = pa.list_(
    pa.struct(
        [
            ("kind", pa.string()), ("key", pa.string()), ("anchor", pa.string()), ("device_class", pa.string()),
            ("daypart", pa.string()), ("place", pa.int32()),
            ("titles", pa.list_(pa.struct(
                [
                    ("title_idx", pa.int32()), ("added", pa.float64()), ("odds", pa.float64()),
                    ("episode_id", pa.string()), ("position_s", pa.float64()),
                ]
            ))),
        ]
    )
)  # fmt: skip
SHOWN = pa.list_(pa.struct([("title_idx", pa.int32()), ("pages", pa.int64())]))


def idx(title: int) -> int:
    return title * 2 + 1


def own_row(kind: str, titles: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
    blank = {"added": 0.0, "odds": None, "episode_id": None, "position_s": None}
    told = {"key": "", "anchor": None, "device_class": None, "daypart": None, "place": 0}
    return told | {"kind": kind, "titles": [blank | title for title in titles]} | more


def profile(name: str, **more: Any) -> dict[str, Any]:
    """An adult in Germany of whom the model knows nothing."""
    told = {
        "profile_id": name, "seen": [], "liked": [], "own": [], "shown": [], "factors": None, "market": "DE",
        "age_limit": 21, "_hash": sum(map(ord, name)),
    }  # fmt: skip
    return told | more


def batch(*profiles: dict[str, Any]) -> pa.RecordBatch:
    ints = pa.list_(pa.int32())
    types = {
        "profile_id": pa.string(), "seen": ints, "liked": ints, "own": OWN, "shown": SHOWN,
        "factors": pa.list_(pa.float32()), "market": pa.string(), "age_limit": pa.int32(), "_hash": pa.int64(),
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(
        {name: pa.array([p[name] for p in profiles], of) for name, of in types.items()}
    )


def made(given: Plan, *profiles: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """By profile and part of the day its tiles."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for part in Maker(given).make(batch(*profiles)):
        for row in part.to_pylist():
            page = found.setdefault((row["profile_id"], row["daypart"]), [])
            for position, tile in enumerate(row.pop("tiles")):
                because = row["anchor"] or tile["because"]
                page.append(row | tile | {"position": position, "because": because})
    return found


def number(tile: dict[str, Any]) -> int:
    return int(tile["title_id"][1:])


def anybody(count: int) -> list[dict[str, Any]]:
    dice = np.random.default_rng(2)
    people = []
    for n in range(count):
        told = dice.choice(TITLES, 12, replace=False).tolist()
        people.append(
            profile(
                f"p{n}",
                seen=[idx(t) for t in told[:6]],
                liked=[idx(t) for t in told[:3]],
                factors=dice.normal(size=RANK).tolist() if n % 3 else None,
                age_limit=int(dice.choice([12, 21])),
                shown=[{"title_idx": idx(told[7]), "pages": 40}],
                own=[
                    own_row("begun", [{"title_idx": idx(told[0]), "odds": float(dice.normal())}]),
                    own_row(
                        "like", [{"title_idx": idx(t)} for t in told[5:9]], key="a", anchor="t03"
                    ),
                ],
            )
        )
    return people


def test_no_page_holds_what_may_not_be_shown_or_anything_twice() -> None:
    people = anybody(40)
    seen = {p["profile_id"]: {(t - 1) // 2 for t in p["seen"]} for p in people}
    ages = {p["profile_id"]: p["age_limit"] for p in people}
    found = made(plan(grid=Grid(rows=6, titles=5, exploration=0.3)), *people)
    assert len(found) == 80
    drawn = 0
    for (name, _), page in found.items():
        titles = [number(tile) for tile in page]
        assert len(titles) == len(set(titles))
        places = [(tile["row"], tile["position"]) for tile in page]
        assert places == sorted(places)
        for tile in page:
            title = number(tile)
            assert title % 10 != 0
            assert title % 3 != 1 or ages[name] >= 18
            assert title not in seen[name] or tile["row_kind"] == "begun"
            drawn += tile["propensity"] is not None
    assert drawn > 100


def test_a_row_holds_the_best_of_its_titles_by_what_they_are_worth_then() -> None:
    given = plan(kinds=[Parts()], shelves=[s for s in plan().shelves if s.kind == "parts"][:1])
    factors = [0.3, -1.0, 0.5, 0.2]
    (page, later) = made(given, profile("p", factors=factors)).values()
    scores = given.tastes.scoring.factors @ np.array(factors)  # type: ignore[union-attr]
    taste = (scores - scores.mean()) / scores.std()
    worth = given.worth["DE"] + taste
    members = [n for n in range(TITLES) if n % 3 == 0 and n % 10 != 0]
    best = sorted(members, key=lambda n: -worth[n])[:4]
    assert [number(tile) for tile in page] == best
    np.testing.assert_allclose(
        [t["score"] for t in page], 1 / (1 + np.exp(-worth[best])), rtol=1e-4
    )
    assert [number(tile) for tile in later] == best


def test_a_row_for_a_part_of_the_day_stands_on_its_pages_only() -> None:
    rising = {
        part: np.arange(start, start + 8) for part, start in (("evening", 20), ("morning", 40))
    }
    shelves = [
        Shelf("fresh", "", "Fresh", titles, np.zeros(8), "DE", part)
        for part, titles in rising.items()
    ]
    given = plan(kinds=[Fresh(), Picks()], shelves=[*shelves, plan().shelves[0]])
    found = made(given, profile("p"))
    for part, titles in rising.items():
        fresh = [number(tile) for tile in found["p", part] if tile["row_kind"] == "fresh"]
        assert len(fresh) == 4
        assert set(fresh) <= set(titles.tolist())


def test_what_is_shown_in_vain_sinks() -> None:
    given = plan(kinds=[Picks()], shelves=plan().shelves[:1])
    before, *_ = made(given, profile("p")).values()
    top = number(before[0])
    after, *_ = made(given, profile("p", shown=[{"title_idx": idx(top), "pages": 50}])).values()
    assert top not in [number(tile) for tile in after]


def test_circumstances_put_other_rows_first() -> None:
    page, morning = made(plan(), profile("p", liked=[idx(n) for n in range(9)])).values()
    assert {number(t) % 3 for t in morning[:4]} == {2}
    assert {number(t) % 3 for t in page[:4]} != {2}


def test_rows_of_its_own_have_their_odds_their_anchor_and_what_is_to_be_played() -> None:
    told = profile(
        "p",
        seen=[idx(5)],
        own=[
            own_row(
                "begun",
                [{"title_idx": idx(5), "odds": 2.0, "episode_id": "e9", "position_s": 60.0}],
                device_class="tv",
                daypart="evening",
            ),
            # Of two such rows that which is worth more; a seen title is in neither.
            own_row(
                "like",
                [{"title_idx": idx(7)}, {"title_idx": idx(5)}],
                key="b",
                anchor="t03",
                place=1,
            ),
            own_row("like", [{"title_idx": idx(8), "added": 9.0}], key="a", anchor="gone"),
        ],
    )
    # A row of its own that is one too many is not there.
    crowd = profile(
        "q", own=[own_row("like", [{"title_idx": idx(8)}], key="c", anchor="t03", place=2)]
    )
    given = plan(kinds=[Begun(), Like()], shelves=[])
    found = made(given, told, crowd)
    evening, morning = found["p", "evening"], found["p", "morning"]
    assert [(t["row_text"], number(t), t["episode_id"], t["position_s"]) for t in evening[:1]] == [
        ("Begun", 5, "e9", 60.0)
    ]
    assert evening[0]["score"] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert [(t["row_text"], t["because"], number(t)) for t in evening[1:]] in (
        [("Like title gone", "gone", 8)],
        [("Like Title 3", "t03", 7)],
    )
    assert all(t["row_kind"] == "like" and t["episode_id"] is None for t in morning)
    assert ("q", "evening") not in found


def test_what_a_row_keeps_for_itself_stands_in_no_other() -> None:
    class Mine(Begun):
        keeps_titles = True

    given = plan(
        kinds=[Mine(), Picks()],
        shelves=plan().shelves[:1],
        grid=Grid(rows=2, titles=4, exploration=0.3),
    )
    (page, _) = made(given, profile("p")).values()
    best = number(page[0])
    told = profile("p", own=[own_row("begun", [{"title_idx": idx(best), "odds": -9.0}])])
    (page, _) = made(given, told).values()
    assert [(t["row_text"], number(t)) for t in page if number(t) == best] == [("Begun", best)]


def test_a_profile_in_no_market_that_is_told_of_is_shown_nothing() -> None:
    found = made(plan(), profile("p", market=None), profile("q", age_limit=None), profile("r"))
    assert {name for name, _ in found} == {"r"}


def test_where_nothing_is_on_offer_anywhere_nothing_is_shown() -> None:
    nowhere = Offer(plan().ids, {}, np.zeros((0, TITLES), bool), None)
    assert made(plan(offer=nowhere, worth={}, at={}), profile("p"), profile("q", market=None)) == {}


def test_pages_are_the_same_whoever_comes_along() -> None:
    given, people = plan(grid=Grid(rows=6, titles=5, exploration=0.1)), anybody(11)
    together = made(given, *people)
    alone: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in people:
        alone |= made(given, one)
    assert alone == together
    assert made(given, *people[::-1]) == together


def test_where_all_kinds_of_row_are_shelves_nobody_has_rows_of_its_own(spark: SparkSession) -> None:
    nothing = spark.range(0)
    found = gathered([Picks(), Parts()], Known(date(2026, 1, 2), nothing, nothing), nothing)
    same(found, spark.createDataFrame([], f"profile_id string, own {OWN_ROWS}"))


def test_brand_rules_hold_on_all_pages() -> None:
    rules = BrandRules.model_validate(
        {
            "groups": {"mine": ["t21", "t22", "t23"], "out": ["t24", "t26"]},
            "rules": [
                {"name": "a", "rule": "block", "group": "out"},
                {"name": "b", "rule": "pin", "title": "t59", "row": 1, "position": 0},
                {"name": "c", "rule": "first", "kind": "fresh"},
                {"name": "d", "rule": "cap", "group": "mine", "share": 0.1},
                {"name": "e", "rule": "share", "group": "original", "share": 0.5},
            ],
        }
    )
    groups = rules.members([f"t{n:02}" for n in range(TITLES)], plan().groups["original"])
    people = anybody(20)
    seen = {p["profile_id"]: p["seen"] for p in people}
    found = made(plan(rules=rules, groups=groups), *people)
    assert found
    pinned = 0
    for (name, _), page in found.items():
        titles = [number(tile) for tile in page]
        assert len(titles) == len(set(titles))
        assert not {24, 26} & set(titles)
        assert sum(t in (21, 22, 23) for t in titles) <= 0.1 * len(titles)
        assert sum(t % 3 == 0 for t in titles) >= 0.5 * len(titles)
        pinned += (1, 0, 59) in [(t["row"], t["position"], number(t)) for t in page]
        assert idx(59) not in seen[name] or 59 not in titles
        rows = [(t["row"], t["position"]) for t in page]
        assert rows == sorted(rows)
        assert {row for row, _ in rows} == set(range(len({row for row, _ in rows})))
    assert pinned >= 10


def test_a_share_is_put_on_pages_by_what_it_wants_and_none_is_shorter() -> None:
    people = [p | {"own": []} for p in anybody(20)]
    # Few titles of the group would stand on pages by themselves.
    mine = [f"t{n:02}" for n in range(40, 59)]
    rules = BrandRules.model_validate(
        {"groups": {"mine": mine}, "rules": [{"name": "x", "rule": "share", "group": "mine", "share": 0.3}]}
    )  # fmt: skip
    groups = rules.members([f"t{n:02}" for n in range(TITLES)], plan().groups["original"])
    plain = made(plan(), *people)
    found = made(plan(rules=rules, groups=groups), *people)
    assert {who: len(page) for who, page in found.items()} == {
        who: len(page) for who, page in plain.items()
    }
    fewer = 0
    for who, page in found.items():
        share = np.mean([tile["title_id"] in mine for tile in page])
        fewer += np.mean([tile["title_id"] in mine for tile in plain[who]]) < 0.3
        assert share >= 0.3
        assert len({tile["title_id"] for tile in page}) == len(page)
        assert all(tile["unmet"] is None for tile in page)
        for tile in page:
            if tile["row_kind"] == "parts":
                assert tile["row_key"] == f"{number(tile) % 3}"
    assert fewer >= 10


def test_whom_nothing_of_a_group_may_be_shown_has_a_page_that_says_so() -> None:
    rule = {"name": "for adults", "rule": "share", "group": "grown", "share": 0.2}
    grown = [f"t{n:02}" for n in range(1, TITLES, 3)]
    rules = BrandRules.model_validate({"groups": {"grown": grown}, "rules": [rule]})
    groups = rules.members([f"t{n:02}" for n in range(TITLES)], plan().groups["original"])
    told = profile("child", age_limit=12), profile("adult")
    found = made(plan(rules=rules, groups=groups), *told)
    plain = made(plan(), *told)
    for (who, part), page in found.items():
        assert len(page) == len(plain[who, part])
        assert {tuple(tile["unmet"] or ()) for tile in page} == {
            ("for adults",) if who == "child" else ()
        }


def pins(*told: tuple[int, int, int], **more: Any) -> BrandRules:
    """Titles at rows and positions, and further rules."""
    rules = [
        {"name": f"{n}", "rule": "pin", "title": f"t{title:02}", "row": row, "position": position}
        for n, (title, row, position) in enumerate(told)
    ]
    return BrandRules.model_validate({"rules": [*rules, *more.pop("rules", [])]} | more)


def test_what_is_pinned_further_down_in_its_row_changes_places() -> None:
    one_row = plan(
        kinds=[Picks()],
        shelves=plan().shelves[:1],
        grid=Grid(rows=1, titles=5, exploration=0.0),
    )
    (page, _) = made(one_row, profile("p")).values()
    a, b, c, d, e = (number(tile) for tile in page)
    (pinned, _) = made(replace(one_row, rules=pins((a, 0, 3))), profile("p")).values()
    assert [number(tile) for tile in pinned] == [d, b, c, a, e]


def test_pins_stand_at_their_places_whatever_other_rules_remove() -> None:
    told = ((59, 1, 2), (27, 0, 1), (2, 0, 2), (35, 2, 0))
    capped = {"name": "cap", "rule": "cap", "group": "many", "share": 0.2}
    rules = pins(*told, groups={"many": [f"t{n:02}" for n in range(3, 26)]}, rules=[capped])
    groups = rules.members([f"t{n:02}" for n in range(TITLES)], plan().groups["original"])
    people = anybody(40)
    seen = {p["profile_id"]: p["seen"] for p in people}
    stood = 0
    for (name, _), page in made(plan(rules=rules, groups=groups), *people).items():
        places = {(tile["row"], tile["position"]): number(tile) for tile in page}
        assert len(set(places.values())) == len(places)
        assert sum(3 <= title < 26 for title in places.values()) <= 0.2 * len(places)
        for title, row, position in told:
            if (row, position) in places and idx(title) not in seen[name]:
                assert places[row, position] == title
                stood += 1
    assert stood >= 200


def test_what_a_cap_takes_off_a_page_is_not_pinned_again() -> None:
    capped = {"name": "cap", "rule": "cap", "group": "mine", "share": 0.01}
    rules = pins((59, 1, 2), groups={"mine": ["t59"]}, rules=[capped])
    groups = rules.members([f"t{n:02}" for n in range(TITLES)], plan().groups["original"])
    (page, _) = made(plan(rules=rules, groups=groups), profile("p")).values()
    (plain, _) = made(plan(), profile("p")).values()
    assert 59 not in [number(tile) for tile in page]
    assert len(page) >= len(plain) - 2


def test_without_a_model_there_are_pages_too() -> None:
    given = replace(plan(), tastes=None)
    (page, _) = made(given, profile("p")).values()
    assert len(page) > 10
    assert all(tile["because"] is None for tile in page)
