"""The report shows pages as rows of tiles, and what the ranker learned of genres."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any, cast

from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.report import home_pages, home_scores, sections
from cinelake.report.page import Cell, Grid, Picture, Shelves
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import TITLES
from cinelake.tables.contract import Model, Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import HOME_PAGES, HOME_SCORES


def tile(
    profile: str, row: int, position: int, title: str, device: str = "tv", part: str = "evening"
) -> dict[str, Any]:
    return {
        "profile_id": profile, "device_class": device, "daypart": part, "row": row, "position": position,
        "title_id": title, "name": title.upper(), "row_text": f"Row {row}",
    }  # fmt: skip


def test_pages_are_rows_of_tiles_in_their_order() -> None:
    tiles = [
        tile("ann", 0, 0, "b"), tile("ann", 0, 1, "a"), tile("ann", 1, 0, "c"),
        tile("ann", 0, 0, "d", "phone"), tile("bob", 0, 0, "e"), tile("ann", 0, 0, "x", "tv", "night"),
        tile("ann", 0, 0, "f", "tv", "morning"),
    ]  # fmt: skip
    section = home_pages(tiles, ["ann", "bob"], {"b": "Drama"}, None, {})
    assert section.parts == [
        Shelves("Profile ann, tv, evening", [("Row 0", [("B", "Drama"), ("A", "")]), ("Row 1", [("C", "")])]),
        Shelves("Profile ann, tv, morning", [("Row 0", [("F", "")])]),
        Shelves("Profile ann, phone, evening", [("Row 0", [("D", "")])]),
        Shelves("Profile bob, tv, evening", [("Row 0", [("E", "")])]),
    ]  # fmt: skip


def test_what_circumstances_do_to_genres_is_a_picture_where_it_was_learned() -> None:
    learned = Logit(
        0.0, {"taste": 1.0, "genre Horror @ month 10": 0.5, "kind film @ month 10": 1.0}
    )
    assert isinstance(home_pages([], ["ann"], {}, learned, {}).parts[-1], Picture)
    parts = home_pages([], ["ann"], {}, Logit(0.0, {"taste": 1.0}), {}).parts
    assert not any(isinstance(part, Picture) for part in parts)


def test_the_month_that_changes_a_page_most_is_shown_beside_it() -> None:
    def row(row: int, kind: str, *told: tuple[str, float, float | None]) -> list[dict[str, Any]]:
        return [
            tile("ann", row, position, title)
            | {"as_of": date(2026, 11, 30), "score": score, "propensity": drawn, "row_kind": kind}
            for position, (title, score, drawn) in enumerate(told)
        ]

    tiles = [
        *row(0, "continue_watching", ("it", 0.2, None), ("up", 0.1, None)),
        # What chance put there stays in its place.
        *row(1, "top_picks", ("heat", 0.3, None), ("any", 0.01, 0.5), ("jaws", 0.2, None), ("coco", 0.1, None)),
        # Not in the order of what titles are worth, so of something else, too.
        *row(2, "popular", ("alien", 0.1, None), ("ran", 0.2, None)),
    ]  # fmt: skip
    horror = {title: ["genre Horror"] for title in ("it", "jaws", "alien")}
    weights = {
        "genre Horror @ month 10": 2.0,
        "genre Horror @ month 12": -0.5,
        "genre Horror @ month 2": -0.4,
    }
    learned = Logit(0.0, weights | {"taste": 1.0})
    pages = [
        part
        for part in home_pages(tiles, ["ann"], {}, learned, horror).parts
        if isinstance(part, Shelves)
    ]
    assert [page.heading for page in pages] == [
        "Profile ann, tv, evening", "Profile ann, tv, morning", "Profile ann, phone, evening",
        "Profile ann, tv, evening, as in October",
    ]  # fmt: skip
    assert [[name for name, _ in titles] for _, titles in pages[-1].rows] == [
        ["IT", "UP"], ["JAWS", "ANY", "HEAT", "COCO"], ["ALIEN", "RAN"],
    ]  # fmt: skip
    # Where all months are alike there is nothing to show.
    alike = Logit(0.0, {"genre Horror @ month 10": -0.5, "genre Horror @ month 12": -0.5})
    parts = home_pages(tiles, ["ann"], {}, alike, horror).parts
    assert sum(isinstance(part, Shelves) for part in parts) == 3


def test_how_pages_fared_is_a_table_of_the_newest_day() -> None:
    def row(day: date, policy: str, mean: float, lead: float | None = None) -> dict[str, Any]:
        told = {
            "day": day,
            "policy": policy,
            "measure": "ndcg_all",
            "profiles": 9,
            "mean": mean,
            "low": 0.1,
            "high": 0.5,
        }
        off = (None, None) if lead is None else (lead - 0.01, lead + 0.01)
        return told | {"lead": lead, "lead_low": off[0], "lead_high": off[1]}

    newest, before = date(2026, 3, 16), date(2026, 3, 9)
    told = [
        row(newest, "popular", 0.2, 0.1), row(newest, "page", 0.3), row(newest, "list", 0.305, -0.005),
        row(newest, "without_circumstances", 0.32, -0.02), row(before, "page", 0.9),
    ]  # fmt: skip
    (table,) = home_scores(told).parts
    assert isinstance(table, Grid)
    assert table.rows == [
        ["ndcg_all", "without_circumstances", "0.320", "0.100 to 0.500", Cell("-0.020 (-0.030 to -0.010)", "bad"), 9],
        ["ndcg_all", "list", "0.305", "0.100 to 0.500", Cell("-0.005 (-0.015 to +0.005)"), 9],
        ["ndcg_all", "page", "0.300", "0.100 to 0.500", Cell(""), 9],
        ["ndcg_all", "popular", "0.200", "0.100 to 0.500", Cell("+0.100 (+0.090 to +0.110)", "good"), 9],
    ]  # fmt: skip


class Lake:
    def __init__(self, tables: dict[Table, DataFrame]) -> None:
        self.tables = tables

    def exists(self, table: Table) -> bool:
        return table in self.tables

    def read(self, table: Table) -> DataFrame:
        return self.tables[table]


class Tracking:
    """Two versions of the ranker, of which only the first is behind pages."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark

    def versions(self, model: Model) -> list[ModelVersion]:
        return [ModelVersion(model.name, number, "", date(2026, 3, 1), "run") for number in (2, 1)]

    def read_frame(self, version: ModelVersion, name: str) -> DataFrame:
        assert (version.version, name) == (1, "weights")
        return Logit(0.0, {"genre Horror @ month 10": 2.0}).frame(self.spark)


