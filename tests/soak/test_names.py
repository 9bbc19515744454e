"""Tables by name in Spark's embedded metastore (Derby), kept between commands: those of a lake by path."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from soak.conftest import SOME_JOBS, Service, content, differing

from cinelake.runtime.delta.lake import Lake
from cinelake.tables.contract import Table

SCHEMA = "films"


class InWarehouse(Lake):
    """The tables of a schema by their folders in the warehouse: the metastore is of one session at a time."""

    def _path(self, table: Table) -> str:
        return f"{self.root}/warehouse/{SCHEMA}.db/{table.name}"


@pytest.fixture
def named(tmp_path: Path) -> Service:
    metastore = f"jdbc:derby:;databaseName={tmp_path / 'metastore'};create=true"
    settings = {
        "lake.catalog": SCHEMA,
        "spark.conf.spark.sql.catalogImplementation": "hive",
        "spark.conf.spark.hadoop.javax.jdo.option.ConnectionURL": metastore,
    }
    return Service(tmp_path / "lake", settings)


def test_tables_by_name_are_those_by_path_in_every_later_session(
    spark: SparkSession, some: Service, expected: dict[str, list[str]], named: Service
) -> None:
    named.copy_landing(some)

    # A session a step: what one has made the next finds by its name.
    named.run("run", "--until", "build_ratings")
    named.run(*SOME_JOBS)
    assert named.at_rest()
    assert not (named.root / "tables").exists()
    assert not differing(expected, content(InWarehouse(spark, str(named.root))))

    # Whole, and made anew by name: dropped in the metastore, and its files with it.
    process = named.command("fsck", "then", "rebuild", "ratings", "then", *SOME_JOBS)
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, f"{out[-1500:]}\n{err[-3000:]}"
    assert not differing(expected, content(InWarehouse(spark, str(named.root))))


def test_a_catalog_that_ends_with_the_session_is_refused(named: Service) -> None:
    process = named.command("run", **{"spark.conf.spark.sql.catalogImplementation": "in-memory"})
    _, complaint = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "names a schema in a catalog that ends with this session" in complaint
    assert not (named.root / "warehouse").exists()
