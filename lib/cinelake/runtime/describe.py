"""What `cinelake tables` shows: the map of the lake, and one table's contract as a page.

Everything here is made from contracts and from what the caller passes in; nothing is read and nothing printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table as Grid
from rich.text import Text

from cinelake.tables.contract import FrameCheck, Layer, NotNullShare, Partition, RowCount, Table

_LAYER_STYLE = {
    Layer.BRONZE: "yellow",
    Layer.SILVER: "bright_white",
    Layer.GOLD: "bright_yellow",
    Layer.SYSTEM: "cyan",
}


def table_list(tables: Iterable[Table]) -> RenderableType:
    """All tables, by layer and area, a line each."""
    order = list(Layer)
    grid = Grid(box=None, header_style="bold", pad_edge=False)
    for heading in ("layer", "area", "table", "a row per", "key", "window", "kept", "personal"):
        grid.add_column(heading, overflow="fold", no_wrap=heading in ("layer", "area", "table"))
    for table in sorted(tables, key=lambda t: (order.index(t.layer), t.area, t.name)):
        grid.add_row(
            Text(table.layer, style=_LAYER_STYLE[table.layer]),
            table.area,
            Text(table.name, style="bold"),
            Text(_row_per(table)),
            Text(_key(table)),
            table.window or "–",
            _kept(table),
            Text(", ".join(table.personal) or "–"),
        )
    return grid


def table_page(
    table: Table, *, ddl: str, written_by: Sequence[str] = (), read_by: Sequence[str] = ()
) -> RenderableType:
    """Everything that `table` promises; `ddl` is the statement that makes it, the rest are names of jobs."""
    parts: list[RenderableType] = [
        Text.assemble(
            (table.name, "bold"), "  ", (table.layer, _LAYER_STYLE[table.layer]), f" · {table.area}"
        ),
        Text(table.grain),
        Text(),
        _facts(table, written_by, read_by),
        Text(),
        _columns(table),
    ]
    if rules := _rules(table):
        parts += [Text(), _checks(rules)]
    parts += [Text(), Syntax(ddl, "sql", background_color="default", word_wrap=True)]
    return Group(*parts)


def as_markdown(
    table: Table, *, ddl: str, written_by: Sequence[str] = (), read_by: Sequence[str] = ()
) -> str:
    """The same page as Markdown, for a wiki or a pull request."""
    lines = [f"## {table.name}", "", f"{table.grain} Layer {table.layer}, area {table.area}.", ""]
    lines += [f"- {name}: {value}" for name, value in _fact_pairs(table, written_by, read_by)]
    lines += [
        "",
        "| column | type | required | personal | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in _column_rows(table)]
    if rules := _rules(table):
        lines += ["", "| check | holds when |", "| --- | --- |"]
        lines += [f"| {_cell(name)} | {_cell(f'`{rule}`')} |" for name, rule in rules]
    lines += ["", "```sql", ddl, "```", ""]
    return "\n".join(lines)


def _row_per(table: Table) -> str:
    first_sentence = re.split(r"[.:;](?:\s|$)", table.grain)[0]
    return re.sub(r"^one (row per )?", "", first_sentence, flags=re.IGNORECASE)


def _key(table: Table) -> str:
    return ", ".join(table.key) + ("" if table.unique_key else " (may repeat)")


def _kept(table: Table) -> str:
    return "for ever" if table.retention_days is None else f"{table.retention_days} days"


def _layout(table: Table) -> str:
    if table.partition is not None:
        return f"partitioned by {'month' if table.partition is Partition.MONTH else 'day'} of {table.window}"
    return f"clustered by {', '.join(table.cluster)}" if table.cluster else "as written"


def _fact_pairs(
    table: Table, written_by: Sequence[str], read_by: Sequence[str]
) -> list[tuple[str, str]]:
    growing = ", only ever added to" if table.growing else ""
    return [
        ("key", _key(table)),
        ("window", table.window or "none"),
        ("layout", _layout(table)),
        ("kept", _kept(table)),
        ("kind", f"{table.kind}{growing}"),
        ("written by", ", ".join(written_by) or "no job"),
        ("read by", ", ".join(read_by) or "no job"),
    ]


def _facts(table: Table, written_by: Sequence[str], read_by: Sequence[str]) -> Grid:
    grid = Grid.grid(padding=(0, 2))
    for name, value in _fact_pairs(table, written_by, read_by):
        grid.add_row(Text(name, style="dim"), Text(value))
    return grid


def _column_rows(table: Table) -> list[tuple[str, str, str, str, str]]:
    return [
        (c.name, c.type.simpleString(), "yes" if c.required else "", c.personal or "", c.comment)
        for c in table.columns
    ]


def _columns(table: Table) -> Grid:
    grid = Grid(box=None, header_style="bold", pad_edge=False)
    for heading in ("column", "type", "required", "personal", "meaning"):
        grid.add_column(heading, overflow="fold", no_wrap=heading == "column")
    for row in _column_rows(table):
        grid.add_row(*(Text(value) for value in row))
    return grid


def _rules(table: Table) -> list[tuple[str, str]]:
    found = [(check.name, check.sql) for check in table.checks]
    found += [(check.name, _frame_rule(check)) for check in table.frame_checks]
    return found


def _frame_rule(check: FrameCheck) -> str:
    match check:
        case RowCount(low=low, high=high):
            bounds = [
                f"at least {low:,}" if low is not None else "",
                f"at most {high:,}" if high is not None else "",
            ]
            return f"each write brings {' and '.join(bound for bound in bounds if bound)} rows"
        case NotNullShare(columns=(column, *_), at_least=share):
            return f"{column} is there in at least {share:.0%} of the rows of each write"
        case _:
            raise TypeError(
                f"frame check {check.name!r} of type {type(check).__name__} has no description"
            )


def _checks(rules: list[tuple[str, str]]) -> Grid:
    grid = Grid(box=None, header_style="bold", pad_edge=False)
    grid.add_column("check", no_wrap=True)
    grid.add_column("holds when", overflow="fold")
    for name, rule in rules:
        grid.add_row(Text(name), Text(rule))
    return grid


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
