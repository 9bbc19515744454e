"""Java's classes and functions, found by name once and not once a column.

PySpark asks the JVM what `functions`, and what `functions.col`, are each time that a column is made, and the JVM looks
through its class path for them: of what it costs to build a plan, 40 %. Neither answer changes while the JVM lives.
"""

from __future__ import annotations

from typing import Any

from py4j.java_gateway import JavaClass, JavaMember

# What PySpark calls the classes that it makes columns and frames with. One that a release lacks costs nothing.
NAMES = (
    "functions",
    "org.apache.spark.sql.functions",
    "org.apache.spark.sql.expressions.Window",
    "PythonUtils",
    "PythonSQLUtils",
)


class _Known(JavaClass):  # type: ignore[misc]
    """A Java class that keeps its functions."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if isinstance(found, JavaMember):
            # Found there from now on, so that nobody asks here again.
            self.__dict__[name] = found
        return found


def remember_names(jvm: Any) -> None:
    """Let `jvm`, a session's view of its JVM, know the classes of `NAMES` and their functions from now on."""
    for name in NAMES:
        if name not in vars(jvm):
            found = getattr(jvm, name)
            if isinstance(found, JavaClass):
                setattr(jvm, name, _Known(found._fqn, found._gateway_client))
