"""The card of a version, made of what its training logged: what it is, how it was judged, what it is not for.

After Mitchell et al. 2019, "Model cards for model reporting". An area that has more to tell makes its own, and logs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from cinelake.runtime.tracking.versions import INPUT, PASSED, PROPOSAL, PROPOSAL_REASON
from cinelake.tables.contract import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cinelake.report.page import Part, Section


@dataclass
class Told:
    """What a run has told so far: of a metric the newest value, of figures those that can still be drawn."""

    tags: Mapping[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)


def card(model: Model, through: date, told: Told, tags: Mapping[str, str]) -> str:
    """The page, as HTML that stands alone; `tags` are the version's, with its gate's decision (`proposed`)."""
    # Pages draw with matplotlib, for which runs that register nothing would wait.
    from cinelake.report.page import as_html

    sections = [_what_it_is(through, told), *_gate(tags), *_how_good(told), *_limits(model)]
    return as_html(f"Model card: {model.area} / {model.name}", model.description, sections)


def _what_it_is(through: date, told: Told) -> Section:
    from cinelake.report.page import Cards, Grid, Section

    versions = [
        (f"table {name.removeprefix(INPUT)}", f"version {version}")
        for name, version in sorted(told.tags.items())
        if name.startswith(INPUT)
    ]
    code = [("code", told.tags["code_version"])] if "code_version" in told.tags else []
    parts: list[Part] = [Cards([(f"{through}", "is the newest day that it may have seen")])]
    if versions or code:
        parts.append(Grid(("made of", ""), [*code, *versions]))
    if told.settings:
        parts.append(Grid(("setting", "value"), list(told.settings.items())))
    return Section("What it is", "How it was made, so that it can be made again.", parts)


def _gate(tags: Mapping[str, str]) -> list[Section]:
    from cinelake.report.page import Cell, Grid, Section

    if PROPOSAL not in tags:
        return []
    passed = tags[PROPOSAL] == PASSED
    verdict = Cell("passed", "good") if passed else Cell("not passed", "bad")
    first, *others = tags[PROPOSAL_REASON].split("; ")
    rows: list[tuple[str | Cell, str]] = [(verdict, first), *(("", other) for other in others)]
    lead = "Whether it may be used, and what was decided by."
    return [Section("The gate", lead, [Grid(("gate", "why"), rows)])]


def _how_good(told: Told) -> list[Section]:
    from cinelake.report.page import Grid, Picture, Section

    parts: list[Part] = [
        Picture(figure, name.rpartition("/")[2].rpartition(".")[0].replace("_", " "))
        for name, figure in told.figures.items()
    ]
    if told.metrics:
        rows = [(name, _number(value)) for name, value in sorted(told.metrics.items())]
        parts.append(Grid(("metric", "value"), rows))
    lead = "What the training measured, on days or rows that what was measured had not seen."
    return [Section("How good it is", lead, parts)] if parts else []


def _limits(model: Model) -> list[Section]:
    from cinelake.report.page import Points, Section

    parts = [Points(points) for points in (model.not_for, model.weak) if points]
    lead = "What it is not for, and where it is weak."
    return [Section("Limits", lead, parts)] if parts else []


def _number(value: float) -> str:
    # Four digits: a difference of a thousandth may be what a gate has decided by.
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
