"""One page of HTML that stands alone: sections of pictures, tables and figures, with nothing to be fetched.

An area makes `Section`s in its `report.py`; what they look like is said here alone.
"""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from zlib import crc32

import matplotlib as mpl
from matplotlib.figure import Figure

INK, QUIET, WARM, COLD = "#1f2933", "#b8c4ce", "#d1495b", "#2e6f9e"
# One hue from light to dark for amounts; two hues around white for what is above and below the usual.
AMOUNTS, AROUND_ONE = "YlGnBu", "RdBu_r"

# A day, which is not to be broken at its hyphens.
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --soft: #f4f6f8; --line: #dde3e9; --dim: #5f6c7a; --warn: #a15c00;
  --bad: #b3261e; --good: #1a7f45; --accent: #2e6f9e; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
header, main { max-width: 70rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.2rem; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -.01em; }
h2 { margin: 0 0 .2rem; font-size: 1.3rem; }
header p, .lead { margin: 0 0 1rem; color: var(--dim); max-width: 48rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: .6rem 0; border-bottom: 1px solid var(--line); }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
section { padding: 1.8rem 0 .6rem; border-bottom: 1px solid var(--line); }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 0 0 1.2rem; }
.card { flex: 1 1 9rem; background: var(--soft); border-radius: 8px; padding: .7rem 1rem; }
.card b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--dim); font-size: .87rem; }
figure { margin: 0 0 1.4rem; } figure svg { max-width: 100%; height: auto; display: block; }
figcaption { color: var(--dim); font-size: .9rem; margin-top: .3rem; max-width: 52rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .32rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
td.date { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ul { margin: 0 0 1.2rem; padding-left: 1.2rem; max-width: 52rem; } li { margin-bottom: .35rem; }
h3 { margin: 1.2rem 0 .2rem; font-size: 1.05rem; } h4 { margin: .5rem 0 .2rem; font-size: .88rem; color: var(--dim); }
.shelf { display: flex; gap: .4rem; overflow-x: auto; padding-bottom: .3rem; }
.tile { flex: 0 0 7.2rem; height: 4.1rem; border-radius: 6px; padding: .35rem .5rem; color: #fff; font-size: .76rem;
  line-height: 1.2; overflow: hidden; }
td.warn { color: var(--warn); } td.bad { color: var(--bad); font-weight: 600; } td.good { color: var(--good); }
"""
_UNSAFE = re.compile(r"[^a-z0-9]+")


class Shown(ABC):
    """What stands on a page, and in a notebook."""

    @abstractmethod
    def html(self) -> str:
        """It, as HTML."""

    def _repr_html_(self) -> str:
        """What a notebook shows; its pages look like the report's."""
        return f"<style>{_STYLE}</style>{self.html()}"


@dataclass(frozen=True)
class Picture(Shown):
    """A figure of matplotlib, and what it shows in a sentence or two."""

    figure: Figure
    caption: str

    def html(self) -> str:
        """The figure as SVG."""
        text = io.StringIO()
        # A fixed salt and no date: the same figure gives the same text.
        with mpl.rc_context({"svg.hashsalt": "cinelake"}):
            self.figure.savefig(text, format="svg", metadata={"Date": None})
        # Without the XML head, which has no place inside HTML.
        svg = text.getvalue().partition("<svg")
        return f"<figure><svg{svg[2]}<figcaption>{escape(self.caption)}</figcaption></figure>"


@dataclass(frozen=True)
class Cell:
    """What stands in a table, and whether it is `good`, to `warn` of or `bad`."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Grid(Shown):
    """A table: headings, and rows of as many values. Numbers stand to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str | int | float | Cell | None]]
    caption: str = ""

    def html(self) -> str:
        """The table."""
        numeric = [
            any(isinstance(row[place], int | float) for row in self.rows)
            for place in range(len(self.headings))
        ]
        head = "".join(
            f'<th class="{"number" if is_number else ""}">{escape(name)}</th>'
            for name, is_number in zip(self.headings, numeric, strict=True)
        )
        body = "\n".join("<tr>" + "".join(map(_cell, row, numeric)) + "</tr>" for row in self.rows)
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        return (
            f'<figure><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n'
            f"</tbody></table></div>{caption}</figure>"
        )


@dataclass(frozen=True)
class Cards(Shown):
    """A few numbers that stand out, each with what it counts."""

    numbers: Sequence[tuple[str, str]]

    def html(self) -> str:
        """The cards in a line."""
        cards = "".join(
            f'<div class="card"><b>{escape(number)}</b><span>{escape(what)}</span></div>'
            for number, what in self.numbers
        )
        return f'<div class="cards">{cards}</div>'


@dataclass(frozen=True)
class Points(Shown):
    """Sentences, each a point of its own."""

    sentences: Sequence[str]

    def html(self) -> str:
        """The points as a list."""
        points = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences)
        return f"<ul>{points}</ul>"


@dataclass(frozen=True)
class Shelves(Shown):
    """Rows of tiles under a heading. A row has a text; a tile has a name, and a group that gives it its colour."""

    heading: str
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]

    def html(self) -> str:
        """Tiles as coloured boxes, as wide as there is room."""
        rows = "".join(
            f"<h4>{escape(text)}</h4>"
            f'<div class="shelf">{"".join(_tile(name, group) for name, group in tiles)}</div>'
            for text, tiles in self.rows
        )
        return f'<div class="shelves"><h3>{escape(self.heading)}</h3>{rows}</div>'


Part = Picture | Grid | Cards | Points | Shelves


@dataclass(frozen=True)
class Section(Shown):
    """A part of the report under its own heading."""

    title: str
    lead: str
    parts: Sequence[Part]

    @property
    def anchor(self) -> str:
        """What a link to it says."""
        return _UNSAFE.sub("-", self.title.lower()).strip("-")

    def html(self) -> str:
        """The heading, what it is about, and its parts."""
        parts = "\n".join(part.html() for part in self.parts)
        return (
            f'<section id="{self.anchor}"><h2>{escape(self.title)}</h2>'
            f'<p class="lead">{escape(self.lead)}</p>\n{parts}</section>'
        )


def verdict(*, passed: bool, reason: str) -> Grid:
    """What a gate said, and why: reasons that are told in one text, `;` between them, stand one below the other."""
    said = Cell("passed", "good") if passed else Cell("not passed", "bad")
    first, *others = reason.split("; ")
    return Grid(("gate", "why"), [(said, first), *(("", other) for other in others)])


def as_html(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page."""
    links = "".join(f'<a href="#{each.anchor}">{escape(each.title)}</a>' for each in sections)
    body = "\n".join(each.html() for each in sections)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head>
<body><header><h1>{escape(title)}</h1><p>{escape(lead)}</p><nav>{links}</nav></header>
<main>
{body}
</main></body></html>
"""


def _tile(name: str, group: str) -> str:
    # The same group has the same colour in every report.
    hue = crc32(group.encode()) % 360
    return f'<div class="tile" style="background: hsl({hue} 42% 36%)">{escape(name)}</div>'


def _cell(value: str | int | float | Cell | None, is_number: bool) -> str:
    cell = value if isinstance(value, Cell) else Cell(_shown(value))
    kind = "number" if is_number else "date" if _DATE.fullmatch(cell.text) else ""
    classes = " ".join(filter(None, [kind, cell.tone]))
    return f'<td class="{classes}">{escape(cell.text)}</td>'


def _shown(value: str | int | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else value
