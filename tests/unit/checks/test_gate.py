"""Great Expectations' verdict on a frame, and what a failure tells."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import re
from datetime import date
from typing import Any

import pytest
from great_expectations.data_context import EphemeralDataContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, DoubleType, StringType

from cinelake.checks import gate
from cinelake.checks import tally as counting
from cinelake.checks.gate import Audit, AuditFailed
from cinelake.checks.rules import reasons
from cinelake.tables.contract import (
    Column,
    Layer,
    Table,
    between,
    matches,
    not_null_share,
    one_of,
    row_count,
    satisfies,
)

PLAYS = Table(
    name="plays",
    area="behaviour",
    layer=Layer.SILVER,
    grain="One row per play.",
    key=("account_id", "play_id"),
    window="day",
    columns=(
        Column("account_id", StringType(), "who plays", required=True, personal="account id"),
        Column("play_id", StringType(), "identifies the play of an account", required=True),
        Column("day", DateType(), "day of the play", required=True),
        Column("share", DoubleType(), "watched share of the title"),
        Column("device", StringType(), "kind of device"),
    ),
    checks=(
        between("share", 0, 1),
        one_of("device", "tv", "phone"),
        matches("play_id", "p[0-9]+"),
        satisfies("tv_is_watched", "device <> 'tv' OR share > 0.1", "device", "share"),
    ),
)
DAY = date(2026, 1, 1)
GOOD = ("anna", "p1", DAY, 0.5, "tv")


def plays(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    nullable = "account_id string, play_id string, day date, share double, device string"
    return spark.createDataFrame(rows, nullable)


def audit(table: Table, frame: DataFrame, hash_column: str | None = None) -> Audit:
    return gate.audit(table, frame, counting.tally(table, frame, hash_column))


def failed_rules(found: Audit) -> dict[str, int | None]:
    return {result.rule: result.unexpected_count for result in found.failed}


def test_good_rows_pass_with_one_result_per_rule(spark: SparkSession) -> None:
    found = audit(PLAYS, plays(spark, GOOD, ("anna", "p2", DAY, None, None)))
    assert found.passed
    assert [(r.rule, r.expectation, r.columns) for r in found.results] == [
        ("account_id_is_missing", "expect_column_values_to_not_be_null", ("account_id",)),
        ("play_id_is_missing", "expect_column_values_to_not_be_null", ("play_id",)),
        ("day_is_missing", "expect_column_values_to_not_be_null", ("day",)),
        ("share_in_range", "expect_column_values_to_be_between", ("share",)),
        ("device_is_known", "expect_column_values_to_be_in_set", ("device",)),
        ("play_id_is_well_formed", "expect_column_values_to_match_regex", ("play_id",)),
        ("tv_is_watched", "expect_rows_to_satisfy", ("device", "share")),
        ("key_is_unique", "expect_compound_columns_to_be_unique", ("account_id", "play_id")),
    ]


def test_no_rows_pass(spark: SparkSession) -> None:
    assert audit(PLAYS, plays(spark, GOOD).limit(0)).passed


def test_no_groups_break_no_rule() -> None:
    assert counting.broken(PLAYS, []) == dict.fromkeys(PLAYS.rules, 0)


def test_each_breach_is_found_by_its_own_expectation_and_no_other(spark: SparkSession) -> None:
    """Each row breaks one rule, so that a rule that took another's breach would count two."""
    breaches = [
        (None, "p2", DAY, 0.5, "tv"),
        ("anna", "p2", None, 0.5, "tv"),
        ("anna", "p3", DAY, 1.01, "tv"),
        ("anna", "p4", DAY, 0.5, "radio"),
        ("anna", "p5\n", DAY, 0.5, "tv"),
        ("anna", "p6", DAY, 0.05, "tv"),
        ("anna", "p1", DAY, 0.9, "phone"),
    ]
    assert failed_rules(audit(PLAYS, plays(spark, GOOD, *breaches))) == dict.fromkeys(
        [
            "account_id_is_missing",
            "day_is_missing",
            "share_in_range",
            "device_is_known",
            "play_id_is_well_formed",
            "tv_is_watched",
            "key_is_unique",
        ],
        1,
    )


