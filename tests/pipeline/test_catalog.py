"""A lake may live under names in a catalog instead of paths; everything else is the same."""

from __future__ import annotations

import uuid
from functools import cached_property

import pytest

from cinelake.runtime.delta.lake import Lake
from cinelake.tables.system import JOB_RUNS

from .conftest import AMOUNTS, Service


class NamedService(Service):
    """The toy service in a schema of the session's catalog."""

    schema = f"toy_{uuid.uuid4().hex[:8]}"

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.spark, str(self.root), self.schema)


@pytest.mark.thorough
def test_tables_are_found_by_name_and_a_second_run_does_nothing(service: Service) -> None:
    named = NamedService(service.spark, service.root, service.tracking)
    named.note(("2026-01-01", "tea", 1), ("2026-01-01", "tea", 2))
    try:
        assert named.run().succeeded
        found = service.spark.table(f"{named.schema}.amounts").collect()
        assert [row["amount"] for row in found] == [3]
        assert named.lake.read(AMOUNTS).collect() == found
        assert service.spark.catalog.tableExists(f"{named.schema}.{JOB_RUNS.name}")
        assert [r.status for r in named.run().reports] == ["up to date", "up to date"]
    finally:
        service.spark.sql(f"DROP SCHEMA IF EXISTS {named.schema} CASCADE")
