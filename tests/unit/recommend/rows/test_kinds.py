"""Each kind of row holds what it is about, and one more kind is one more file."""

from __future__ import annotations

from datetime import date, timedelta
from math import log
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows, same

from cinelake.recommend.also_watched import newest
from cinelake.recommend.rows.genres import Genres
from cinelake.recommend.rows.kind import Known, RowKind, Titles, row_kinds
from cinelake.recommend.rows.micro_genres import MicroGenres, name
from cinelake.recommend.rows.new_releases import NewReleases
from cinelake.recommend.rows.popular import Popular
from cinelake.recommend.rows.trending import Trending
from cinelake.tables.audience import CLUSTER_MEMBERS, CLUSTER_TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import SIMILAR_TITLES

UNTIL = date(2026, 2, 1)


def titles(count: int, **more: Any) -> Titles:
    none = ((),) * count
    told: dict[str, Any] = {
        "genres": none, "moods": none, "themes": none, "paces": (None,) * count,
        "age_days": np.full(count, np.nan), "popularity": {"": np.zeros(count)}, "trend": {"": np.zeros(count)},
    }  # fmt: skip
    return Titles(**(told | more))


def kind(name: str) -> RowKind:
    return row_kinds()[name]


def test_the_kinds_of_row_are_found_in_their_files() -> None:
    assert list(row_kinds()) == [
        "because_you_watched", "continue_watching", "genre", "micro_genre", "my_list", "new_releases",
        "people_like_you", "popular", "top_picks", "trending", "watch_again",
    ]  # fmt: skip


def test_a_genre_has_a_row_where_it_has_enough_titles() -> None:
    genres = (("Drama", "Crime"),) * 3 + (("Drama",),)
    (found,) = Genres().shelves(titles(4, genres=genres))
    assert (found.key, found.text, found.titles.tolist()) == ("Drama", "Drama", [0, 1, 2, 3])


def test_micro_genres_are_named_by_a_grammar() -> None:
    assert name(("slow", "Emotional", "Drama", None)) == "Slow-paced emotional dramas"
    assert (
        name((None, None, "Science Fiction", "Time travel"))
        == "Science fiction titles about time travel"
    )
    assert name((None, "witty", "Comedy", "heist")) == "Witty comedies about heist"


def test_a_micro_genre_needs_titles_and_lift() -> None:
    # Eight dramas are dark, and no comedy is; all titles are slow. War is in few.
    count = 24
    genres = (("Drama",),) * 8 + (("Comedy",),) * 16
    moods = (("dark",),) * 8 + (("witty",),) * 10 + ((),) * 6
    themes = (("war",),) * 3 + ((),) * 21
    shelves = MicroGenres().shelves(
        titles(count, genres=genres, moods=moods, themes=themes, paces=("slow",) * count)
    )
    found = {shelf.text: shelf.titles.tolist() for shelf in shelves}
    assert found == {
        "Dark dramas": list(range(8)),
        "Slow-paced dark dramas": list(range(8)),
        "Witty comedies": list(range(8, 18)),
        "Slow-paced witty comedies": list(range(8, 18)),
    }


def test_what_is_popular_and_what_trends_is_so_in_its_market() -> None:
    offered = {"DE": np.array([True] * 5 + [False]), "US": np.ones(6, bool)}
    shares = {"DE": np.array([0.1, 0.4, 0.2, 0.2, 0.0, 0.1]), "US": np.full(6, 0.1)}
    trend = {"DE": np.array([0.0, 1.0, 2.0, 0.5, 0.1, 9.0]), "US": np.zeros(6)}
    given = titles(6, popularity=shares, trend=trend, on_offer=offered)
    here, there = Popular().shelves(given)
    assert (here.market, here.text, here.titles.tolist()) == ("DE", "Popular in DE", [1, 2, 3, 0])
    assert here.added is not None
    assert here.added[0] == 0
    assert (np.diff(here.added) <= 0).all()
    assert there.titles.tolist() == list(range(6))
    (rising,) = Trending().shelves(given)
    assert (rising.market, rising.daypart, rising.titles.tolist()) == ("DE", None, [2, 1, 3, 4])


def test_what_trends_in_the_morning_is_not_what_trends_in_the_evening() -> None:
    mornings, evenings = np.array([1.0, 2.0, 3.0, 4.0]), np.array([4.0, 3.0, 2.0, 1.0])
    of_day = {("", "morning"): mornings, ("", "evening"): evenings, ("", "night"): np.zeros(4)}
    found = Trending().shelves(titles(4, trend_at=of_day))
    assert {shelf.daypart: shelf.titles.tolist() for shelf in found} == {
        "morning": [3, 2, 1, 0],
        "evening": [0, 1, 2, 3],
    }


