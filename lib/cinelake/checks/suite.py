"""A contract as a Great Expectations suite.

Every rule of a contract becomes one expectation, and so does the key. The classes here are Great Expectations' own,
held against counts (`tally`) in place of rows: a batch is one row, with a column for each rule.

Results name the standard expectation types (see `STANDARD_TYPES`), so that any Great Expectations reads them.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd
from great_expectations import expectations as gxe
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import (
    BatchExpectation,
    Expectation,
    parse_result_format,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

from cinelake.checks.tally import Tally
from cinelake.tables.contract import (
    Between,
    Check,
    FrameCheck,
    Matches,
    NotNullShare,
    OneOf,
    RowCount,
    Table,
)

KEY_RULE = "key_is_unique"
ROWS = "rows"


def batch(counted: Tally) -> pd.DataFrame:
    """The one row that the suite is held against."""
    return pd.DataFrame([{ROWS: counted.rows, KEY_RULE: counted.surplus} | counted.broken])


def expectations(table: Table) -> list[Expectation]:
    """The suite of `table`, in contract order; the rule's name stands in each expectation's `meta["rule"]`."""
    found: list[Expectation] = [_of_required(name) for name in table.required]
    found += [_of_check(check) for check in table.checks]
    if table.unique_key:
        found.append(_of_key(table.key))
    found += [_of_frame_check(check) for check in table.frame_checks]
    return found


def _of_required(column: str) -> Expectation:
    return ColumnIsRequired(column=column, meta={"rule": f"{column}_is_missing"})


def _of_check(check: Check) -> Expectation:
    column, meta = check.columns[0], {"rule": check.name}
    match check:
        case Between():
            return ColumnIsBetween(
                column=column, min_value=check.low, max_value=check.high, meta=meta
            )
        case OneOf():
            return ColumnIsOneOf(column=column, value_set=list(check.values), meta=meta)
        case Matches():
            return ColumnMatches(column=column, regex=check.regex, meta=meta)
        case _:
            return ExpectRowsToSatisfy(
                check=check.name, columns=list(check.columns), sql=check.sql, meta=meta
            )


def _of_key(key: tuple[str, ...]) -> Expectation:
    meta = {"rule": KEY_RULE}
    if len(key) == 1:
        return KeyIsUnique(column=key[0], meta=meta)
    return CompoundKeyIsUnique(column_list=list(key), meta=meta)


def _of_frame_check(check: FrameCheck) -> Expectation:
    meta = {"rule": check.name}
    match check:
        case RowCount():
            return RowCountIsBetween(min_value=check.low, max_value=check.high, meta=meta)
        case NotNullShare():
            return ColumnIsRequired(column=check.columns[0], mostly=check.at_least, meta=meta)
        case _:
            raise TypeError(
                f"frame check {check.name!r} of type {type(check).__name__} has no expectation"
            )


class Count(TableMetricProvider):
    """One of the counts of a batch."""

    metric_name = "cinelake.count"
    value_keys = ("of",)

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805  the library passes it by name
        execution_engine: Any,
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        **_: Any,
    ) -> int:
        counts: pd.DataFrame = execution_engine.get_domain_records(metric_domain_kwargs)
        return int(counts[metric_value_kwargs["of"]].iloc[0])


def _counts(runtime_configuration: Any, **of: str) -> ValidationDependencies:
    """The counts that an expectation is told, by the names that it knows them by."""
    return ValidationDependencies(
        metric_configurations={
            name: MetricConfiguration(
                metric_name=Count.metric_name,
                metric_domain_kwargs={},
                metric_value_kwargs={"of": count},
            )
            for name, count in of.items()
        },
        result_format=parse_result_format(runtime_configuration["result_format"]),
    )


class _Counted:
    """For an expectation that compares all rows with those that count against it."""

    meta: Any

    def get_validation_dependencies(
        self, *_: Any, runtime_configuration: Any = None, **__: Any
    ) -> ValidationDependencies:
        return _counts(runtime_configuration, rows=ROWS, against=self.meta["rule"])

    def _validate(self, metrics: Any, *_: Any, **__: Any) -> dict[str, Any]:
        rows, against = metrics["rows"], metrics["against"]
        enough = getattr(self, "mostly", 1.0)
        return {
            "success": rows == 0 or (rows - against) / rows >= enough,
            "result": {
                "element_count": rows,
                "unexpected_count": against,
                "unexpected_percent": 100 * against / rows if rows else None,
            },
        }


class RowCountIsBetween(gxe.ExpectTableRowCountToBeBetween):
    """Enough rows, and not too many."""

    def get_validation_dependencies(
        self, *_: Any, runtime_configuration: Any = None, **__: Any
    ) -> ValidationDependencies:
        return _counts(runtime_configuration, **{"table.row_count": ROWS})


class ColumnIsRequired(_Counted, gxe.ExpectColumnValuesToNotBeNull):
    """No nulls; or, with `mostly`, few."""


class ColumnIsBetween(_Counted, gxe.ExpectColumnValuesToBeBetween):
    """Numbers within bounds."""


class ColumnIsOneOf(_Counted, gxe.ExpectColumnValuesToBeInSet):
    """Values of a closed list."""


class ColumnMatches(_Counted, gxe.ExpectColumnValuesToMatchRegex):
    """Strings of a form."""


class KeyIsUnique(_Counted, gxe.ExpectColumnValuesToBeUnique):
    """No two rows share the key, of one column."""


class CompoundKeyIsUnique(_Counted, gxe.ExpectCompoundColumnsToBeUnique):
    """No two rows share the key, of several columns."""


class ExpectRowsToSatisfy(_Counted, BatchExpectation):
    """Every row satisfies a SQL predicate over its columns, or the predicate is null."""

    check: str
    columns: list[str]
    sql: str

    success_keys: ClassVar[tuple[str, ...]] = ("check", "columns", "sql")

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls,
        configuration: Any = None,
        result: Any = None,
        runtime_configuration: Any = None,
        **_: Any,
    ) -> list[RenderedStringTemplateContent]:
        kwargs = (configuration or result.expectation_config).kwargs
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template",
                string_template={
                    "template": "Every row satisfies $check: $sql",
                    "params": {"check": kwargs["check"], "sql": kwargs["sql"]},
                    "styling": (runtime_configuration or {}).get("styling"),
                },
            )
        ]


STANDARD_TYPES: dict[str, str] = {
    RowCountIsBetween.expectation_type: gxe.ExpectTableRowCountToBeBetween.expectation_type,
    ColumnIsRequired.expectation_type: gxe.ExpectColumnValuesToNotBeNull.expectation_type,
    ColumnIsBetween.expectation_type: gxe.ExpectColumnValuesToBeBetween.expectation_type,
    ColumnIsOneOf.expectation_type: gxe.ExpectColumnValuesToBeInSet.expectation_type,
    ColumnMatches.expectation_type: gxe.ExpectColumnValuesToMatchRegex.expectation_type,
    KeyIsUnique.expectation_type: gxe.ExpectColumnValuesToBeUnique.expectation_type,
    CompoundKeyIsUnique.expectation_type: gxe.ExpectCompoundColumnsToBeUnique.expectation_type,
}
