"""What every test may use: one Spark session for the whole run, and settings for it.

`make test` has two test processes, each with one session at most. Tests of jobs and transforms run in one of them. The
other has the rest: those that need no session, and those of tests/pipeline, whose runs take as long as all the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from pyspark.sql import SparkSession

from cinelake.runtime.runs.pipeline import JobReport
from cinelake.runtime.settings import Settings
from cinelake.runtime.spark.session import spark_session

PIPELINES = Path(__file__).parent / "pipeline"

# A busy machine is no reason for a test to fail.
hypothesis.settings.register_profile("cinelake", deadline=None)
hypothesis.settings.load_profile("cinelake")


def make_settings(root: Path) -> Settings:
    """Settings of a small session on two cores with the lake in `root`."""
    return Settings.model_validate(
        {
            "lake": {"root": str(root)},
            "spark": {
                "app_name": "cinelake-tests",
                "master": "local[2]",
                "driver_memory": "3g",
                "shuffle_partitions": 2,
                "snapshot_partitions": 1,
                # Benchmarks and the soak do run the Java that Spark writes for queries.
                "few_rows": True,
            },
        }
    )


class Silent:
    """A progress nobody watches."""

    def started(self, report: JobReport, doing: str) -> None:
        """Say nothing."""

    def stepped(self, report: JobReport, done: int, total: int, said: str) -> None:
        """Say nothing."""

    def ended(self, report: JobReport) -> None:
        """Say nothing."""


def pytest_configure() -> None:
    """Give the processes of pytest-xdist a main file: without one, PySpark takes them for doctests and exits."""
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__"):
        main.__file__ = __file__


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that need Spark together: what they have in common costs more than they do.

    Tests of pipelines share a lake at most by file; which process has a file is for the scheduler to say.
    """
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            group = item.path.stem if PIPELINES in item.path.parents else "spark"
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one session of the run."""
    session = spark_session(make_settings(tmp_path_factory.mktemp("lake")))
    yield session
    session.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty lake of the test's own."""
    return make_settings(tmp_path / "lake")
