"""Every id on its way to silver passes one function."""

from __future__ import annotations

import ast
from pathlib import Path

from pyspark.sql import SparkSession

from cinelake import behaviour
from cinelake.behaviour.identity import IdKind, known_as


def test_up_to_now_ids_pass_unchanged(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("42",)], "profile_id string")
    [row] = frame.select(known_as(IdKind.PROFILE, "profile_id")).collect()
    assert row.asDict() == {"profile_id": "42"}


def test_no_other_code_of_this_area_selects_an_id_of_people() -> None:
    """A personal id that stands alone in a select would bypass the seam."""
    bypassing = []
    for module in Path(behaviour.__path__[0]).glob("*.py"):
        for call in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "select":
                bypassing += [
                    f"{module.name}: {arg.value}"
                    for arg in call.args
                    if isinstance(arg, ast.Constant) and arg.value in ("profile_id", "event_id")
                ]
    assert bypassing == []
