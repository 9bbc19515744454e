"""What `cinelake quality` prints, and how it refuses what it cannot tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace

import pytest
import typer
from pyspark.sql import SparkSession
from typer.testing import CliRunner, Result
from unit.tables.rows import rows

from cinelake.qoe.quality.commands import register
from cinelake.tables.qoe import QOE_SESSIONS


@pytest.fixture(scope="module")
def cinelake(spark: SparkSession) -> Callable[..., Result]:
    today, before = {"session_date": date(2026, 3, 28)}, {"session_date": date(2026, 3, 27)}
    good = {
        "outcome": "played",
        "is_sound": True,
        "play_ms": 9000,
        "stall_ms": 1000,
        "bits": 27_000_000,
        "bitrate_ms": 9000,
    }
    sessions = rows(
        spark, QOE_SESSIONS,
        today | good | {"cdn": "aurora"}, today | good | {"cdn": "aurora", "stall_ms": 0},
        today | {"outcome": "start_failure", "cdn": "drift"}, today | {"outcome": "exit_before_start", "cdn": None},
        before | good,
    ).localCheckpoint()  # fmt: skip
    lake = SimpleNamespace(exists=lambda table: table is QOE_SESSIONS, read=lambda table: sessions)
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app, lambda: SimpleNamespace(lake=lake))  # type: ignore[arg-type, return-value]
    return lambda *words: CliRunner().invoke(app, ["quality", *words])


def test_the_newest_day_is_told_by_the_name_of_each_ratio(
    cinelake: Callable[..., Result],
) -> None:
    lines = [line.split() for line in cinelake("--by", "cdn", "--rows", "2").output.splitlines()]
    assert lines[0] == ["sessions", "that", "began", "on", "2026-03-28"]
    assert lines[1] == ["all", "aurora", "drift"]
    told = {line[0]: line[1:] for line in lines[2:]}
    assert told["sessions"] == ["4", "2", "1"]
    assert told["conviva_cirr"] == ["5.26%", "5.26%", "–"]
    assert told["conviva_vsf"] == ["25.00%", "0.00%", "100.00%"]
    assert told["mean_bitrate_kbps"] == ["3,000.0", "kbit/s", "3,000.0", "kbit/s", "–"]


def test_json_has_a_line_a_group(cinelake: Callable[..., Result]) -> None:
    told = [json.loads(line) for line in cinelake("--by", "cdn", "--json").output.splitlines()]
    assert [(one.get("cdn", "all"), one["sessions"]) for one in told] == [
        ("all", 4), ("aurora", 2), ("drift", 1), (None, 1),
    ]  # fmt: skip
    assert told[1]["brightcove_stall_s_per_hour"] == pytest.approx(200)
    (earlier,) = cinelake("--day", "2026-03-27", "--json").output.splitlines()
    assert (json.loads(earlier)["day"], json.loads(earlier)["sessions"]) == ("2026-03-27", 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "colour"), "--by colour: it is one of cdn, pop"),
        (("--day", "yesterday"), "write it as 2026-01-31"),
        (("--day", "2026-03-29"), "no session began on that day"),
    ],
)
def test_what_cannot_be_told_is_refused(
    cinelake: Callable[..., Result], words: tuple[str, ...], said: str
) -> None:
    result = cinelake(*words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
