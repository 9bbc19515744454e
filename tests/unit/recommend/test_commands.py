"""What people see who ask for a profile's list, or for how good the model is."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest
import typer
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console, RenderableType
from typer.testing import CliRunner, Result
from unit.tables.rows import rows

from cinelake.behaviour.identity import LENGTH
from cinelake.recommend.asked import called, near_ids, near_names, newest_list, why_none
from cinelake.recommend.commands import board, register
from cinelake.recommend.eligibility import Limits
from cinelake.recommend.popular_here import Popularity
from cinelake.recommend.service import TOLD, Records, Service
from cinelake.recommend.terminal import alike, side_by_side
from cinelake.runtime.tracking.versions import ModelRun, ModelVersion
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDATIONS

TODAY = date(2026, 3, 2)
ANN, BOB = "a" * LENGTH, "b" * LENGTH
SINCE = {"effective_date": date(2026, 1, 1), "effective_from": datetime(2026, 1, 1)}
KID = SINCE | {
    "profile_id": ANN, "account_id": "a", "kind": "kid", "status": "active", "maturity_limit": 16,
}  # fmt: skip
# A kid in Germany, where one of two films is on offer until the fifth of March.
GERMAN: Mapping[Table, Sequence[dict[str, Any]]] = {
    PROFILES: [KID],
    ACCOUNTS: [SINCE | {"account_id": "a", "market": "DE"}],
    TITLES: [SINCE | {"title_id": title, "maturity": 0} for title in ("heat", "up")],
    AVAILABILITY: [
        SINCE
        | {
            "title_id": title,
            "market": "DE",
            "available_from": datetime(2026, 1, 1),
            "available_until": until,
        }
        for title, until in (("heat", None), ("up", datetime(2026, 3, 5)))
    ],
}
LISTS = (
    "as_of date, profile_id string, rank int, title_id string, source string, model_version int, "
    "because array<struct<title_id: string, contribution: double>>, shared array<array<string>>, "
    "score double, by_others double, for_everybody double"
)


def _service(
    spark: SparkSession, told: Mapping[Table, Sequence[dict[str, Any]]] = MappingProxyType({})
) -> Callable[[date], Service]:
    records = Records(*(rows(spark, table, *told.get(table, ())) for table in TOLD))
    return lambda until: records.describe(until, Limits(), Popularity())


def _text(shown: RenderableType) -> str:
    page = io.StringIO()
    Console(width=110, file=page).print(shown)
    return page.getvalue()


def _listed(place: int, name: str | None, source: str = "history") -> dict[str, object]:
    return {
        "place": place,
        "title_id": str(place),
        "name": name,
        "release_year": 1995,
        "note": source,
        "as_of": TODAY,
        "model_version": 3,
        "because": ["Ronin", "Up"] if source == "history" else [],
        # Lists of old do not tell of it.
        "shared": [["genre Crime", "theme heist"], []]
        if source == "history" and place == 1
        else None,
        "contributions": [0.5, 0.25] if source == "history" else None,
        "score": 0.8,
        "by_others": -0.15 if source == "history" and place == 1 else None,
        "for_everybody": 0.2 if source == "history" and place == 1 else None,
    }


def test_recent_titles_and_the_list_stand_side_by_side_newest_and_best_first() -> None:
    recent = [
        {
            "place": datetime(2026, 3, day, tzinfo=UTC),
            "title_id": "9",
            "name": name,
            "release_year": None,
            "note": "5.0",
        }
        for day, name in [(1, "Older"), (2, "[REC]")]
    ]

    page = _text(side_by_side("42", recent, [_listed(1, "Heat"), _listed(2, None)]))
    lines = page.splitlines()

    rows = [line for line in lines if "│" in line]
    assert "[REC]" in rows[0]
    assert "Heat (1995)" in rows[0]
    # What is added up stands beside it, as far as the list tells of it.
    told = " ".join(row.split("│")[-2].strip() for row in rows)
    assert told == (
        "Ronin 0.50 (genre Crime, theme heist); Up 0.25; others -0.15; everybody 0.20; = 0.80 "
        "Ronin 0.50; Up 0.25"
    )
    assert "Older" in page
    assert "title 2" in page
    assert lines[-1] == "From version 3, as of 2026-03-02."


def test_a_list_of_popular_titles_and_a_missing_list_explain_themselves() -> None:
    popular = _text(side_by_side("42", [], [_listed(1, "Heat", "popular")]))

    assert "no approved model has a title for this profile" in popular
    assert "because of" not in popular
    listed = [_listed(1, "Heat"), _listed(2, "Up", "popular")]
    assert "From version 3, as of 2026-03-02; from place 2 on popular titles" in _text(
        side_by_side("42", [], listed)
    )
    assert "No list: it is new." in _text(side_by_side("42", [], [], "it is new"))


def test_only_the_newest_list_is_shown(spark: SparkSession) -> None:
    recommendations = spark.createDataFrame(
        [
            (date(2026, 3, 1), "42", 1, "old", "history", 1, [], [], 1.0, 0.0, 0.0),
            (
                TODAY,
                "42",
                1,
                "heat",
                "history",
                2,
                [("ronin", 0.5), ("up", 0.25)],
                [["genre Crime"], []],
                0.9,
                -0.1,
                0.25,
            ),
            (TODAY, "42", 2, "up", "history", 2, [], [], 1.0, 0.0, 0.0),
            (TODAY, "43", 1, "jaws", "history", 2, [], [], 1.0, 0.0, 0.0),
        ],
        LISTS,
    )
    expected = spark.createDataFrame(
        [
            (
                *(1, "heat", "history", TODAY, 2, ["ronin", "up"], [["genre Crime"], []]),
                *([0.5, 0.25], 0.9, -0.1, 0.25),
            ),
        ],
        "place int, title_id string, note string, as_of date, model_version int, because array<string>, "
        "shared array<array<string>>, contributions array<double>, score double, by_others double, "
        "for_everybody double",
    )

    listed = newest_list(recommendations, "42", 1, _service(spark), None)

    assert_df_equality(listed, expected, ignore_nullable=True)


def test_what_may_no_longer_be_shown_is_on_no_list(spark: SparkSession) -> None:
    recommendations = spark.createDataFrame(
        [
            (TODAY, "42", rank, title, "history", 2, [], [], 1.0, 0.0, 0.0)
            for rank, title in enumerate(("heat", "up"), 1)
        ],
        LISTS,
    )
    told = {"effective_date": TODAY, "effective_from": datetime(2026, 3, 2)}
    profile = {"profile_id": "42", "account_id": "a", "kind": "kid", "status": "active"}
    service = _service(
        spark,
        {
            PROFILES: [profile | told | {"maturity_limit": 7}],
            ACCOUNTS: [told | {"account_id": "a", "market": "DE"}],
            TITLES: [
                told | {"title_id": "heat", "maturity": 16},
                told | {"title_id": "up", "maturity": 0},
            ],
            AVAILABILITY: [
                told | {"title_id": t, "market": "DE", "available_from": datetime(2026, 1, 1)}
                for t in ("heat", "up")
            ],
        },
    )

    listed = newest_list(recommendations, "42", 5, service, None)

    assert [(row.place, row.title_id) for row in listed.collect()] == [(2, "up")]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (None, ["heat", "up"]),
        # Data may end before a list that was made for an earlier day's end.
        (date(2026, 3, 1), ["heat", "up"]),
        (date(2026, 3, 4), ["heat", "up"]),
        (date(2026, 3, 5), ["heat"]),
    ],
)
def test_an_offer_that_has_ended_since_the_list_was_made_is_not_shown(
    spark: SparkSession, now: date | None, expected: list[str]
) -> None:
    recommendations = spark.createDataFrame(
        [
            (TODAY, ANN, n, title, "history", 2, [], [], 1.0, 0.0, 0.0)
            for n, title in enumerate(("heat", "up"), 1)
        ],
        LISTS,
    )

    listed = newest_list(recommendations, ANN, 5, _service(spark, GERMAN), now)

    assert [row.title_id for row in listed.collect()] == expected


def test_an_unknown_profile_is_met_with_the_nearest_ids(spark: SparkSession) -> None:
    ratings = spark.createDataFrame([("421",), ("42",), ("7",), ("42",)], "profile_id string")

    assert [row.profile_id for row in near_ids(ratings, "43", 2).collect()] == ["42", "421"]


class Lake:
    """Tables as they are told of; all others are empty."""

    def __init__(self, spark: SparkSession, told: Mapping[Table, Sequence[dict[str, Any]]]) -> None:
        self.spark, self.told = spark, told

    def read(self, table: Table) -> DataFrame:
        return rows(self.spark, table, *self.told.get(table, ()))


def _asked(
    spark: SparkSession, told: Mapping[Table, Sequence[dict[str, Any]]], *words: str
) -> Result:
    """What a command says on a lake with data through the tenth of March."""
    books = SimpleNamespace(received_through=datetime(2026, 3, 10, 7, tzinfo=UTC))
    workspace = SimpleNamespace(
        lake=Lake(spark, told),
        ledger=SimpleNamespace(books=lambda: books),
        settings=SimpleNamespace(jobs={}, shared={}),
    )
    app = typer.Typer()
    register(app, lambda: cast(Any, workspace))
    return CliRunner().invoke(app, [*words], env={"COLUMNS": "300", "TERM": "dumb"})


def _said(result: Result) -> str:
    """Without the frame of an error, and its breaks of lines."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


