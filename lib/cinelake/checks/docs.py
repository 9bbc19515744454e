"""Data Docs: Great Expectations' own web pages, from the validations that the lake has kept.

Method: the stored results are put into a context in memory, whose site builder writes one page per validation and one
per suite (the newest of each table). No row of any table is read.

The library's pages fetch styles, scripts and pictures from five hosts on the internet each time they are opened, show
nothing on the start page without them, and tell those hosts who reads which report. Here every page stands alone: the
head is replaced by one small style sheet, scripts are dropped, and the start page is written as plain HTML.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResultSchema, RunIdentifier
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.checks import suite as _renderers  # noqa: F401  registers how our expectations read
from cinelake.checks.docs_folder import GENERATOR, clear
from cinelake.checks.library import quiet_context

SITE = "cinelake"

_HEAD = re.compile(r"<head>.*?</head>", re.DOTALL)
_UNSAFE = re.compile(r"[^\w.-]")  # in the name of a file
_DROPPED = re.compile(r"<script\b.*?</script>|<footer\b.*?</footer>|<img\b[^>]*>", re.DOTALL)

_STYLE = """
:root { color-scheme: light; --line: #d9dde3; --soft: #f4f6f8; --ink: #1d2530; --good: #1a7f45; --bad: #c22f2f; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
a { color: #1f5fae; }
body > nav { padding: .7rem 1.5rem; border-bottom: 1px solid var(--line); height: auto !important; }
ol.breadcrumb { display: flex; gap: .6rem; list-style: none; margin: 0; padding: 0; font-size: .9rem; }
.breadcrumb-item + .breadcrumb-item::before { content: "/"; color: #8a94a3; }
body > .container-fluid { padding: 1rem 1.5rem; }
body > .container-fluid > .row { display: flex; gap: 2rem; align-items: flex-start; }
body > .container-fluid > .row > :first-child { flex: 0 0 15rem; position: sticky; top: 1rem; }
body > .container-fluid > .row > :last-child { flex: 1; min-width: 0; }
h4, h5, h6 { margin: 0 0 .3rem; } h4 { font-size: 1.2rem; } h5 { font-size: 1.05rem; } h6 { font-size: .95rem; }
.h6 { font-weight: 600; }
.lead { margin: 0; color: #5b6675; }
.card { border: 1px solid var(--line); border-radius: 6px; margin: .8rem 0; padding: .5rem .8rem; }
.card-header { border-bottom: 1px solid var(--line); padding-bottom: .3rem; margin-bottom: .3rem; }
.card ul { list-style: none; margin: 0; padding: 0; } .nav-link { display: block; padding: .1rem 0; }
a[data-toggle="collapse"] { display: none; }
.alert { background: var(--soft); border-radius: 6px; padding: .6rem .8rem; margin-top: 1.2rem; }
table { border-collapse: collapse; margin: .5rem 0; }
.table, .table-responsive { width: 100%; } .table-sm { width: auto; min-width: 22rem; }
td .table-bordered { min-width: 0; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem; border-bottom: 1px solid var(--line); }
th { background: var(--soft); font-weight: 600; }
.table:not(.table-sm) > * > tr > :first-child { width: 4.5rem; }
.table:not(.table-sm) > * > tr > :last-child { width: 14rem; }
.table.index > tr > :last-child, .table.index > * > tr > :last-child { width: auto; }
.badge { background: #e9edf2; border-radius: 4px; padding: .05rem .35rem; font: .88em ui-monospace, monospace; }
.text-success { color: var(--good); } .text-danger { color: var(--bad); }
i.fa-check-circle, i.fa-times, i.fa-exclamation-triangle { font-style: normal; font-weight: 700; }
i.fa-check-circle::before { content: "✓"; } i.fa-times::before { content: "✗"; }
i.fa-exclamation-triangle::before { content: "!"; }
body:has(#option2:checked) tr:has(> td:first-child i.fa-check-circle) { display: none; }
"""

# The samples are keys of the rows, with personal parts hashed, and not the values themselves.
_WORDING = {
    "Sampled Unexpected Values": "Keys of some of these rows",
    "unexpected values found": "against this rule",
}


@dataclass(frozen=True)
class Validation:
    """One stored validation: what `Audit.to_json` gave, for which run and table, and when."""

    run_id: str
    table: str
    checked_at: datetime
    result: str


def newest(check_results: DataFrame, per_table: int = 30) -> DataFrame:
    """The `per_table` newest validations of each table: rows from which `Validation`s are made."""
    latest = Window.partitionBy("target").orderBy(F.desc("checked_at"), F.desc("run_id"))
    return (
        check_results.withColumn("place", F.row_number().over(latest))
        .where(F.col("place") <= per_table)
        .select("run_id", F.col("target").alias("table"), "checked_at", "result")
    )


def build(validations: Iterable[Validation], out_dir: Path) -> Path:
    """Write the site into `out_dir`, over an earlier one, and return its start page.

    Raises DocsError when the folder holds anything else.
    """
    clear(out_dir)
    newest_first = sorted(validations, key=lambda v: (v.checked_at, v.run_id), reverse=True)
    suites: dict[str, Validation] = {}
    for validation in newest_first:
        suites.setdefault(validation.table, validation)
    context = quiet_context()
    context.add_data_docs_site(
        SITE,
        {
            "class_name": "SiteBuilder",
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(out_dir.resolve()),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    pages = [(validation, _store(context, validation)) for validation in newest_first]
    for validation in suites.values():
        context.suites.add(_suite(validation))
    context.build_data_docs(site_names=[SITE])
    shutil.rmtree(out_dir / "static", ignore_errors=True)
    for page in out_dir.rglob("*.html"):
        page.write_text(_standing_alone(page.read_text("utf-8"), page.stem), "utf-8")
    start = out_dir / "index.html"
    start.write_text(_index(pages), "utf-8")
    return start


def _store(context: Any, validation: Validation) -> str:
    document = json.loads(validation.result)
    # Rows collected from Spark carry local time without saying so, which is how this reads a bare time.
    checked_at = validation.checked_at.astimezone(UTC)
    run = RunIdentifier(run_name=_UNSAFE.sub("_", validation.run_id), run_time=checked_at)
    document["meta"] |= {
        "run_id": run.to_json_dict(),
        "validation_time": checked_at.isoformat(),
        "batch_kwargs": {"data_asset_name": validation.table},
    }
    suite_id = ExpectationSuiteIdentifier(name=validation.table)
    identifier: Any = ValidationResultIdentifier(suite_id, run, validation.table)
    context.validation_results_store.store_validation_results(
        suite_validation_result=ExpectationSuiteValidationResultSchema().load(document),
        suite_validation_result_identifier=identifier,
        expectation_suite_identifier=suite_id,
    )
    return Path("validations", *identifier.to_tuple()).as_posix() + ".html"


def _suite(validation: Validation) -> gx.ExpectationSuite:
    found = gx.ExpectationSuite(validation.table)
    for result in json.loads(validation.result)["results"]:
        config = result["expectation_config"]
        found.add_expectation_configuration(
            ExpectationConfiguration(
                type=config["type"], kwargs=config["kwargs"], meta=config["meta"]
            )
        )
    return found


def _standing_alone(page: str, title: str) -> str:
    page = _DROPPED.sub("", _HEAD.sub(lambda _: _head(title), page))
    for theirs, ours in _WORDING.items():
        page = page.replace(theirs, ours)
    return page


def _head(title: str) -> str:
    return (
        f'<head><meta charset="utf-8">{GENERATOR}<title>{escape(title)} · Data Docs</title>'
        f"<style>{_STYLE}</style></head>"
    )


def _index(pages: list[tuple[Validation, str]]) -> str:
    rows = "\n".join(_index_row(validation, link) for validation, link in pages)
    suites = "\n".join(
        f'<li><a href="expectations/{table}.html">{table}</a></li>'
        for table in sorted({validation.table for validation, _ in pages})
    )
    return f"""<!DOCTYPE html>
<html lang="en">{_head("Cinelake")}
<body><nav><strong>Cinelake Data Docs</strong></nav>
<div class="container-fluid"><div class="row">
<div><h4>Expectation suites</h4><div class="card"><ul>{suites}</ul></div></div>
<div><h4>Validations, newest first</h4>
<table class="table index"><thead><tr><th>Status</th><th>Table</th><th>Run</th><th>Checked</th><th>Expectations</th>
<th>Failed</th></tr></thead><tbody>
{rows}
</tbody></table></div>
</div></div></body></html>
"""


def _index_row(validation: Validation, link: str) -> str:
    document = json.loads(validation.result)
    icon = "fa-check-circle text-success" if document["success"] else "fa-times text-danger"
    failed = [
        r["expectation_config"]["meta"]["rule"] for r in document["results"] if not r["success"]
    ]
    cells = (
        f'<i class="{icon}"></i>',
        f'<a href="{link}">{escape(validation.table)}</a>',
        escape(validation.run_id),
        f"{validation.checked_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        str(len(document["results"])),
        " ".join(f'<span class="badge">{escape(rule)}</span>' for rule in failed),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
