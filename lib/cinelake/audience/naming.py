"""Names of clusters, in words of the catalogue: what marks them, not what most of them watch.

A name says when, in which mood, which genres, and by which form and device, as `Late-night tense crime and thriller,
series, on phones`; of each only what speaks for the cluster beyond chance. Where two would have the same, the later
one says a theme besides, or its most telling title.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Standard errors, and how many times as much as others have, from which on a term may stand in a name.
LEAST_Z, LEAST_LIFT = 2.0, 1.2
# Forms, devices and hours are held in common by all; they must differ more before they are worth a word.
HABIT_Z = 2.5
DAYPARTS = {
    "night": "late-night",
    "morning": "morning",
    "afternoon": "afternoon",
    "evening": "evening",
}
FORMATS = {"series": "series", "film": "films"}
DEVICES = {
    "tv": "on televisions", "console": "on consoles", "phone": "on phones", "tablet": "on tablets",
    "laptop": "on laptops",
}  # fmt: skip
EVERYONE, MIXED = "Everyone", "Mixed tastes"

Marks = Mapping[str, Sequence[Mapping[str, Any]]]


def named(
    marks: Mapping[str, Marks],
    taken: Sequence[str],
    prefixes: Mapping[str, str],
    alone: Sequence[str],
) -> dict[str, str]:
    """Names of clusters by their rows of portraits, by aspect, in order; none is among `taken` or given twice.

    `prefixes` stand before names, as of kids; those `alone` in their population are everyone.
    """
    given = set(taken)
    found = {}
    for cluster in sorted(marks):
        for name in _names(marks[cluster], cluster in alone):
            whole = prefixes.get(cluster, "") + name
            if whole not in given:
                found[cluster] = whole
                given.add(whole)
                break
    return found


def _names(marks: Marks, alone: bool) -> Iterator[str]:
    plain = EVERYONE if alone else _plain(marks)
    yield plain
    yield from (f"{plain}: {row['term']}" for row in _telling(marks, "theme", 1.0)[:3])
    yield from (f"{plain}: {row['name']}" for row in marks.get("title", ()) if row.get("name"))
    number = 2
    while True:
        yield f"{plain} ({number})"
        number += 1


def _plain(marks: Marks) -> str:
    genres = [row["term"].lower() for row in _telling(marks, "genre", LEAST_Z)[:2]]
    # One genre that speaks for more than what follows stands alone.
    moods = [row["term"].lower() for row in _telling(marks, "mood", LEAST_Z)[:1]]
    themes = [row["term"].lower() for row in _telling(marks, "theme", LEAST_Z)[:2]]
    subject = " and ".join(genres or themes) or MIXED.lower()
    hours = [
        DAYPARTS.get(row["term"].split(" ")[-1]) for row in _telling(marks, "daypart", HABIT_Z)[:1]
    ]
    said = " ".join([*(hour for hour in hours if hour), *moods, subject])
    said = said[0].upper() + said[1:]
    forms = [
        FORMATS[r["term"]] for r in _telling(marks, "format", HABIT_Z)[:1] if r["term"] in FORMATS
    ]
    on = [
        DEVICES[r["term"]] for r in _telling(marks, "device", HABIT_Z)[:1] if r["term"] in DEVICES
    ]
    return ", ".join([said, *forms, *on])


def _telling(marks: Marks, aspect: str, least: float) -> list[Mapping[str, Any]]:
    return [row for row in marks.get(aspect, ()) if row["z"] >= least and row["lift"] >= LEAST_LIFT]
