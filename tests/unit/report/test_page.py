"""The page stands alone, shows what it is given and nothing as markup."""

from __future__ import annotations

import re

from matplotlib.figure import Figure

from cinelake.report.page import Cards, Cell, Grid, Picture, Points, Section, as_html


def drawn() -> Figure:
    figure = Figure()
    figure.subplots().plot([1, 2, 3])
    return figure


def test_nothing_is_fetched_and_the_same_page_is_the_same_text() -> None:
    def page() -> str:
        return as_html("T", "L", [Section("A part", "About it.", [Picture(drawn(), "Three.")])])

    assert "<svg" in page()
    assert not re.search(r"<(?:script|link|img|iframe)\b|url\((?!#)|@import", page())
    # Of addresses there are only the names of XML's dialects, and of the vocabulary of its metadata.
    fetched = re.findall(r'(?:src|(?<!xlink:)href)="([^"#][^"]*)"', page())
    assert fetched == []
    assert page() == page()


def test_every_section_is_linked_to() -> None:
    page = as_html("T", "L", [Section("Watching & seasons", "", []), Section("Tables", "", [])])
    assert re.findall(r'<a href="#([^"]+)"', page) == ["watching-seasons", "tables"]
    assert re.findall(r'<section id="([^"]+)"', page) == ["watching-seasons", "tables"]


def test_what_is_shown_is_text_and_no_markup() -> None:
    parts = [
        Cards([("<b>1</b>", "a & b")]),
        Grid(["<h>"], [["<i>x</i>"]], "c <d>"),
        Points(["one", "<u>two</u>"]),
    ]
    page = as_html("<t>", "<l>", [Section("<s>", "<e>", parts)])
    for tag in ("<b>1", "<h>", "<i>x", "<d>", "<u>", "<t>", "<l>", "<s>", "<e>"):
        assert tag not in page
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert "<li>one</li><li>&lt;u&gt;two&lt;/u&gt;</li>" in page


def test_numbers_stand_to_the_right_with_marks_and_nothing_is_empty() -> None:
    html = Grid(
        ["n", "x", "what"], [[1234567, 0.5, Cell("bad", "bad")], [None, 12.34, "2026-01-05"]]
    ).html()
    cells = re.findall(r'<td class="([^"]*)">([^<]*)</td>', html)
    assert cells == [
        ("number", "1,234,567"), ("number", "0.50"), ("bad", "bad"),
        ("number", ""), ("number", "12.3"), ("date", "2026-01-05"),
    ]  # fmt: skip
