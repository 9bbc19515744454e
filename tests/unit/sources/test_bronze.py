"""Landed lines become bronze rows, each beside all that speaks against it."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.sources.bronze import bronze_rows, landed_by, payload
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.source import Source
from cinelake.sources.titles import TITLES_SOURCE
from cinelake.tables.ingest import BRONZE_RATINGS

GOOD = {
    "event_id": "e1",
    "schema_version": 1,
    "event_time": "2020-05-01T23:59:58Z",
    "received_at": "2020-05-02T00:00:01Z",
    "profile_id": "p1",
    "title_id": "t1",
    "rating": 4.5,
}


def line(**changes: Any) -> str:
    """A good rating with some fields changed; `...` takes a field out."""
    return json.dumps({k: v for k, v in (GOOD | changes).items() if v is not ...})


def landed(spark: SparkSession, *lines: str) -> DataFrame:
    rows = [(text, "ratings/date=2020-05-02/hour=00/a.jsonl", None) for text in lines]
    frame = spark.createDataFrame(rows, "value string, file string, line bigint")
    return frame.withColumn("landed_by", landed_by(F.col("file")))


def judged(spark: SparkSession, *lines: str, source: Source = RATINGS_SOURCE) -> list[Any]:
    return bronze_rows(landed(spark, *lines), source).collect()


def test_a_good_record_has_no_reasons_and_keeps_everything_it_held(spark: SparkSession) -> None:
    rows = bronze_rows(landed(spark, line(mood="wistful")), RATINGS_SOURCE)
    [row] = rows.withColumn("record", F.to_json("record")).collect()
    assert row.event_id == "e1"
    assert row.schema_version == 1
    assert row.event_time == datetime(2020, 5, 1, 23, 59, 58)
    assert row.event_date == date(2020, 5, 1)
    assert row.clock_ahead_ms is None
    assert json.loads(row.record) == GOOD | {"mood": "wistful"}
    assert (row._reasons, row._raw, row._origin) == ([], None, None)


def test_the_columns_and_types_are_those_of_the_contract(spark: SparkSession) -> None:
    rows = bronze_rows(landed(spark, line()), RATINGS_SOURCE)
    wanted = [(f.name, f.dataType.simpleString()) for f in BRONZE_RATINGS.schema]
    extra = [
        ("_reasons", "array<string>"),
        ("_raw", "string"),
        ("_origin", "struct<file:string,line:bigint>"),
    ]
    assert rows.dtypes == wanted + extra


@pytest.fixture(scope="module")
def verdicts(spark: SparkSession) -> dict[str, Any]:
    """All lines of `BROKEN` and `UNUSUAL`, and rejections without a reason, in one frame: rows by line."""
    lines = [*(text for text, _ in BROKEN.values()), *UNUSUAL, *map(rejection, UNREASONED)]
    frame = landed(spark, *lines)
    # A good row does not hold its line.
    rows = bronze_rows(frame, RATINGS_SOURCE).collect()
    return dict(zip(lines, rows, strict=True))


BROKEN: dict[str, tuple[str, list[str]]] = {
    "half a record": ('{"event_id": "e1"', ["unreadable_json"]),
    "a field given twice": ('{"event_id": "e1", "event_id": "e2"}', ["unreadable_json"]),
    "a list": ("[1, 2]", ["not_an_object"]),
    "a bare number": ("7", ["not_an_object"]),
    "no id": (line(event_id=...), ["event_id_is_missing"]),
    "a null for a required field": (line(profile_id=None), ["profile_id_is_missing"]),
    "a blank id": (line(event_id=" "), ["event_id_is_blank"]),
    "a blank title": (line(title_id=""), ["title_id_is_not_blank"]),
    "a number for an id": (line(title_id=296), ["title_id_has_wrong_type"]),
    "a number in quotes": (line(rating="4.0"), ["rating_has_wrong_type"]),
    "a full-width number": (line(rating="４.０"), ["rating_has_wrong_type"]),
    "a truth value": (line(rating=True), ["rating_has_wrong_type"]),
    "an object": (line(rating={"stars": 4}), ["rating_has_wrong_type"]),
    "off the scale": (line(rating=5.5), ["rating_in_range"]),
    "zero stars": (line(rating=0), ["rating_in_range"]),
    "infinitely many stars": (line().replace("4.5", "1e999"), ["rating_in_range"]),
    "a version from the future": (line(schema_version=2), ["unknown_schema_version"]),
    "version 0": (line(schema_version=0), ["unknown_schema_version"]),
    "a version beyond 32 bits": (line(schema_version=2**40), ["schema_version_has_wrong_type"]),
    "a time of day only": (line(event_time="T10:00:00Z"), ["event_time_has_wrong_type"]),
    "a time without zone": (line(event_time="2020-05-01T10:00:00"), ["event_time_has_wrong_type"]),
    "a 13th month": (line(event_time="2020-13-01T10:00:00Z"), ["event_time_has_wrong_type"]),
    "epoch seconds": (line(event_time=1588291200), ["event_time_has_wrong_type"]),
    "before 1970": (line(event_time="1969-12-31T23:59:59Z"), ["event_time_is_absurd"]),
    "from 2031": (line(event_time="2031-01-01T00:00:00Z"), ["event_time_after_receipt"]),
    "several things at once": (
        line(rating=9, profile_id=..., event_time="yesterday"),
        ["event_time_has_wrong_type", "profile_id_is_missing", "rating_in_range"],
    ),
}


UNUSUAL = [
    line(rating=4),
    line(rating=0.5),
    line(event_time="2020-05-01T10:00:00.123456+02:00"),
    line(event_time="1970-01-01T00:00:00Z"),
    line(event_time="2020-05-02T00:00:01Z"),
    line(nested={"unknown": [1, {"x": None}]}),
    "  " + line() + " ",
    line(rejected=None),
]
UNREASONED: list[Any] = [{}, {"reasons": []}, {"reasons": [None]}, "no", 1]


def rejection(said: Any) -> str:
    return line(rejected=said)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_record_is_kept_beside_all_its_reasons(
    verdicts: dict[str, Any], case: str
) -> None:
    text, reasons = BROKEN[case]
    assert (verdicts[text]._raw, verdicts[text]._reasons) == (text, reasons)


def test_a_field_that_nobody_declared_changes_no_verdict(spark: SparkSession) -> None:
    """Records of the usual shape are told by it; all others field by field."""
    told = [text for text, _ in BROKEN.values()] + [line(), line(rating=4), line(rating=None)]
    with_more = [text[:-1] + ', "zzz": 1}' if text.endswith("}") else text for text in told]
    columns = ("event_id", "schema_version", "event_time", "received_at", "clock_ahead_ms")
    plain, more = (
        [tuple(row[name] for name in (*columns, "_reasons")) for row in judged(spark, *lines)]
        for lines in (told, with_more)
    )
    assert plain == more


@pytest.mark.parametrize("text", UNUSUAL)
def test_an_unusual_but_good_record_passes(verdicts: dict[str, Any], text: str) -> None:
    assert (verdicts[text]._raw, verdicts[text]._reasons) == (None, [])


def test_lines_of_white_space_are_no_records(spark: SparkSession) -> None:
    assert len(judged(spark, "", "   ", "\t\r", line())) == 1


def test_bytes_that_are_not_utf8_are_turned_away_and_shown_readably(spark: SparkSession) -> None:
    text = line(note="café").encode("utf-8").replace(rb"\u00e9", b"\xe9")
    rows = spark.createDataFrame(
        [(bytearray(text), "f", None)], "value binary, file string, line bigint"
    )
    as_read = rows.selectExpr(
        "CAST(value AS STRING) AS value", "file", "line", "CAST(NULL AS TIMESTAMP) AS landed_by"
    )
    [row] = bronze_rows(as_read, RATINGS_SOURCE).collect()
    assert row._reasons == ["not_utf8"]
    assert "caf\ufffd" in row._raw


def test_a_clock_that_is_ahead_is_corrected_from_the_receipt_and_recorded(
    spark: SparkSession,
) -> None:
    [row] = judged(spark, line(event_time="2020-05-02T02:00:01.500Z"))
    assert row.event_time == row.received_at == datetime(2020, 5, 2, 0, 0, 1)
    assert row.event_date == date(2020, 5, 2)
    assert row.clock_ahead_ms == 7_200_500
    assert row._reasons == []


def test_a_clock_may_be_ahead_by_a_day_and_no_more(spark: SparkSession) -> None:
    at_most, beyond = judged(
        spark,
        line(event_time="2020-05-03T00:00:01Z"),
        line(event_time="2020-05-03T00:00:02Z"),
    )
    assert at_most._reasons == []
    assert beyond._reasons == ["event_time_after_receipt"]


def test_a_record_may_land_late_and_not_a_day_before_it_was_received(spark: SparkSession) -> None:
    early, late = "2020-05-01T00:00:00Z", "2020-05-03T01:00:01Z"
    rows = judged(
        spark,
        line(received_at=early, event_time=early),
        # The hour ends at 01:00, and a day later is the last moment.
        line(received_at="2020-05-03T01:00:00Z"),
        line(received_at=late),
        line(received_at="2031-01-01T00:00:00Z"),
    )
    beyond = ["receipt_after_landing"]
    assert [row._reasons for row in rows] == [[], [], beyond, beyond]


@pytest.mark.parametrize(
    ("file", "by"),
    [
        ("ratings/date=2020-05-02/hour=00/a.jsonl", datetime(2020, 5, 2, 1)),
        ("ratings/date=2020-05-02/hour=23/a.jsonl.gz", datetime(2020, 5, 3)),
        ("ratings/date=2020-05-02/a.jsonl", None),
        ("ratings/date=2020-05-02/hour=24/a.jsonl", None),
        ("ratings/hour=00/a.jsonl", None),
        ("ratings/2020-05-02/00/a.jsonl", None),
        ("events.ratings/3", None),
    ],
)
def test_when_a_file_had_landed_is_told_by_its_folders(
    spark: SparkSession, file: str, by: datetime | None
) -> None:
    frame = spark.createDataFrame([(file,)], "file string")
    assert frame.select(landed_by(F.col("file"))).first() == (by,)


def test_what_the_deliverer_rejected_keeps_its_reasons_file_line_and_text(
    spark: SparkSession,
) -> None:
    envelope = {"event_id": "x", "schema_version": 1, "received_at": "2020-05-02T00:00:00Z"}
    said = {"reasons": ["not_a_number: rating", "unknown_title"], "file": "ratings.csv"}
    rejected = json.dumps(envelope | {"rejected": said | {"line": 17, "text": "1,2,x,3"}})
    [row] = judged(spark, rejected)
    assert row._reasons == ["not_a_number: rating", "unknown_title"]
    assert row._raw == "1,2,x,3"
    assert row._origin.asDict() == {"file": "ratings.csv", "line": 17}


@pytest.mark.parametrize("text", [rejection(said) for said in UNREASONED])
def test_a_rejection_without_a_reason_is_still_a_rejection(
    verdicts: dict[str, Any], text: str
) -> None:
    row = verdicts[text]
    assert row._reasons == ["rejected_by_deliverer"]
    assert row._raw == text
    assert row._origin.file.endswith("a.jsonl")
    assert row._origin.line is None


def test_lists_hold_what_they_say(spark: SparkSession) -> None:
    title = {k: GOOD[k] for k in ("event_id", "schema_version", "event_time", "received_at")}
    title |= {"title_id": "t1", "name": "Alien", "release_year": 1979}
    lists: list[Any] = [
        ["Horror"],
        [],
        None,
        ["Horror", 1],
        [1],
        [None],
        "Horror",
        ["Horror", None],
    ]
    rows = judged(
        spark, *(json.dumps(title | {"genres": genres}) for genres in lists), source=TITLES_SOURCE
    )
    wrong = ["genres_has_wrong_type"]
    assert [row._reasons for row in rows] == [[], [], [], wrong, wrong, wrong, wrong, wrong]


def test_the_payload_comes_back_typed(spark: SparkSession) -> None:
    rows = bronze_rows(landed(spark, line()), RATINGS_SOURCE).drop("_reasons", "_raw", "_origin")
    [row] = payload(rows, RATINGS_SOURCE).select("event_id", *RATINGS_SOURCE.names).collect()
    assert tuple(row) == ("e1", "p1", "t1", 4.5)


def test_each_line_becomes_a_variant_once(spark: SparkSession) -> None:
    rows = bronze_rows(landed(spark, line()), RATINGS_SOURCE)
    plan = rows._jdf.queryExecution().optimizedPlan().toString()
    assert plan.count("parseJson") == 1