def test_new_releases_are_what_came_lately_the_newest_first() -> None:
    ages = np.array([3.0, 46.0, np.nan, 0.0, 20.0, 45.0, -2.0])
    (found,) = NewReleases().shelves(titles(7, age_days=ages))
    assert found.titles.tolist() == [3, 0, 4, 5]
    assert found.added is not None
    assert found.added[0] == 1.0


def known(spark: SparkSession, *signals: dict[str, Any], **more: Any) -> Known:
    told = rows(spark, TITLE_SIGNALS, *({"profile_id": "p"} | signal for signal in signals))
    liked = spark.createDataFrame(
        [("p", title) for title in ("heat", "up", "old")], "profile_id string, title_id string"
    )
    return Known(UNTIL, told, liked, **more)


def ago(days: int) -> date:
    return UNTIL - timedelta(days=days)


def told(frame: DataFrame | None) -> list[tuple[Any, ...]]:
    assert frame is not None
    return sorted(tuple(row) for row in frame.collect())


def test_my_list_is_what_was_put_on_it_and_not_taken_off(spark: SparkSession) -> None:
    given = known(
        spark,
        {"title_id": "heat", "signal_date": ago(9), "added_to_list": 1},
        {"title_id": "up", "signal_date": ago(9), "added_to_list": 1},
        {"title_id": "up", "signal_date": ago(3), "removed_from_list": 1},
    )
    assert told(kind("my_list").own(given)) == [("p", "heat", 0.0)]


def test_what_is_watched_again_was_seen_to_its_end_liked_and_not_lately(
    spark: SparkSession,
) -> None:
    given = known(
        spark,
        {"title_id": "heat", "signal_date": ago(30), "plays": 1, "finished": 1},
        {"title_id": "up", "signal_date": ago(30), "plays": 1, "finished": 1},
        {"title_id": "up", "signal_date": ago(2), "plays": 1},
        {"title_id": "old", "signal_date": ago(30), "plays": 1},
        {"title_id": "bad", "signal_date": ago(30), "plays": 1, "finished": 1},
    )
    assert told(kind("watch_again").own(given)) == [("p", "heat", 0.0)]


def test_rows_go_out_from_what_was_liked_last(spark: SparkSession) -> None:
    similar = rows(
        spark,
        SIMILAR_TITLES,
        {"title_id": "heat", "similar_id": "ronin", "score": 0.5},
        {"title_id": "up", "similar_id": "coco", "score": 0.25},
        {"title_id": "bad", "similar_id": "worse", "score": 0.9},
    )
    given = known(
        spark,
        {"title_id": "heat", "signal_date": ago(9), "plays": 1},
        {"title_id": "up", "signal_date": ago(1), "plays": 1},
        {"title_id": "bad", "signal_date": ago(1), "plays": 1},
        # Liked, and nothing is like it.
        {"title_id": "old", "signal_date": ago(1), "plays": 1},
        similar=similar,
    )
    expected = spark.createDataFrame(
        [("p", "ronin", 1.0, "heat", "heat"), ("p", "coco", 0.5, "up", "up")],
        "profile_id string, title_id string, added double, key string, anchor string",
    )
    found = kind("because_you_watched").own(given)
    assert found is not None
    same(found, expected)


def test_what_people_of_the_same_taste_watch_counts_by_how_many_do(spark: SparkSession) -> None:
    day, both = (
        UNTIL - timedelta(days=1),
        [{"cluster_id": "a", "share": 0.75}, {"cluster_id": "b", "share": 0.25}],
    )
    members = rows(
        spark, CLUSTER_MEMBERS,
        {"profile_id": "p", "as_of": day, "shares": both},
        # Of a day before.
        {"profile_id": "p", "as_of": day - timedelta(days=1), "shares": [{"cluster_id": "old", "share": 1.0}]},
    )  # fmt: skip
    liked = rows(
        spark, CLUSTER_TITLES,
        {"cluster_id": "a", "as_of": day, "title_id": "heat", "score": 0.4},
        {"cluster_id": "b", "as_of": day, "title_id": "up", "score": 0.6},
        {"cluster_id": "old", "as_of": day - timedelta(days=1), "title_id": "jaws", "score": 0.9},
    )  # fmt: skip
    found = kind("people_like_you").own(known(spark, clusters=newest(members, liked)))
    assert told(found) == [("p", "heat", 0.0), ("p", "up", pytest.approx(0.5 * log(0.5)))]
    assert newest(members.limit(0), liked) is None


def test_a_kind_says_what_it_misses(spark: SparkSession) -> None:
    given = known(spark)
    assert kind("because_you_watched").missing(given) == ["similar"]
    assert kind("continue_watching").missing(given) == ["begun"]
    assert kind("people_like_you").missing(given) == ["clusters"]
    assert kind("my_list").missing(given) == []
