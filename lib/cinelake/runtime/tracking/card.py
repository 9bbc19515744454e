"""The card of a version, made of what its training logged: what it is, how it was judged, what it is not for.

After Mitchell et al. 2019, "Model cards for model reporting". An area that has more to tell makes its own, and logs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cinelake.report.page import Cards, Grid, Part, Picture, Points, Section, as_html, verdict
from cinelake.runtime.tracking.told import Told
from cinelake.runtime.tracking.versions import INPUT, PASSED, PROPOSAL, PROPOSAL_REASON
from cinelake.tables.contract import Model


def card(model: Model, through: date, told: Told, tags: Mapping[str, str]) -> str:
    """The page, as HTML that stands alone; `tags` are the version's, with its gate's decision (`proposed`)."""
    sections = [_what_it_is(through, told), *_gate(tags), *_how_good(told), *_limits(model)]
    return as_html(f"Model card: {model.area} / {model.name}", model.description, sections)


def _what_it_is(through: date, told: Told) -> Section:
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
    if PROPOSAL not in tags:
        return []
    lead = "Whether it may be used, and what was decided by."
    said = verdict(passed=tags[PROPOSAL] == PASSED, reason=tags[PROPOSAL_REASON])
    return [Section("The gate", lead, [said])]


def _how_good(told: Told) -> list[Section]:
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
    parts = [Points(points) for points in (model.not_for, model.weak) if points]
    lead = "What it is not for, and where it is weak."
    return [Section("Limits", lead, parts)] if parts else []


def _number(value: float) -> str:
    # Four digits: a difference of a thousandth may be what a gate has decided by.
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
