"""Data Docs made from stored validations."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql.types import DateType, DoubleType, StringType

from cinelake.checks.docs import Validation, build, newest
from cinelake.checks.docs_folder import DocsError
from cinelake.checks.gate import audit
from cinelake.checks.tally import tally
from cinelake.runtime.mendable import mendable
from cinelake.tables.contract import Column, Layer, Table, between, satisfies

PLAYS = Table(
    name="plays",
    area="behaviour",
    layer=Layer.SILVER,
    grain="One row per play.",
    key=("account_id",),
    window="day",
    columns=(
        Column("account_id", StringType(), "who plays", required=True, personal="account id"),
        Column("day", DateType(), "day of the play", required=True),
        Column("share", DoubleType(), "watched share of the title"),
    ),
    checks=(
        between("share", 0, 1),
        satisfies("odd_start", "share <> 0 OR day > DATE'2020-01-01'", "share", "day"),
    ),
)


@pytest.fixture(scope="module")
def history(spark: SparkSession) -> list[Validation]:
    """A run that failed and the one after it, which passed."""
    schema = "account_id string, day date, share double"
    bad = spark.createDataFrame([("anna", date(2026, 1, 1), 1.5)], schema)
    good = spark.createDataFrame([("anna", date(2026, 1, 1), 0.5)], schema)
    first, second = (audit(PLAYS, rows, tally(PLAYS, rows)).to_json() for rows in (bad, good))
    return [
        Validation("batch/7:1", "plays", datetime(2026, 1, 2, tzinfo=UTC), first),
        Validation("run-2", "plays", datetime(2026, 1, 3, tzinfo=UTC), second),
    ]


@pytest.fixture(scope="module")
def start(history: list[Validation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start page of what was built of them."""
    return build(history, tmp_path_factory.mktemp("built") / "docs")


def test_the_start_page_lists_validations_newest_first_and_its_links_lead_somewhere(
    start: Path,
) -> None:
    page = start.read_text("utf-8")
    assert page.index("run-2") < page.index("batch/7:1")
    links = [part.split('"')[0] for part in page.split('href="')[1:]]
    assert len(links) == 3
    assert all((start.parent / link).is_file() for link in links)


def test_a_validation_page_shows_rules_counts_and_hashed_keys(start: Path) -> None:
    (page,) = (
        path.read_text("utf-8")
        for path in (start.parent / "validations/plays/batch_7_1").rglob("*.html")
    )
    assert "odd_start" in page
    assert "100% of 1 total rows" in page
    assert "account_id=sha256:" in page
    assert "anna" not in page


def test_pages_need_nothing_from_the_internet(start: Path) -> None:
    for page in start.parent.rglob("*.html"):
        text = page.read_text("utf-8")
        assert "<script" not in text
        assert "src=" not in text
        assert "<link" not in text


def test_only_the_newest_validations_of_each_table_become_pages(spark: SparkSession) -> None:
    schema = "run_id string, target string, checked_at timestamp, result string"
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    kept = spark.createDataFrame(
        [
            ("a", "plays", days[0], "{}"),
            ("b", "plays", days[2], "{}"),
            ("c", "plays", days[1], "{}"),
            ("d", "titles", days[0], "{}"),
        ],
        schema,
    )
    assert_df_equality(
        newest(kept, per_table=2).drop("checked_at", "result"),
        spark.createDataFrame(
            [("b", "plays"), ("c", "plays"), ("d", "titles")], "run_id string, table string"
        ),
        ignore_row_order=True,
    )


def test_pages_are_built_over_earlier_pages_but_not_over_anything_else(
    history: list[Validation], tmp_path: Path
) -> None:
    build(history, tmp_path / "docs")
    build([], tmp_path / "docs")
    assert not (tmp_path / "docs" / "validations").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(DocsError, match="holds other files") as refused:
        build(history, tmp_path / "mine")
    assert isinstance(refused.value, mendable())
    assert (tmp_path / "mine" / "letter.txt").exists()


def test_what_people_wrote_is_escaped(history: list[Validation], tmp_path: Path) -> None:
    nasty = dataclasses.replace(history[1], run_id="<b>run</b>")
    assert "<b>run" not in build([nasty], tmp_path / "docs").read_text("utf-8")
