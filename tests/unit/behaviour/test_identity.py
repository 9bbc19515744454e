"""Every id on its way to silver passes one function, and its key is seen by nobody."""

from __future__ import annotations

import ast
import hmac
from pathlib import Path

from pyspark.sql import SparkSession
from unit.behaviour.bronze import keys

from cinelake import behaviour
from cinelake.behaviour.identity import LENGTH, IdKind, known_as
from cinelake.runtime.keys import Keyring
from cinelake.runtime.runs.rehearsal import REHEARSAL_KEYS
from cinelake.sources.catalog import all_sources
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Layer

# Change rows are ordered by the ids of the records that told of them, and hold none of these. Sessions are summed
# under the ids of their records, which `viewing.py` then names. Browse sessions, the plays of a search and features
# are told from tables of silver, whose ids are pseudonyms already.
STAY_INSIDE = {
    "browsing.py: search_id",
    "searches.py: play_id",
    "features.py: profile_id",
    "tastes.py: profile_id",
    "rollups.py: profile_id",
    "titles.py: event_id",
    "entities.py: event_id",
    "sessions.py: play_id",
    "sessions.py: event_id",
}
SECRET = b"0123456789abcdef0123456789abcdef"


def test_a_pseudonym_is_the_hmac_of_the_id_under_the_key_of_its_kind(spark: SparkSession) -> None:
    ids = ["42", "", "ü" * 200, None]
    ring = Keyring(SECRET)
    frame = spark.createDataFrame(
        [(n, i, i) for n, i in enumerate(ids)], "n int, a string, b string"
    )
    padded = ring.frame(spark, IdKind)
    found = frame.select(
        "n", known_as(IdKind.ACCOUNT, "a", padded), known_as(IdKind.PROFILE, "b", padded)
    ).collect()

    def expected(kind: str, text: str | None) -> str | None:
        key = hmac.digest(SECRET, f"cinelake pseudonym of {kind}".encode(), "sha256")
        return None if text is None else hmac.digest(key, text.encode(), "sha256").hex()[:LENGTH]

    assert sorted(map(tuple, found)) == [
        (n, expected("account", text), expected("profile", text)) for n, text in enumerate(ids)
    ]
    assert ring.hmac("account", "42")[:LENGTH] == expected("account", "42")


def test_no_key_stands_in_a_plan_before_or_after_it_ran(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("42",)], "profile_id string").select(
        known_as(IdKind.PROFILE, "profile_id", keys(spark))
    )
    frame.collect()
    execution = frame._jdf.queryExecution()
    plans = execution.toString() + execution.optimizedPlan().toJSON()
    plans += execution.executedPlan().toJSON() + execution.explainString(
        spark._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("codegen")
    )
    assert "sha2(" in plans
    pads = REHEARSAL_KEYS._pads("profile")
    for secret in (REHEARSAL_KEYS._key("profile"), *pads):
        signed = [b - 256 if b > 127 else b for b in secret[:8]]
        shown = (secret.hex(), ", ".join(map(str, signed)), ",".join(map(str, signed)))
        assert not any(text.lower() in plans.lower() for text in shown)
    assert "REHEARSAL" not in repr(REHEARSAL_KEYS)


def test_no_other_code_of_this_area_selects_an_id_of_people() -> None:
    """A personal id that stands alone in a select would bypass the seam."""
    personal = {f"{kind}_id" for kind in IdKind} | {"ip"}
    bypassing = []
    for module in Path(behaviour.__path__[0]).glob("*.py"):
        for call in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "select":
                bypassing += [
                    f"{module.name}: {arg.value}"
                    for arg in call.args
                    if isinstance(arg, ast.Constant) and arg.value in personal
                ]
    assert set(bypassing) == STAY_INSIDE


def test_what_stops_at_bronze_has_no_column_in_silver_or_gold() -> None:
    """Whoever adds a personal column to silver says here why it may stand there."""
    pseudonyms = {f"{kind} id" for kind in IdKind} | {"IP address"}
    # A browse session's id is hashed from pseudonyms.
    # Who judges an account, or announces work on the network, answers for it by name: these are people of the service,
    # and no viewers of it.
    of_the_service = {"reviewer name", "operator name"}
    may_stand = pseudonyms | of_the_service | {"free text", "coarse place", "browse id"}
    stray = [
        f"{table.name}.{column.name}: {column.personal}"
        for table in all_tables().values()
        if table.layer in (Layer.SILVER, Layer.GOLD)
        for column in table.columns
        if column.personal and column.personal not in may_stand
    ]
    assert stray == []
    told = {words for source in all_sources().values() for words in source.personal}
    assert {"name", "mail address", "postal address", "phone number", "place"} <= told - may_stand
