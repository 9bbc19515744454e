"""What stands in a list on a terminal: a table of many columns takes a wider one than people have."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

INDENT = 4


def so_many(count: int, of: str) -> str:
    """A count with its noun, which takes an s unless it is one."""
    return f"{count:,} {of}{'' if count == 1 else 's'}"


def paragraph(name: str, heading: str, *lines: str) -> RenderableType:
    """The name in bold, what is said beside it, and further lines below, indented."""
    below = (Padding(Text(line), (0, 0, 0, INDENT)) for line in lines)
    return Group(Text.assemble((name, "bold"), heading), *below)
