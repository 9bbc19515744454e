"""The last gate before readers: Great Expectations' verdict on the rows that are about to be published.

Grain: one `Audit` per table and frame. The frame is what has passed `rules.reasons`, so a failure means a repeated
key, an unusual frame, or rules and expectations that disagree; it fails the job.

Method: an ephemeral Great Expectations context per audit, thrown away with it, holds the suite against what the rows
come to (`tally`). Rows are looked at singly only after a failure: up to five keys of offending rows are fetched for
each broken expectation.

Values of personal key columns never leave the frame; a report shows the first digits of their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.checks.tally import Tally
from cinelake.tables.contract import Table

SAMPLE_KEYS = 5

# Spark's own name of an error, such as [DIVIDE_BY_ZERO]; the text after it may quote values.
_ERROR_CONDITION = re.compile(r"\[([A-Z_]+(?:\.[A-Z_]+)*)\]")


# The library keeps the context made last as that of the whole process, and audits may run side by side.
_LIBRARY = Lock()


class AuditError(RuntimeError):
    """An expectation could not be judged at all."""


class AuditFailed(RuntimeError):
    """A frame broke expectations; nothing of it may be published."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        broken = "\n".join(f"  - {result}" for result in audit.failed)
        super().__init__(
            f"table {audit.table.name!r}: {len(audit.failed)} of {len(audit.results)} expectations failed, "
            f"nothing was published\n{broken}"
        )


@dataclass(frozen=True)
class ExpectationResult:
    """What one expectation found. `observed` is for people; `sample_keys` only stand where it failed."""

    rule: str
    expectation: str
    columns: tuple[str, ...]
    success: bool
    observed: str
    unexpected_count: int | None
    kwargs: str
    sample_keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        keys = f", for example {'; '.join(self.sample_keys)}" if self.sample_keys else ""
        return f"{self.rule}: {self.observed}{keys}"


@dataclass(frozen=True)
class Audit:
    """The verdict on one frame meant for `table`."""

    table: Table
    passed: bool
    results: tuple[ExpectationResult, ...]
    validation: str

    @property
    def failed(self) -> tuple[ExpectationResult, ...]:
        return tuple(result for result in self.results if not result.success)

    def to_json(self) -> str:
        """Great Expectations' own validation result, from which `docs.build` makes pages."""
        return self.validation


def audit(table: Table, frame: DataFrame, counted: Tally) -> Audit:
    """Hold what `frame` comes to against the contract of `table`; the frame itself is for samples after a failure.

    Raises AuditError for a rule that cannot be judged.
    """
    validation = _validate(table, counted)
    # What differs from one process to the next (ids, times) is left out, so that equal rows give equal JSON; the
    # table that keeps it says who checked and when.
    validation["meta"] = {
        "great_expectations_version": validation["meta"]["great_expectations_version"]
    }
    validation.pop("id", None)
    for document in validation["results"]:
        _standardise(table, document)
    rules = [*table.rules, *(check.name for check in table.frame_checks)]
    validation["results"].sort(key=lambda document: _position(document, rules))
    results = tuple(_result(table, frame, document) for document in validation["results"])
    return Audit(table, validation["success"], results, json.dumps(validation, sort_keys=True))


def _validate(table: Table, counted: Tally) -> dict[str, Any]:
    # The library takes seconds to import and is needed by jobs that write, not by `cinelake plan`.
    import great_expectations as gx

    from cinelake.checks.library import quiet_context
    from cinelake.checks.suite import batch, expectations

    with _LIBRARY:
        source = quiet_context().data_sources.add_or_update_pandas("counts")
        asset = source.add_dataframe_asset(table.name).add_batch_definition_whole_dataframe("rows")
        suite = gx.ExpectationSuite(table.name, expectations=expectations(table))
        result: Any = asset.get_batch({"dataframe": batch(counted)}).validate(
            suite, result_format="BASIC"
        )
        validation: dict[str, Any] = json.loads(json.dumps(result.to_json_dict()))
    return validation


def _position(document: dict[str, Any], rules: list[str]) -> int:
    rule = document["expectation_config"]["meta"]["rule"]
    return rules.index(rule) if rule in rules else len(rules)


def _standardise(table: Table, document: dict[str, Any]) -> None:
    """Give a result its standard type, and leave out what is this process's own."""
    from cinelake.checks.suite import STANDARD_TYPES

    config = document["expectation_config"]
    config["type"] = STANDARD_TYPES.get(config["type"], config["type"])
    config.pop("id", None)
    config["kwargs"].pop("batch_id", None)
    if error := _error(document["exception_info"]):
        rule = config["meta"]["rule"]
        raise AuditError(f"table {table.name!r}: rule {rule!r} cannot be judged: {error}")


def _error(exception_info: dict[str, Any]) -> str | None:
    infos = [exception_info] if "raised_exception" in exception_info else exception_info.values()
    for info in infos:
        if info["raised_exception"]:
            message = str(info["exception_message"])
            condition = _ERROR_CONDITION.search(message)
            return condition.group(1) if condition else message.splitlines()[0]
    return None


def _result(table: Table, frame: DataFrame, document: dict[str, Any]) -> ExpectationResult:
    config, result = document["expectation_config"], document["result"]
    rule, kwargs = config["meta"]["rule"], config["kwargs"]
    success = document["success"]
    samples: tuple[str, ...] = ()
    if not success:
        samples = _sample_keys(table, frame, rule)
        # The place where Great Expectations itself, and so Data Docs, puts offending values.
        result["partial_unexpected_list"] = list(samples)
    columns = kwargs.get("column_list") or kwargs.get("columns") or [kwargs.get("column")]
    return ExpectationResult(
        rule=rule,
        expectation=config["type"],
        columns=tuple(column for column in columns if column),
        success=success,
        observed=_observed(table, rule, result),
        unexpected_count=result.get("unexpected_count"),
        kwargs=json.dumps(kwargs, sort_keys=True),
        sample_keys=samples,
    )


def _observed(table: Table, rule: str, result: dict[str, Any]) -> str:
    if "unexpected_count" not in result:
        return f"{result['observed_value']:,} rows"
    counts = f"{result['unexpected_count']:,} of {result['element_count']:,} rows"
    predicate = table.rules.get(rule)
    if predicate is not None:
        return f"{counts} break `{predicate}`"
    if rule in {check.name for check in table.frame_checks}:
        return f"{counts} have none"
    return f"{counts} repeat the key ({', '.join(table.key)})"


def _sample_keys(table: Table, frame: DataFrame, rule: str) -> tuple[str, ...]:
    keys = frame.select(*table.key)
    predicate = table.rules.get(rule)
    if predicate is not None:
        keys = frame.where(~F.expr(f"({predicate})")).select(*table.key)
    elif rule in {check.name for check in table.frame_checks}:
        return ()
    else:
        keys = keys.groupBy(*table.key).count().where("count > 1").drop("count")
    # The plan of a limit may be collected: five rows, and only after a failure.
    return tuple(_shown(table, row.asDict()) for row in keys.limit(SAMPLE_KEYS).collect())


def _shown(table: Table, key: dict[str, Any]) -> str:
    parts = []
    for name, value in key.items():
        digest = f"sha256:{hashlib.sha256(str(value).encode()).hexdigest()[:12]}"
        parts.append(f"{name}={digest if table.column(name).personal else value}")
    return " ".join(parts)
