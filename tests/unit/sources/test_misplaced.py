"""Files of another source, or of a newer schema, are told by the fields and versions of what was rejected."""

from __future__ import annotations

import json

from pyspark.sql import Row, SparkSession

from cinelake.sources.catalog import all_sources
from cinelake.sources.misplaced import UNKNOWN_VERSION, told_by_file
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.titles import TITLES_SOURCE

ENVELOPE = {"event_id": "e", "schema_version": 1, "event_time": "", "received_at": ""}


def test_the_fields_of_a_record_say_which_source_it_is_of(spark: SparkSession) -> None:
    profile = {"account_id": "a", "profile_id": "p", "kind": "adult", "status": "active"}
    rows = [
        ("tags", {"profile_id": "p", "title_id": "t", "tag": "slow"}, ["rating_is_missing"]),
        # A second record of the same file, of yet another source, is outnumbered by two.
        ("tags", {"profile_id": "p", "title_id": "t", "tag": "odd"}, ["rating_is_missing"]),
        ("tags", profile, ["rating_is_missing", "title_id_is_missing"]),
        # It lacks what a rating needs, and is no better anything else.
        ("broken", {"profile_id": "p", "title_id": "t", "stars": 4}, ["rating_is_missing"]),
        # It would pass for a title, but more of its fields are a rating's.
        ("wrong", {"profile_id": "p", "title_id": "t", "rating": "4", "name": "x"}, ["…"]),
        ("newer", {"profile_id": "p", "title_id": "t", "rating": 4}, ["…", UNKNOWN_VERSION]),
    ]
    told = [(file, json.dumps(ENVELOPE | fields), reasons) for file, fields, reasons in rows]
    rejected = spark.createDataFrame(
        [*told, ("torn", "{ torn", ["unreadable_json"])],
        "file string, raw string, reasons array<string>",
    )
    assert sorted(
        told_by_file(rejected, RATINGS_SOURCE, all_sources().values())
        .select("file", "records", "unknown_version", "other", "of_other")
        .collect()
    ) == [
        Row("broken", 1, 0, None, 0),
        Row("newer", 1, 1, None, 0),
        Row("tags", 3, 0, "tags", 2),
        Row("torn", 1, 0, None, 0),
        Row("wrong", 1, 0, None, 0),
    ]


def test_all_sources_are_found() -> None:
    assert all_sources()["ratings"] is RATINGS_SOURCE
    assert all_sources()["titles"] is TITLES_SOURCE
