"""Names say what marks a cluster, beyond chance, and no two are the same."""

from __future__ import annotations

from typing import Any

from cinelake.audience.naming import named


def mark(term: str, z: float = 5.0, lift: float = 2.0, **more: Any) -> dict[str, Any]:
    return {"term": term, "z": z, "lift": lift} | more


CRIME = {
    "genre": [mark("Crime"), mark("Thriller", 3.0), mark("Drama", 2.5)],
    "mood": [mark("Tense")],
    "format": [mark("series", 3.0)],
    "device": [mark("phone", 4.0)],
    "daypart": [mark("weekend night", 3.5)],
}


def names(marks: dict[str, Any], **more: Any) -> dict[str, str]:
    told = {"taken": [], "prefixes": {}, "alone": []} | more
    return named(marks, **told)


def test_a_name_says_when_what_and_on_what() -> None:
    assert names({"a": CRIME}) == {"a": "Late-night tense crime and thriller, series, on phones"}


def test_what_may_be_chance_or_is_common_to_all_is_not_said() -> None:
    weak = {
        "genre": [mark("Drama", z=1.5), mark("Comedy", lift=1.1)],
        "theme": [mark("Courts")],
        "device": [mark("tv", z=2.2)],
        "daypart": [mark("weekday evening", lift=1.05)],
    }
    assert names({"a": weak}) == {"a": "Courts"}
    assert names({"a": {}}) == {"a": "Mixed tastes"}


def test_what_would_be_called_the_same_is_told_apart() -> None:
    same = {"genre": [mark("Crime")]}
    themed = same | {"theme": [mark("Heist", 1.5)]}
    titled = same | {"title": [mark("t1", name="Heat"), mark("t2", name=None)]}
    found = names({"a": same, "b": themed, "c": titled, "d": same}, taken=["Crime (2)"])
    assert found == {"a": "Crime", "b": "Crime: Heist", "c": "Crime: Heat", "d": "Crime (3)"}


def test_kids_are_told_and_who_is_alone_is_everyone() -> None:
    found = names({"a": CRIME, "b": {}}, prefixes={"b": "Kids: "}, alone=["b"])
    assert found["b"] == "Kids: Everyone"