def test_a_failure_tells_table_rule_count_and_keys_with_personal_parts_hashed(
    spark: SparkSession,
) -> None:
    found = audit(PLAYS, plays(spark, GOOD, ("bert", "p7", DAY, 2.0, None)))
    hashed = hashlib.sha256(b"bert").hexdigest()[:12]
    assert str(AuditFailed(found)) == (
        "table 'plays': 1 of 8 expectations failed, nothing was published\n"
        f"  - share_in_range: 1 of 2 rows break `share >= 0 AND share <= 1`, "
        f"for example account_id=sha256:{hashed} play_id=p7"
    )
    assert "bert" not in found.to_json()


def test_at_most_five_keys_are_fetched(spark: SparkSession) -> None:
    rows = [("anna", f"p{number}", DAY, 2.0, None) for number in range(7)]
    (failure,) = audit(PLAYS, plays(spark, *rows)).failed
    assert failure.unexpected_count == 7
    assert len(failure.sample_keys) == 5


def test_a_repeated_key_shows_each_key_once(spark: SparkSession) -> None:
    rows = [GOOD, GOOD, GOOD, ("anna", "p2", DAY, None, None)]
    (failure,) = audit(PLAYS, plays(spark, *rows)).failed
    assert failure.observed == "2 of 4 rows repeat the key (account_id, play_id)"
    assert [key.split()[1] for key in failure.sample_keys] == ["play_id=p1"]


def test_equal_hashes_of_different_keys_are_no_repetition(spark: SparkSession) -> None:
    frame = plays(spark, GOOD, ("anna", "p2", DAY, 0.5, "tv")).withColumn(
        "h", F.lit(7).cast("bigint")
    )
    assert audit(PLAYS, frame, hash_column="h").passed


def test_a_given_hash_finds_repeated_keys(spark: SparkSession) -> None:
    frame = plays(spark, GOOD, GOOD).withColumn("h", F.xxhash64("account_id", "play_id"))
    assert failed_rules(audit(PLAYS, frame, hash_column="h")) == {"key_is_unique": 1}


def test_many_keys_are_counted_the_spilling_way(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "IN_MEMORY_KEYS", 1)
    assert failed_rules(audit(PLAYS, plays(spark, GOOD, GOOD))) == {"key_is_unique": 1}
    assert audit(PLAYS, plays(spark, GOOD, ("bert", "p1", DAY, 0.5, "tv"))).passed


def test_a_key_of_one_column_is_held_to_be_unique_too(spark: SparkSession) -> None:
    found = audit(
        dataclasses.replace(PLAYS, key=("play_id",)), plays(spark, GOOD, ("bert", *GOOD[1:]))
    )
    assert [str(result) for result in found.failed] == [
        "key_is_unique: 1 of 2 rows repeat the key (play_id), for example play_id=p1"
    ]
    assert found.failed[0].expectation == "expect_column_values_to_be_unique"


def test_a_table_whose_key_may_repeat_is_not_asked_for_uniqueness(spark: SparkSession) -> None:
    assert audit(dataclasses.replace(PLAYS, unique_key=False), plays(spark, GOOD, GOOD)).passed


def test_checks_of_the_whole_frame(spark: SparkSession) -> None:
    table = dataclasses.replace(
        PLAYS, checks=(), frame_checks=(row_count(low=3), not_null_share("device", 0.6))
    )
    frame = plays(spark, GOOD, ("anna", "p2", DAY, None, None))
    assert [str(result) for result in audit(table, frame).failed] == [
        "row_count_in_range: 2 rows",
        "device_is_mostly_there: 1 of 2 rows have none",
    ]
    assert audit(
        table, plays(spark, GOOD, *((f"{n}", "p2", DAY, None, "tv") for n in (1, 2)))
    ).passed


def test_the_stored_validation_depends_on_the_rows_alone(spark: SparkSession) -> None:
    first, second = (audit(PLAYS, plays(spark, GOOD)).to_json() for _ in range(2))
    assert first == second
    assert json.loads(first)["statistics"]["evaluated_expectations"] == 8


