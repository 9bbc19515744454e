"""Classes and functions of Java are asked for once."""

from __future__ import annotations

from unittest.mock import patch

from py4j.protocol import REFLECTION_COMMAND_NAME
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from cinelake.runtime.spark.java_names import remember_names


def plan(spark: SparkSession) -> None:
    doubled = F.transform(F.array(F.col("id")), lambda x: x * 2)
    latest = F.max("id").over(Window.partitionBy("id"))
    spark.range(1).select(F.coalesce("id", F.lit(0)), doubled, latest)


def test_what_java_calls_a_function_is_asked_once(spark: SparkSession) -> None:
    remember_names(spark._jvm)
    client = spark._jvm._gateway_client  # type: ignore[union-attr]
    plan(spark)
    with patch.object(client, "send_command", wraps=client.send_command) as sent:
        plan(spark)
    commands = [call.args[0] for call in sent.call_args_list]
    # For all else that PySpark does on the way, such as finding the active session, it asks still.
    assert len(commands) > 10
    asked = [each for each in commands if each.startswith(REFLECTION_COMMAND_NAME)]
    assert not [
        each for each in asked if "functions" in each or "Python" in each or "Window" in each
    ]