WATCHED = {
    "profile_id": ANN, "title_id": "heat", "signal_date": TODAY, "plays": 1, "rating": 5.0,
    "rated_at": datetime(2026, 3, 2, 20),
}  # fmt: skip
LISTED = {
    "as_of": TODAY, "profile_id": ANN, "rank": 1, "title_id": "up", "score": 0.5, "source": "popular",
}  # fmt: skip


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {ACCOUNTS: [SINCE | {"account_id": "a", "market": "FR"}]},
            "no title is on offer in 'FR' that is known to be meant for ages up to 12; `cinelake tables availability`",
        ),
        ({ACCOUNTS: []}, "nobody has told its market"),
        ({PROFILES: [KID | {"maturity_limit": None}]}, "nobody has told up to which age it is shown titles"),
        ({PROFILES: [KID | {"status": "deleted"}]}, "it is no active profile"),
        ({PROFILES: []}, "nobody has told in which market profiles are"),
        ({}, "either `cinelake run` has not made the day's lists yet, or the profile has seen every title"),
    ],
)  # fmt: skip
def test_there_is_a_reason_for_no_list(
    spark: SparkSession, told: Mapping[Table, Sequence[dict[str, Any]]], expected: str
) -> None:
    service = _service(spark, {**GERMAN, **told})(date(2026, 3, 10))

    assert why_none(rows(spark, RECOMMENDATIONS), ANN, service).startswith(expected)


