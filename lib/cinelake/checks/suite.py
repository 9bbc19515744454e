"""A contract as a Great Expectations suite.

Every rule of a contract becomes one expectation, and so does the key. The classes here are Great Expectations' own
with two changes. They count (how many rows, how many against the rule) for the price of a yes or no: the library
computes counts in one bundled aggregation, but fetches sample values with a query per expectation as soon as any
detail is asked for, and sample values may be personal. And rules over several columns, and the key, get metrics that
fit: the library's own query expectation runs two queries a rule, and its compound uniqueness a window over all rows.

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
    found: list[Expectation] = [
        ColumnIsRequired(column=name, meta={"rule": f"{name}_is_missing"})
        for name in table.required
    ]
    found += [_of_check(check) for check in table.checks]
    if table.unique_key:
        found.append(_of_key(table.key, keys_hash_column))
    found += [_of_frame_check(check) for check in table.frame_checks]
    return found


def _of_check(check: Check) -> Expectation:
    meta = {"rule": check.name}
    match check:
        case Between():
            return ColumnIsBetween(
                column=check.columns[0], min_value=check.low, max_value=check.high, meta=meta
            )
        case OneOf():
            return ColumnIsOneOf(column=check.columns[0], value_set=list(check.values), meta=meta)
        case Matches():
            return ColumnMatches(column=check.columns[0], regex=check.regex, meta=meta)
        case _:
            return ExpectRowsToSatisfy(
                check=check.name, columns=list(check.columns), sql=check.sql, meta=meta
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
            return ColumnIsRequired(column=check.columns[0], mostly=check.at_least, meta=meta)
        case _:
            raise TypeError(
                f"frame check {check.name!r} of type {type(check).__name__} has no expectation"
            )


class _Counted:
    """For an expectation over rows: asks for counts only, in whatever detail the result is wanted."""

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: Any = None, **kwargs: Any
    ) -> Any:
        only_counts = {**runtime_configuration, "result_format": "BOOLEAN_ONLY"}
        dependencies = super().get_validation_dependencies(  # type: ignore[misc]
            execution_engine, only_counts, **kwargs
        )
        dependencies.result_format = parse_result_format(runtime_configuration["result_format"])
        return dependencies


class ColumnIsRequired(_Counted, gxe.ExpectColumnValuesToNotBeNull):
    """No nulls; or, with `mostly`, few."""


class ColumnIsBetween(_Counted, gxe.ExpectColumnValuesToBeBetween):
    """Numbers within bounds."""


class ColumnIsOneOf(_Counted, gxe.ExpectColumnValuesToBeInSet):
    """Values of a closed list."""


class ColumnMatches(_Counted, gxe.ExpectColumnValuesToMatchRegex):
    """Strings of a form."""


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


class _Unique:
    """For an expectation of uniqueness: asks for `SurplusRows` instead of the library's own metric."""

    hash_column: str | None
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count",)

    def _key(self) -> list[str]:
        raise NotImplementedError

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: Any = None, **_: Any
    ) -> Any:
        this: Any = self
        dependencies = BatchExpectation.get_validation_dependencies(
            this, execution_engine, runtime_configuration
        )
        rows = dependencies.metric_configurations["table.row_count"]
        surplus: MetricConfiguration = MetricConfiguration(
            metric_name=SurplusRows.metric_name,
            metric_domain_kwargs=rows.metric_domain_kwargs,
            metric_value_kwargs={"column_list": self._key(), "hash_column": self.hash_column},
        )
        dependencies.set_metric_configuration(SurplusRows.metric_name, surplus)
        return dependencies

    def _validate(self, metrics: Any, *_: Any, **__: Any) -> Any:
        return _counted_result(metrics["table.row_count"], metrics[SurplusRows.metric_name])


class KeyIsUnique(_Unique, gxe.ExpectColumnValuesToBeUnique):
    """No two rows share the key, of one column."""

    hash_column: str | None = None

    def _key(self) -> list[str]:
        return [str(self.column)]


class CompoundKeyIsUnique(_Unique, gxe.ExpectCompoundColumnsToBeUnique):
    """No two rows share the key, of several columns."""

    hash_column: str | None = None

    def _key(self) -> list[str]:
        return [str(column) for column in self.column_list]


class ExpectRowsToSatisfy(BatchExpectation):
    """Every row satisfies a SQL predicate over its columns, or the predicate is null."""

    check: str
    columns: list[str]
    sql: str

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", BrokenRows.metric_name)
    success_keys: ClassVar[tuple[str, ...]] = ("check", "columns", "sql")

    def _validate(self, metrics: Any, *_: Any, **__: Any) -> Any:
        return _counted_result(metrics["table.row_count"], metrics[BrokenRows.metric_name])

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


def _counted_result(rows: int, unexpected: int | None) -> dict[str, Any]:
    unexpected = unexpected or 0
    return {
        "success": unexpected == 0,
        "result": {
            "element_count": rows,
            "unexpected_count": unexpected,
            "unexpected_percent": 100 * unexpected / rows if rows else None,
        },
    }


STANDARD_TYPES: dict[str, str] = {
    ColumnIsRequired.expectation_type: gxe.ExpectColumnValuesToNotBeNull.expectation_type,
    ColumnIsBetween.expectation_type: gxe.ExpectColumnValuesToBeBetween.expectation_type,
    ColumnIsOneOf.expectation_type: gxe.ExpectColumnValuesToBeInSet.expectation_type,
    ColumnMatches.expectation_type: gxe.ExpectColumnValuesToMatchRegex.expectation_type,
    KeyIsUnique.expectation_type: gxe.ExpectColumnValuesToBeUnique.expectation_type,
    CompoundKeyIsUnique.expectation_type: gxe.ExpectCompoundColumnsToBeUnique.expectation_type,
}
