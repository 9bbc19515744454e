"""A source states what a good record is, for those who write records and for ingestion alike."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyspark.sql.types import IntegerType, MapType, StringType

from cinelake import sources
from cinelake.sources.catalog import all_sources
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.source import Source
from cinelake.tables.contract import Column, ContractError, one_of, satisfies

SOURCES = tuple(all_sources().values())
SCHEMAS = Path(sources.__path__[0]) / "schemas"
RATING = {
    "event_id": "e1",
    "schema_version": 1,
    "event_time": "2020-05-01T23:59:58Z",
    "received_at": "2020-05-02T00:00:01Z",
    "profile_id": "p1",
    "title_id": "t1",
    "rating": 4.5,
}
REJECTED = {
    "event_id": "e1",
    "schema_version": 1,
    "received_at": "2020-05-02T00:00:01Z",
    "rejected": {"reasons": ["unknown_title"], "file": "a.csv", "line": 7, "text": "1,2"},
}


def complaints(source: Source, record: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(source.json_schema())
    return [error.json_path for error in validator.iter_errors(record)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_stored_schema_is_what_the_source_emits(source: Source) -> None:
    stored = (SCHEMAS / f"{source.name}.json").read_text("utf-8")
    emitted = json.dumps(source.json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert stored == emitted, (
        f"lib/cinelake/sources/schemas/{source.name}.json is not what the source emits; "
        "write json.dumps(source.json_schema(), indent=2, ensure_ascii=False) and a line end into it"
    )


def test_a_source_stands_in_the_file_of_its_name() -> None:
    assert len(SOURCES) == 13
    for source in SOURCES:
        module = import_module(f"{sources.__name__}.{source.name}")
        assert getattr(module, f"{source.name.upper()}_SOURCE") is source


def test_titles_of_the_first_version_are_good_still() -> None:
    film = {k: RATING[k] for k in ("event_id", "schema_version", "event_time", "received_at")}
    film |= {"title_id": "862", "name": "Toy Story", "release_year": 1995, "genres": ["Comedy"]}
    assert complaints(all_sources()["titles"], film) == []


def test_no_schema_is_stored_without_a_source() -> None:
    assert {path.stem for path in SCHEMAS.iterdir()} == {source.name for source in SOURCES}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_schema_is_itself_well_formed(source: Source) -> None:
    jsonschema.Draft202012Validator.check_schema(source.json_schema())


def test_the_schema_accepts_good_records_and_what_the_deliverer_rejected() -> None:
    assert complaints(RATINGS_SOURCE, RATING | {"unknown": [1]}) == []
    assert complaints(RATINGS_SOURCE, REJECTED) == []


@pytest.mark.parametrize(
    "change",
    [
        {"rating": "4.5"},
        {"rating": 5.5},
        {"profile_id": 7},
        {"event_id": ""},
        {"schema_version": 2},
        {"event_time": "2020-05-01 23:59:58"},
        {"event_time": None},
    ],
)
def test_the_schema_refuses_what_ingestion_turns_away(change: dict[str, Any]) -> None:
    assert complaints(RATINGS_SOURCE, RATING | change) != []


def test_the_schema_names_what_is_personal() -> None:
    properties = RATINGS_SOURCE.json_schema()["properties"]
    assert properties["profile_id"]["x-personal"] == "profile id"
    assert "x-personal" not in properties["title_id"]


def test_an_optional_column_of_known_values_may_be_null() -> None:
    source = Source(
        "plans",
        "A plan is chosen",
        (Column("plan", StringType(), "The plan"),),
        checks=(one_of("plan", "basic", "family"),),
    )
    assert source.json_schema()["properties"]["plan"]["enum"] == ["basic", "family", None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": ()}, "no columns"),
        ({"description": ""}, "no description"),
        ({"schema_version": 0}, "versions count from 1"),
        ({"name": "Ratings"}, "not a lower-case identifier"),
        ({"columns": (Column("event_id", StringType(), "x"),)}, "belongs to the envelope"),
        ({"columns": (Column("rejected", StringType(), "x"),)}, "belongs to the envelope"),
        ({"columns": (Column("stars", IntegerType(), ""),)}, "no comment"),
        (
            {"columns": (Column("m", MapType(StringType(), StringType()), "x"),)},
            r"'m' is map<string,string>; a payload holds",
        ),
        ({"columns": (Column("a", StringType(), "x"),) * 2}, "'a' is declared twice"),
        ({"checks": (satisfies("c", "b > 1", "b"),)}, "names the unknown column 'b'"),
        ({"checks": (satisfies("c", "1 > 1"),)}, "names no columns"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "name": "plans",
        "description": "A plan is chosen",
        "columns": (Column("plan", StringType(), "The plan"),),
    }
    with pytest.raises(ContractError, match=message):
        Source(**(good | change))
