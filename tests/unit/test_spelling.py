"""Who mistypes a name is told the one that is near, or all that there are."""

from __future__ import annotations

import pytest

from cinelake.spelling import hint, nearest_key


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ratingz", "did you mean 'ratings'?"),
        ("rates", "did you mean 'ratings'?"),
        ("xyz", "there are titles, ratings"),
    ],
)
def test_a_hint_is_the_nearest_name_or_all_in_their_order(name: str, told: str) -> None:
    assert hint(name, ["titles", "ratings"]) == told


def test_how_alike_names_must_be_and_what_is_said_otherwise_is_for_the_caller_to_say() -> None:
    assert hint("rates", ["ratings"], "it has", alike=0.9) == "it has ratings"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lake.rot", "lake.root"),
        # In the wrong section: the last part says it.
        ("pipeline.driver_memry", "spark.driver_memory"),
        ("x.y", None),
    ],
)
def test_a_key_is_found_by_itself_or_by_its_last_part(key: str, meant: str | None) -> None:
    assert nearest_key(key, ["lake.root", "lake.landing", "spark.driver_memory"]) == meant
