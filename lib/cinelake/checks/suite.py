"""A contract as a Great Expectations suite.

Every rule of a contract becomes one expectation, and so does the key. The classes here are Great Expectations' own
with other metrics. Rules are counted by the contract's own predicates, all of them in one aggregation, so that no
gate can disagree with another about a row, and no value leaves the frame: the library's metrics take two passes over
the rows, fetch sample values, which may be personal, with a query per expectation, and its query expectation runs two
queries a rule. The key gets a metric that fits, where the library puts a window over all rows.

Results name the standard expectation types (see `STANDARD_TYPES`), so that any Great Expectations reads them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations import expectations as gxe
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation import (
    BatchExpectation,
    Expectation,
    parse_result_format,
)
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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

# Up to here the key hashes are compared in lists in memory (24 bytes a row, spread over the tasks), which costs half
# of a distinct count; beyond, the distinct count spills to disk as it must.
IN_MEMORY_KEYS = 8_000_000

# Spark's object aggregation falls back to sorting above 128 groups.
_KEY_BUCKETS = 64

KEY_RULE = "key_is_unique"


def expectations(table: Table, *, keys_hash_column: str | None = None) -> list[Expectation]:
    """The suite of `table`, in contract order; the rule's name stands in each expectation's `meta["rule"]`.

    `keys_hash_column` names a column of the audited frame that holds a 64-bit hash of the key.
    """
    found: list[Expectation] = [_of_required(name) for name in table.required]
    found += [_of_check(check) for check in table.checks]
    if table.unique_key:
        found.append(_of_key(table.key, keys_hash_column))
    found += [_of_frame_check(check) for check in table.frame_checks]
    return found


def _of_required(column: str) -> Expectation:
    return ColumnIsRequired(
        column=column, sql=f"{column} IS NOT NULL", meta={"rule": f"{column}_is_missing"}
    )


def _of_check(check: Check) -> Expectation:
    column, sql, meta = check.columns[0], check.sql, {"rule": check.name}
    match check:
        case Between():
            return ColumnIsBetween(
                column=column, min_value=check.low, max_value=check.high, sql=sql, meta=meta
            )
        case OneOf():
            return ColumnIsOneOf(column=column, value_set=list(check.values), sql=sql, meta=meta)
        case Matches():
            return ColumnMatches(column=column, regex=check.regex, sql=sql, meta=meta)
        case _:
            return ExpectRowsToSatisfy(
                check=check.name, columns=list(check.columns), sql=sql, meta=meta
            )


def _of_key(key: tuple[str, ...], hash_column: str | None) -> Expectation:
    meta = {"rule": KEY_RULE}
    if len(key) == 1:
        return KeyIsUnique(column=key[0], hash_column=hash_column, meta=meta)
    return CompoundKeyIsUnique(column_list=list(key), hash_column=hash_column, meta=meta)


def _of_frame_check(check: FrameCheck) -> Expectation:
    meta = {"rule": check.name}
    match check:
        case RowCount():
            return gxe.ExpectTableRowCountToBeBetween(
                min_value=check.low, max_value=check.high, meta=meta
            )
        case NotNullShare():
            column = check.columns[0]
            return ColumnIsRequired(
                column=column, sql=f"{column} IS NOT NULL", mostly=check.at_least, meta=meta
            )
        case _:
            raise TypeError(
                f"frame check {check.name!r} of type {type(check).__name__} has no expectation"
            )


class BrokenRows(TableMetricProvider):
    """How many rows break a SQL predicate; computed in the one aggregation with the other counts."""

    metric_name = "cinelake.rows.broken"
    value_keys = ("sql",)

    @metric_partial(
        engine=SparkDFExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _spark(
        cls,  # noqa: N805  the library passes it by name
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        **_: Any,
    ) -> Any:
        return F.count_if(~F.expr(f"({metric_value_kwargs['sql']})")), metric_domain_kwargs, {}


class SurplusRows(TableMetricProvider):
    """How many rows repeat the key of another row: rows less distinct keys.

    Equal hashes are confirmed by comparing the keys themselves, so that a collision never fails an audit.
    """

    metric_name = "cinelake.key.surplus"
    value_keys = ("column_list", "hash_column")

    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(
        cls,  # noqa: N805  the library passes it by name
        execution_engine: Any,
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        metrics: Any,
        **_: Any,
    ) -> int:
        frame: DataFrame = execution_engine.get_domain_records(metric_domain_kwargs)
        key = metric_value_kwargs["column_list"]
        given = metric_value_kwargs.get("hash_column")
        hashes = frame.select((F.col(given) if given else F.xxhash64(*key)).alias("hash"))
        rows = int(metrics["table.row_count"])
        if not _surplus_hashes(hashes, rows):
            return 0
        return rows - frame.select(*key).distinct().count()

    @classmethod
    def _get_evaluation_dependencies(
        cls,
        metric: Any,
        configuration: Any = None,
        execution_engine: Any = None,
        runtime_configuration: Any = None,
    ) -> Any:
        dependencies = super()._get_evaluation_dependencies(
            metric=metric,
            configuration=configuration,
            execution_engine=execution_engine,
            runtime_configuration=runtime_configuration,
        )
        dependencies["table.row_count"] = MetricConfiguration(
            metric_name="table.row_count", metric_domain_kwargs=metric.metric_domain_kwargs
        )
        return dependencies


def _surplus_hashes(hashes: DataFrame, rows: int) -> int:
    if rows < 2:
        return 0
    if rows > IN_MEMORY_KEYS:
        return rows - hashes.distinct().count()
    # 2 M rows, CPU seconds: lists per bucket 0.8, distinct count 1.5, window per key (the library's way) over 4.
    surplus = F.size("hashes") - F.size(F.array_distinct("hashes"))
    counted = (
        hashes.groupBy(F.col("hash").bitwiseAND(_KEY_BUCKETS - 1).alias("bucket"))
        .agg(F.collect_list("hash").alias("hashes"))
        .agg(F.sum(surplus).alias("surplus"))
        .first()
    )
    assert counted is not None
    return int(counted["surplus"])


class _Counted:
    """For an expectation that compares all rows with those that one metric of ours counts against it."""

    counted: ClassVar[str]

    def _counted_by(self) -> dict[str, Any]:
        raise NotImplementedError

    def get_validation_dependencies(
        self, *_: Any, runtime_configuration: Any = None, **__: Any
    ) -> ValidationDependencies:
        rows: MetricConfiguration = MetricConfiguration(
            metric_name="table.row_count", metric_domain_kwargs={}
        )
        against: MetricConfiguration = MetricConfiguration(
            metric_name=self.counted,
            metric_domain_kwargs={},
            metric_value_kwargs=self._counted_by(),
        )
        return ValidationDependencies(
            metric_configurations={each.metric_name: each for each in (rows, against)},
            result_format=parse_result_format(runtime_configuration["result_format"]),
        )

    def _validate(self, metrics: Any, *_: Any, **__: Any) -> dict[str, Any]:
        # Over no rows, a sum is null.
        rows, against = metrics["table.row_count"], metrics[self.counted] or 0
        enough = getattr(self, "mostly", 1.0)
        return {
            "success": rows == 0 or (rows - against) / rows >= enough,
            "result": {
                "element_count": rows,
                "unexpected_count": against,
                "unexpected_percent": 100 * against / rows if rows else None,
            },
        }


class _RowRule(_Counted):
    """Rows that break a predicate count against it."""

    counted = BrokenRows.metric_name
    sql: str

    def _counted_by(self) -> dict[str, Any]:
        return {"sql": self.sql}


class ColumnIsRequired(_RowRule, gxe.ExpectColumnValuesToNotBeNull):
    """No nulls; or, with `mostly`, few."""

    sql: str


class ColumnIsBetween(_RowRule, gxe.ExpectColumnValuesToBeBetween):
    """Numbers within bounds."""

    sql: str


class ColumnIsOneOf(_RowRule, gxe.ExpectColumnValuesToBeInSet):
    """Values of a closed list."""

    sql: str


class ColumnMatches(_RowRule, gxe.ExpectColumnValuesToMatchRegex):
    """Strings of a form."""

    sql: str


class KeyIsUnique(_Counted, gxe.ExpectColumnValuesToBeUnique):
    """No two rows share the key, of one column."""

    counted = SurplusRows.metric_name
    hash_column: str | None = None

    def _counted_by(self) -> dict[str, Any]:
        return {"column_list": [str(self.column)], "hash_column": self.hash_column}


class CompoundKeyIsUnique(_Counted, gxe.ExpectCompoundColumnsToBeUnique):
    """No two rows share the key, of several columns."""

    counted = SurplusRows.metric_name
    hash_column: str | None = None

    def _counted_by(self) -> dict[str, Any]:
        return {
            "column_list": [str(column) for column in self.column_list],
            "hash_column": self.hash_column,
        }


class ExpectRowsToSatisfy(_RowRule, BatchExpectation):
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
    ColumnIsRequired.expectation_type: gxe.ExpectColumnValuesToNotBeNull.expectation_type,
    ColumnIsBetween.expectation_type: gxe.ExpectColumnValuesToBeBetween.expectation_type,
    ColumnIsOneOf.expectation_type: gxe.ExpectColumnValuesToBeInSet.expectation_type,
    ColumnMatches.expectation_type: gxe.ExpectColumnValuesToMatchRegex.expectation_type,
    KeyIsUnique.expectation_type: gxe.ExpectColumnValuesToBeUnique.expectation_type,
    CompoundKeyIsUnique.expectation_type: gxe.ExpectCompoundColumnsToBeUnique.expectation_type,
}
