"""Whether this machine can run Cinelake, and what to do where it cannot.

Checks go from the cheap to the dear: those that need a session come last, and only if Java and the jars are in order,
since it would fail for their reasons and say less. Nothing is left behind.
"""

from __future__ import annotations

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from cinelake.runtime.doctor.before_spark import CHECKS, NEEDED_BY_SESSION
from cinelake.runtime.doctor.finding import Finding, Status
from cinelake.runtime.doctor.on_spark import findings_on
from cinelake.runtime.settings import Settings
from cinelake.runtime.spark.machine import SessionError, first_line
from cinelake.runtime.spark.session import spark_session


def diagnose(settings: Settings) -> list[Finding]:
    """Every check, in order; the last ones start a Spark session."""
    findings = [check(settings) for check in CHECKS]
    blocking = [f.name for f in findings if f.status is Status.FAIL and f.name in NEEDED_BY_SESSION]
    if blocking:
        remedy = f"first put in order: {', '.join(blocking)}"
        return [*findings, Finding("Spark", Status.FAIL, "not tried", remedy)]
    try:
        spark = spark_session(settings)
    except SessionError as error:
        # It says what to do.
        return [*findings, Finding("Spark", Status.FAIL, str(error))]
    except (PySparkException, Py4JError) as error:
        remedy = (
            "if the jars and Java above are in order, look at [spark.conf] and --properties-file"
        )
        return [*findings, Finding("Spark", Status.FAIL, first_line(error), remedy)]
    return [*findings, *findings_on(spark, settings)]
