"""Files of a lake: whole or not there; tests/soak writes on conditions to a store that knows them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.spark import preflight


def test_a_file_is_made_once_and_never_half(spark: SparkSession, tmp_path: Path) -> None:
    storage = Storage(spark)
    path = f"{tmp_path}/turns/ratings"
    assert storage.put_new(path, "first")
    assert not storage.put_new(path, "second")
    assert storage.text(path) == "first"
    for text in ("third", "fourth"):
        storage.put(f"{tmp_path}/check", text)
        assert storage.text(f"{tmp_path}/check") == text
    assert storage.names(f"{tmp_path}") == ["check", "turns"]
    assert [name for name in storage.names(f"{tmp_path}/turns") if name[0] != "."] == ["ratings"]


def test_conditions_are_for_stores_that_keep_to_them(spark: SparkSession) -> None:
    storage = Storage(spark)
    assert storage.takes_conditions("s3a://films/lake")
    assert not storage.takes_conditions("/data/lake")
    assert not storage.takes_conditions("hdfs:///lake")
    storage._conf.set("fs.s3a.create.conditional.enabled", "false")
    assert not storage.takes_conditions("s3a://films/lake")


class Lax:
    """A store that lets everybody make a file."""

    removed = False

    def takes_conditions(self, _: str) -> bool:
        return True

    def put_new(self, path: str, text: str) -> bool:
        return True

    def remove(self, path: str) -> None:
        self.removed = True


def test_a_store_that_lets_two_make_a_file_is_refused() -> None:
    store: Any = Lax()
    with pytest.raises(LakeError, match="does not keep to conditional writes .a second writer"):
        preflight.require_conditions(store, "s3a://films/lake")
    assert store.removed


@pytest.mark.parametrize(
    ("schema", "conf", "complaint"),
    [
        ("films", {"spark.sql.catalogImplementation": "hive"}, None),
        ("films", {"spark.sql.catalog.spark_catalog": "io.unitycatalog.Catalog"}, None),
        ("unity.films", {"spark.sql.catalog.unity": "io.unitycatalog.Catalog"}, None),
        ("films", {"spark.sql.catalogImplementation": "in-memory"}, "ends with this session"),
        ("unity.films", {}, "does not know; set spark.conf.spark.sql.catalog.unity"),
    ],
)
def test_names_need_a_catalog_that_is_kept(
    schema: str, conf: dict[str, str], complaint: str | None
) -> None:
    delta = {"spark.sql.catalog.spark_catalog": preflight.DELTA_CATALOG}
    given: Any = SimpleNamespace(conf=SimpleNamespace(get=(delta | conf).get))
    if complaint is None:
        preflight.require_catalog(given, schema)
    else:
        with pytest.raises(LakeError, match=complaint):
            preflight.require_catalog(given, schema)
