"""Ratings: the earliest receipt counts, and only titles that the catalogue had can be rated."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.behaviour.bronze import bronze, keys, landed_line, moment, pseudonym

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.ratings import ratings
from cinelake.behaviour.tags import title_tags
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.tags import TAGS_SOURCE

DAY = timedelta(days=1)
# Pseudonym → the id that a test gave.
KNOWN = {pseudonym(IdKind.EVENT, event): event for event in ("e1", "e2", "early", "just", "never")}


def titles(spark: SparkSession, **known: str) -> DataFrame:
    """Title → from when it is known."""
    rows = [(title, moment(since)) for title, since in known.items()]
    return spark.createDataFrame(rows, "title_id string, effective_from timestamp")


def rated(event: str, at: str, received: str | None = None, **changes: Any) -> str:
    good = {"profile_id": "p1", "title_id": "t1", "rating": 4.0}
    return landed_line(event, at, received, **(good | changes))


def verdicts(frame: DataFrame) -> list[tuple[str, float, list[str]]]:
    return sorted((KNOWN[r.event_id], r.rating, r._reasons) for r in frame.collect())


def test_a_rating_is_typed_and_dated(spark: SparkSession) -> None:
    frame = ratings(
        bronze(spark, RATINGS_SOURCE, [rated("e1", "3 10:30")]),
        titles(spark, t1="1"),
        keys(spark),
        date(2020, 5, 3),
        date(2020, 5, 4),
    )
    [row] = frame.collect()
    assert row.asDict() == {
        "event_id": pseudonym(IdKind.EVENT, "e1"),
        "profile_id": pseudonym(IdKind.PROFILE, "p1"),
        "title_id": "t1",
        "rating": 4.0,
        "rated_at": datetime(2020, 5, 3, 10, 30),
        "rating_date": date(2020, 5, 3),
        "_reasons": [],
    }


def test_of_duplicates_the_earliest_receipt_counts(spark: SparkSession) -> None:
    lines = [
        rated("e1", "3 10:00", "3 12:00", rating=2.0),
        rated("e1", "3 10:00", "3 11:00", rating=1.0),
        rated("e1", "3 10:00", "3 12:00", rating=2.0),
        rated("e2", "3 10:00"),
    ]
    frame = ratings(
        bronze(spark, RATINGS_SOURCE, lines),
        titles(spark, t1="1"),
        keys(spark),
        date(2020, 5, 3),
        date(2020, 5, 4),
    )
    duplicate = ["duplicate"]
    assert verdicts(frame) == [
        ("e1", 1.0, []),
        ("e1", 2.0, duplicate),
        ("e1", 2.0, duplicate),
        ("e2", 4.0, []),
    ]


def test_a_duplicate_that_the_clock_moved_to_the_next_day_is_found(spark: SparkSession) -> None:
    # The client's clock says 4 May 01:00; received on 3 May it is dated 3 May, received again it is not.
    lines = [rated("e1", "4 01:00", "3 23:30"), rated("e1", "4 01:00", "4 09:00")]
    rows = bronze(spark, RATINGS_SOURCE, lines)
    third = ratings(rows, titles(spark, t1="1"), keys(spark), date(2020, 5, 3), date(2020, 5, 4))
    fourth = ratings(rows, titles(spark, t1="1"), keys(spark), date(2020, 5, 4), date(2020, 5, 5))
    assert verdicts(third) == [("e1", 4.0, [])]
    assert verdicts(fourth) == [("e1", 4.0, ["duplicate"])]


def test_a_title_must_be_known_when_it_is_rated(spark: SparkSession) -> None:
    lines = [
        rated("early", "3 09:59"),
        rated("just", "3 10:00"),
        rated("never", "3", title_id="t9"),
    ]
    frame = ratings(
        bronze(spark, RATINGS_SOURCE, lines),
        titles(spark, t1="3 10:00"),
        keys(spark),
        date(2020, 5, 3),
        date(2020, 5, 4),
    )
    unknown = ["unknown_title"]
    assert verdicts(frame) == [("early", 4.0, unknown), ("just", 4.0, []), ("never", 4.0, unknown)]


def test_tags_are_judged_like_ratings(spark: SparkSession) -> None:
    said = {"profile_id": "p1", "title_id": "t1", "tag": "wistful"}
    lines = [
        landed_line("e1", "3 10:00", **said),
        landed_line("e1", "3 10:00", "3 11:00", **said),
        landed_line("e2", "3 10:00", **(said | {"title_id": "t9"})),
    ]
    frame = title_tags(
        bronze(spark, TAGS_SOURCE, lines),
        titles(spark, t1="1"),
        keys(spark),
        date(2020, 5, 3),
        date(2020, 5, 4),
    )
    assert sorted(
        (KNOWN[r.event_id], r.tag, str(r.tag_date), r._reasons) for r in frame.collect()
    ) == [
        ("e1", "wistful", "2020-05-03", []),
        ("e1", "wistful", "2020-05-03", ["duplicate"]),
        ("e2", "wistful", "2020-05-03", ["unknown_title"]),
    ]


def random_lines(dice: random.Random) -> list[str]:
    """Few ids, so that they collide; clocks up to a day ahead; late receipts; whole lines twice."""
    lines = []
    for _ in range(150):
        at = moment(f"{dice.randint(2, 6)} {dice.randint(0, 23)}:00")
        received = at + timedelta(hours=dice.choice([-24, -3, 0, 1, 30]))
        lines.append(
            landed_line(
                f"e{dice.randint(1, 50)}",
                f"{at.day} {at.hour}:00",
                f"{received.day} {received.hour}:00",
                profile_id="p1",
                title_id=dice.choice(["t1", "t2"]),
                rating=dice.choice([1.0, 5.0]),
            )
        )
    return lines + dice.sample(lines, 5)


@pytest.mark.thorough
def test_one_window_or_daily_windows_in_any_order_of_arrival_give_the_same_rows(
    spark: SparkSession,
) -> None:
    dice = random.Random(11)
    lines = random_lines(dice)
    known = titles(spark, t1="1", t2="4 05:00")
    start, end = date(2020, 5, 1), date(2020, 5, 7)
    rows = bronze(spark, RATINGS_SOURCE, lines).cache()
    whole = sorted(map(str, ratings(rows, known, keys(spark), start, end).collect()))
    dice.shuffle(lines)
    shuffled = bronze(spark, RATINGS_SOURCE, lines).cache()
    daily = []
    for day in (start + n * DAY for n in range(6)):
        # As a job reads it: one day before, nothing after.
        read = shuffled.where(
            (shuffled.event_date >= day - DAY) & (shuffled.event_date < day + DAY)
        )
        daily += map(str, ratings(read, known, keys(spark), day, day + DAY).collect())
    assert sorted(daily) == whole
    assert len(whole) == len(lines)
    rows.unpersist()
    shuffled.unpersist()
