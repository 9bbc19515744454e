"""How tables are shown to people."""

from __future__ import annotations

from io import StringIO

from pyspark.sql.types import ArrayType, DateType, DoubleType, StringType
from rich.console import Console, RenderableType

from cinelake.runtime.describe import as_markdown, table_list, table_page
from cinelake.tables.contract import (
    Column,
    Kind,
    Layer,
    Partition,
    Table,
    between,
    not_null_share,
    row_count,
    satisfies,
)

PLAYS = Table(
    name="plays",
    area="behaviour",
    layer=Layer.SILVER,
    grain="One row per play.",
    key=("account_id", "day"),
    window="day",
    partition=Partition.MONTH,
    retention_days=90,
    columns=(
        Column("account_id", StringType(), "who plays", required=True, personal="account id"),
        Column("day", DateType(), "day of the play", required=True),
        Column("share", DoubleType(), "watched | total"),
        Column("tags", ArrayType(StringType()), "marks [bold]"),
    ),
    checks=(between("share", 0, 1), satisfies("odd", "share <> 0 OR share IS NULL", "share")),
    frame_checks=(row_count(1, 2000), not_null_share("share", 0.9)),
)
TITLES = Table(
    name="titles",
    area="behaviour",
    layer=Layer.BRONZE,
    kind=Kind.SYSTEM,
    grain="One row per title as received: nothing is dropped.",
    key=("title",),
    unique_key=False,
    cluster=("title",),
    columns=(Column("title", StringType(), "name of the title", required=True),),
)
DDL = "CREATE TABLE plays (account_id STRING NOT NULL)"


def shown(renderable: RenderableType, width: int = 160) -> list[str]:
    console = Console(width=width, file=StringIO(), record=True)
    console.print(renderable)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_the_overview_goes_from_bronze_to_gold_with_a_line_each() -> None:
    assert [" ".join(line.split()) for line in shown(table_list([PLAYS, TITLES]))] == [
        "layer area table a row per key window kept personal",
        "bronze behaviour titles title as received title (may repeat) – for ever –",
        "silver behaviour plays play account_id, day day 90 days account_id",
    ]


def test_the_overview_keeps_whole_table_names_on_a_narrow_terminal() -> None:
    lines = shown(table_list([PLAYS, TITLES]), width=70)
    assert any(" titles " in line for line in lines)
    assert all(len(line) <= 70 for line in lines)


def test_the_page_of_a_table_tells_everything_it_promises() -> None:
    lines = shown(
        table_page(PLAYS, ddl=DDL, written_by=["clean_plays"], read_by=["rank", "report"])
    )
    text = "\n".join(lines)
    facts = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in lines[3:10]}
    assert facts == {
        "key": "account_id, day",
        "window": "day",
        "layout": "partitioned by month of day",
        "kept": "90 days",
        "kind": "managed",
        "written by": "clean_plays",
        "read by": "rank, report",
    }
    assert "array<string>" in text
    # What looks like markup in a comment is shown as it was written.
    assert "marks [bold]" in text
    assert "share >= 0 AND share <= 1" in text
    assert "each write brings at least 1 and at most 2,000 rows" in text
    assert "share is there in at least 90% of the rows of each write" in text
    assert DDL in text


def test_a_table_nobody_writes_or_checks_says_so() -> None:
    lines = shown(table_page(TITLES, ddl=DDL))
    assert "written by  no job" in lines
    assert "layout      clustered by title" in lines
    assert not any("holds when" in line for line in lines)


def test_the_markdown_page_is_the_same_page() -> None:
    text = as_markdown(PLAYS, ddl=DDL, written_by=["clean_plays"])
    lines = text.splitlines()
    assert lines[0] == "## plays"
    assert "- layout: partitioned by month of day" in lines
    assert "| account_id | string | yes | account id | who plays |" in lines
    assert "| share | double |  |  | watched \\| total |" in lines
    assert "| odd | `share <> 0 OR share IS NULL` |" in lines
    assert text.endswith(f"```sql\n{DDL}\n```\n")
