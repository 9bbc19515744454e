"""Titles are alike by what is said of them, by who likes both and by factors; a new title is like others, too."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from cinelake.recommend.similar import Evidence, Likeness, by_content, similar_titles, terms

TITLES = (
    "title_id string, kind string, genres array<string>, moods array<string>, themes array<string>, "
    "directors array<string>, cast array<string>, language string, pace string, synopsis string"
)
KNOWN = "profile_id string, title_id string, title_idx int, strength float, is_seen boolean"
# Terms of two titles of twelve are rare enough.
LIKENESS = Likeness(common_share=0.4, shrinkage=0.0)


def title(name: str, genre: str, synopsis: str = "", **more: Any) -> tuple[Any, ...]:
    said = {"kind": "film", "genres": [genre], "cast": None, "language": "en"} | more
    names = [column.split()[0] for column in TITLES.split(", ")]
    return tuple({"title_id": name, "synopsis": synopsis, **said}.get(column) for column in names)


@pytest.fixture(scope="module")
def titles(spark: SparkSession) -> DataFrame:
    heists = [title(f"heist{n}", "crime", "Thieves rob a bank") for n in range(3)]
    loves = [title(f"love{n}", "romance", "Two strangers fall in love") for n in range(3)]
    others = [title(f"other{n}", f"genre {n}", language="fr") for n in range(5)]
    new = title("new", "crime", "A bank is empty when thieves arrive", cast=["Ann Lee", " "])
    episode = title("heist0-e1", "crime", "Thieves rob a bank", kind="episode")
    return spark.createDataFrame([*heists, *loves, *others, new, episode], TITLES).localCheckpoint()


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    """Those who like heists like the first love story as well; nobody has seen the new film."""
    names = ["heist0", "heist1", "heist2", "love0", "love1", "gone"]
    told = [(f"p{n}", name, names.index(name), 1.0, True) for n in range(4) for name in names[:4]]
    told += [(f"q{n}", "love1", 4, 1.0, True) for n in range(2)]
    told += [(f"p{n}", "gone", 5, 1.0, True) for n in range(4)]
    return spark.createDataFrame(told, KNOWN).localCheckpoint()


def test_terms_weigh_by_how_rare_they_are(titles: DataFrame) -> None:
    weighed = {(row.title_id, row.term): row.weight for row in terms(titles, LIKENESS).collect()}
    # Half of the titles are in English: too common; an episode is part of its series and no title of its own.
    assert not any(term == "language en" or name == "heist0-e1" for name, term in weighed)
    own = {term: weight for (name, term), weight in weighed.items() if name == "heist0"}
    assert own.keys() == {"genre crime", "synopsis thieves", "synopsis bank"}
    ratio = own["genre crime"] / own["synopsis bank"]
    assert ratio == pytest.approx(2.0)
    assert sum(weight**2 for weight in own.values()) == pytest.approx(1.0)
    assert ("new", "cast Ann Lee") in weighed


def test_what_is_said_of_both_is_told(titles: DataFrame) -> None:
    found = {
        (row.title_id, row.similar_id): row
        for row in by_content(terms(titles, LIKENESS), 2).collect()
    }
    assert found["heist0", "heist1"].similarity == pytest.approx(1.0)
    assert found["new", "heist0"].shared == ["genre crime", "synopsis thieves", "synopsis bank"]
    assert len([pair for pair in found if pair[0] == "heist0"]) == 2
    assert not [pair for pair in found if pair[0].startswith("other0")]


def lists(frame: DataFrame) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in frame.orderBy("title_id", "rank").collect():
        found.setdefault(row.title_id, []).append(row.similar_id)
    return found


@pytest.mark.thorough
def test_titles_are_blended_and_new_ones_have_lists(
    spark: SparkSession, titles: DataFrame, interactions: DataFrame
) -> None:
    found = similar_titles(Evidence(titles, interactions, None), LIKENESS, 3).localCheckpoint()
    listed = lists(found)
    assert listed["heist0"] == ["heist1", "heist2", "love0"]
    # By its content alone; what has left the catalogue is in no list.
    assert set(listed["new"]) == {"heist0", "heist1", "heist2"}
    assert "gone" not in listed
    assert not any("gone" in some for some in listed.values())
    first = found.where("title_id = 'heist0' AND rank = 1").first()
    assert (first.by_watching, first.by_content, first.by_factors) == (
        pytest.approx(1.0), pytest.approx(1.0), 0.0,
    )  # fmt: skip
    assert first.score == pytest.approx(LIKENESS.watching + LIKENESS.content)
    factors = spark.createDataFrame(
        [
            ("heist0", [1.0, 0.0]),
            ("other4", [2.0, 0.1]),
            ("love1", [-1.0, 0.0]),
            ("love0", [0.0, 1.0]),
        ],
        "title_id string, factors array<float>",
    )
    only = Likeness(watching=0.0, content=0.0)
    pointed = similar_titles(Evidence(titles, interactions, factors), only, 3)
    by_factors = {(r.title_id, r.similar_id): r.by_factors for r in pointed.collect()}
    assert by_factors["heist0", "other4"] == pytest.approx(2 / math.hypot(2, 0.1), abs=1e-6)
    # What points the other way is not alike.
    assert ("heist0", "love1") not in by_factors