def test_a_profile_without_a_list_is_told_why(spark: SparkSession) -> None:
    # Its list had nothing but what has ended since.
    lake = {**GERMAN, TITLE_SIGNALS: [WATCHED], RECOMMENDATIONS: [LISTED]}

    asked = _asked(spark, lake, "recommend", ANN)

    assert asked.exit_code == 0, asked.output
    assert "No list: of its newest list nothing may be shown to it any more" in _said(asked)


@pytest.mark.parametrize(
    ("told", "words", "expected"),
    [
        ({}, ["recommend"], "nobody has watched or rated anything yet; run `cinelake run` first"),
        (
            {TITLE_SIGNALS: [WATCHED]},
            ["recommend", BOB],
            f"no profile '{BOB}' has a list, or has watched or rated anything; the nearest are {ANN}",
        ),
        ({}, ["recommend", BOB], "has watched or rated anything; nobody has done anything"),
        ({}, ["popular", "DE"], "nobody has watched anything yet; run `cinelake run` first"),
        (
            {TITLE_SIGNALS: [WATCHED]},
            ["popular", "FR", "--kind", "kid"],
            "no title is on offer in 'FR' to a profile of kind 'kid' and that age; `cinelake tables availability`",
        ),
    ],
)  # fmt: skip
def test_who_asks_for_what_is_not_there_is_told_what_to_do(
    spark: SparkSession,
    told: Mapping[Table, Sequence[dict[str, Any]]],
    words: Sequence[str],
    expected: str,
) -> None:
    asked = _asked(spark, {**GERMAN, **told}, *words)

    assert asked.exit_code == 2
    assert expected in _said(asked)


def test_a_leaderboard_without_a_model_says_so_and_is_no_error() -> None:
    app = typer.Typer()
    workspace = SimpleNamespace(tracking=SimpleNamespace(versions=lambda _: []))
    register(app, lambda: cast(Any, workspace))

    asked = CliRunner().invoke(app, ["leaderboard"])

    assert asked.exit_code == 0
    assert "No model has been trained yet" in asked.output