def test_what_is_shown_is_in_force_and_of_the_models_behind_it(spark: SparkSession) -> None:
    def shown(position: int, title: str, score: float, as_of: date) -> dict[str, Any]:
        return {
            "as_of": as_of, "profile_id": "ann", "device_class": "tv", "daypart": "evening", "position": position,
            "title_id": title, "row_kind": "top_picks", "row_text": "Top picks for you", "score": score,
            "ranker_version": 1,
        }  # fmt: skip

    newest, before = date(2026, 11, 30), date(2026, 11, 29)
    score = {
        "day": newest,
        "policy": "page",
        "measure": "ndcg_all",
        "profiles": 9,
        "mean": 0.3,
        "low": 0.2,
        "high": 0.4,
    }
    titles = [
        {"title_id": "heat", "name": "Heat", "genres": ["Crime"]},
        {"title_id": "jaws", "name": "Jaws", "genres": ["Horror"]},
    ]
    tables = {
        HOME_PAGES: rows(spark, HOME_PAGES, shown(0, "old", 0.9, before), shown(0, "heat", 0.2, newest),
                         shown(1, "jaws", 0.1, newest)),
        TITLE_SIGNALS: rows(spark, TITLE_SIGNALS, {"profile_id": "ann", "title_id": "up", "plays": 1}),
        TITLES: rows(spark, TITLES, *titles),
        HOME_SCORES: rows(spark, HOME_SCORES, score),
    }  # fmt: skip
    lake, tracking = Lake(tables), Tracking(spark)
    pages, scores = sections(cast(Workspace, SimpleNamespace(lake=lake, tracking=tracking)))
    first, *_, october, picture = pages.parts
    row = "Top picks for you"
    assert first == Shelves(
        "Profile ann, tv, evening", [(row, [("Heat", "Crime"), ("Jaws", "Horror")])]
    )
    assert october == Shelves(
        "Profile ann, tv, evening, as in October", [(row, [("Jaws", "Horror"), ("Heat", "Crime")])]
    )
    assert isinstance(picture, Picture)
    assert scores.title == "Home pages beside plainer ones"


def test_a_name_is_a_text_and_a_group_has_its_colour() -> None:
    html = Shelves("A <page>", [("Row", [("<b>", "Drama"), ("C", "Drama"), ("D", "Crime")])]).html()
    assert "A &lt;page&gt;" in html
    assert "&lt;b&gt;" in html
    colours = [part.split(")")[0] for part in html.split("hsl(")[1:]]
    assert colours[0] == colours[1] != colours[2]
