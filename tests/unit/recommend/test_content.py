"""What the catalogue says of a title becomes terms that begin with their facet."""

from __future__ import annotations

from pyspark.sql import SparkSession

from cinelake.recommend.content import FACETS, terms

TITLES = (
    "title_id string, kind string, genres array<string>, moods array<string>, themes array<string>, "
    "directors array<string>, cast array<string>, language string, pace string, maturity int, synopsis string"
)


def test_every_facet_gives_terms_once_and_episodes_none(spark: SparkSession) -> None:
    said = spark.createDataFrame(
        [
            ("film", None, ["Crime", "Crime"], None, ["Heist"], [" "], ["Ann Lee"], "en", "slow", 12,
             "A Bank, a bank robber and an élan"),
            ("episode", "episode", ["Crime"], [], [], [], [], "en", "slow", 12, "Bank"),
            ("nothing", "series", [], None, None, None, None, None, None, None, None),
        ],
        TITLES,
    )  # fmt: skip

    found = {(row.title_id, row.term) for row in terms(said, FACETS).collect()}

    assert found == {
        ("film", "genre Crime"),
        ("film", "theme Heist"),
        ("film", "cast Ann Lee"),
        ("film", "language en"),
        ("film", "pace slow"),
        ("film", "maturity 12"),
        ("film", "synopsis bank"),
        ("film", "synopsis robber"),
        ("film", "synopsis élan"),
    }
    assert {row.term for row in terms(said, ["pace"]).collect()} == {"pace slow"}