def test_the_leaderboard_shows_model_and_baseline_with_intervals_and_the_reason() -> None:
    version = ModelVersion(
        "cinelake.recommend.recommender",
        3,
        "",
        TODAY,
        "r",
        {"gate": "passed", "gate.reason": "it beats popularity"},
    )
    metrics = {
        "challenger.ndcg_at_10": 0.25,
        "challenger.ndcg_at_10.low": 0.2,
        "challenger.ndcg_at_10.high": 0.3,
        "challenger.ndcg_at_5": 0.5,
        "ease.ndcg_at_10": 0.24,
        "popular.ndcg_at_10": 0.125,
        "popular.coverage_at_10": 0.01,
        "popular.gini_at_10": 0.99,
    }

    shown = _text(board(ModelRun(version, metrics, {}), version))

    assert "version 3, trained through 2026-03-02" in shown
    assert "challenger: 0.2500 [0.2000, 0.3000]" in shown
    assert re.search(r"@10 +challenger +ease +popular", shown)
    assert re.search(r"nDCG +0\.2500 +0\.2400 +0\.1250", shown)
    assert re.search(r"Gini +0\.9900", shown)
    assert "recall" not in shown
    assert "champion" not in shown
    assert "gate: passed: it beats popularity" in shown


def _version(number: int, gate: str, reason: str) -> ModelVersion:
    tags = {"gate": gate, "gate.reason": reason}
    return ModelVersion("cinelake.recommend.recommender", number, "", TODAY, "r", tags)


@pytest.mark.parametrize(
    ("champion", "expected"),
    [
        (
            _version(2, "passed", "it beats popularity"),
            "champion: version 2, trained through 2026-03-02; gate: passed: it beats popularity",
        ),
        (None, "champion: none yet"),
    ],
)  # fmt: skip
def test_the_leaderboard_of_a_version_that_failed_says_why_the_champion_is_one(
    champion: ModelVersion | None, expected: str
) -> None:
    newest = _version(3, "failed", "it is below the champion")
    tracking = SimpleNamespace(
        versions=lambda _: [newest, *([champion] if champion else [])],
        at_alias=lambda _, alias: champion if alias == "champion" else newest,
        report=lambda version: ModelRun(version, {"challenger.ndcg_at_10": 0.25}, {}),
    )
    app = typer.Typer()
    register(app, lambda: cast(Any, SimpleNamespace(tracking=tracking)))

    asked = CliRunner().invoke(app, ["leaderboard"], env={"COLUMNS": "200"})

    assert asked.exit_code == 0, asked.output
    assert "recommender version 3, trained through 2026-03-02" in asked.output
    assert "gate: failed: it is below the champion" in asked.output
    assert expected in asked.output


def test_titles_are_found_by_name_in_any_case_and_near_ones_are_offered(
    spark: SparkSession,
) -> None:
    named = spark.createDataFrame(
        [("t1", "Heat", 1995), ("t2", "HEAT", 1986), ("t3", "The Heat", 2013), ("t4", "Up", 2009)],
        "title_id string, name string, release_year int",
    )
    assert [row.title_id for row in called(named, " heat").collect()] == ["t2", "t1"]
    assert [row.title_id for row in called(named, "t4").collect()] == ["t4"]
    assert [row.name for row in near_names(named, "The Haet", 1).collect()] == ["The Heat"]


def test_similar_titles_stand_with_their_reasons() -> None:
    one = {"title_id": "t1", "name": "Heat", "release_year": 1995}
    reasons = {
        "place": 1, "score": 0.5, "by_factors": 0.75, "by_watching": 0.25, "by_content": 0.5,
        "shared": ["genre Crime", "cast Al Pacino"], "as_of": TODAY,
    }  # fmt: skip
    shown = _text(alike(one, [{"title_id": "t3", "name": "Ronin", "release_year": 1998} | reasons]))
    assert "Heat (1995), as of 2026-03-02" in shown
    assert "Ronin (1998)" in shown
    assert "0.750" in shown
    assert "genre Crime, cast Al Pacino" in shown
    assert "has no list yet" in _text(alike(one, []))