def test_results_can_be_stored_as_rows(spark: SparkSession) -> None:
    result = audit(PLAYS, plays(spark, GOOD)).results[3]
    assert dataclasses.asdict(result) == {
        "rule": "share_in_range",
        "expectation": "expect_column_values_to_be_between",
        "columns": ("share",),
        "success": True,
        "observed": "0 of 1 rows break `share >= 0 AND share <= 1`",
        "unexpected_count": 0,
        "kwargs": '{"column": "share", "max_value": 1.0, "min_value": 0.0}',
        "sample_keys": (),
    }


def test_audits_leave_nothing_behind(
    spark: SparkSession, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    frame = plays(spark, GOOD, GOOD)
    cached = len(spark.sparkContext._jsc.getPersistentRDDs())
    for _ in range(2):
        audit(PLAYS, frame)
    gc.collect()
    contexts = [thing for thing in gc.get_objects() if type(thing) is EphemeralDataContext]
    # The library keeps a handle on the newest one.
    assert len(contexts) <= 1
    assert len(spark.sparkContext._jsc.getPersistentRDDs()) == cached
    assert not [view for view in spark.catalog.listTables() if view.isTemporary]
    assert not caplog.records
    # Spark's own progress line apart, nothing is printed.
    assert "Calculating Metrics" not in "".join(capfd.readouterr())


def test_the_audit_costs_two_queries_however_many_rules(spark: SparkSession) -> None:
    many = dataclasses.replace(
        PLAYS,
        checks=(
            *PLAYS.checks,
            *(satisfies(f"rule_{n}", f"share < {n + 1}", "share") for n in range(9)),
        ),
    )
    frame = plays(spark, GOOD, ("anna", "p2", DAY, 0.5, "tv"))
    assert _queries(spark, PLAYS, frame) == _queries(spark, many, frame) == 2


def _queries(spark: SparkSession, table: Table, frame: DataFrame) -> int:
    before = _newest_execution(spark)
    assert audit(table, frame).passed
    # The one more is the query that tells the newest.
    return _newest_execution(spark) - before - 1


def _newest_execution(spark: SparkSession) -> int:
    """The number of a query made now; the status store keeps the newest thousand only, and cannot be counted."""
    spark.range(1).collect()
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
    store = spark._jsparkSession.sharedState().statusStore()
    kept = store.executionsList()
    return max(int(kept.apply(place).executionId()) for place in range(kept.size()))


# ---- reasons, the rules themselves and Great Expectations agree about every row

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["anna", "bert", None]),
        st.sampled_from(["p1", "p23", "p", "x1", "p1\n", "", None]),
        st.sampled_from([DAY, None]),
        st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.0000001, -0.5, float("nan"), None]),
        st.sampled_from(["tv", "phone", "radio", "TV", None]),
    ),
    min_size=300,
    max_size=400,
)


def broken(row: tuple[Any, ...]) -> list[str]:
    account, play, day, share, device = row
    rules = {
        "account_id_is_missing": account is None,
        "play_id_is_missing": play is None,
        "day_is_missing": day is None,
        "share_in_range": share is not None and not 0 <= share <= 1,
        "device_is_known": device is not None and device not in ("tv", "phone"),
        "play_id_is_well_formed": play is not None and not re.fullmatch("p[0-9]+", play),
        # In Spark's order NaN is above every number.
        "tv_is_watched": device == "tv" and share is not None and share <= 0.1,
    }
    return [rule for rule, is_broken in rules.items() if is_broken]


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_reasons_and_great_expectations_agree_with_the_rules(
    spark: SparkSession, rows: list[tuple[Any, ...]]
) -> None:
    table = dataclasses.replace(PLAYS, unique_key=False)
    frame = plays(spark, *rows).coalesce(1)
    verdicts = frame.select("*", reasons(table).alias("reasons")).coalesce(1).collect()
    assert [row["reasons"] for row in verdicts] == [broken(row) for row in rows]

    counts = {rule: sum(rule in broken(row) for row in rows) for rule in table.rules}
    found = audit(table, frame)
    assert {result.rule: result.unexpected_count for result in found.results} == counts
    assert found.passed == (not any(counts.values()))
    good = [row for row in rows if not broken(row)]
    assert not good or audit(table, plays(spark, *good)).passed
