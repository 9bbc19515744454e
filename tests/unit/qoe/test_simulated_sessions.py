"""A thousand simulated sessions fare as the oracle says, one by one; and close to what the simulator knows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.behaviour.bronze import keys, pseudonym
from unit.qoe.test_sessions import GRACE_S, agreed

from cinelake.behaviour.identity import IdKind
from cinelake.qoe.heard import BEAT_COLUMNS
from cinelake.qoe.sessions import qoe_sessions
from cinelake.runtime.intake.deliveries import Delivery
from cinelake.simulate.commands import deliver, new_service
from cinelake.simulate.settings import Settings
from cinelake.sources.bronze import bronze_rows, payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.sources.source import Source
from cinelake.tables.qoe import QOE_SESSIONS

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(900)]
START, DAYS = date(2026, 1, 5), 7


def records(spark: SparkSession, folder: Path, source: Source, *names: str) -> DataFrame:
    landed = spark.read.text(str(folder / "landing" / source.name / "*" / "*" / "*")).select(
        "value",
        F.lit("file").alias("file"),
        F.lit(None).cast("bigint").alias("line"),
        F.lit(None).cast("timestamp").alias("landed_by"),
    )
    return payload(bronze_rows(landed, source).where("size(_reasons) = 0"), source, *names)


def test_simulated_sessions_fare_as_the_oracle_says(spark: SparkSession, tmp_path: Path) -> None:
    # A day without faults of delivery would be too kind; days are long enough for a thousand plays.
    delivery = Delivery(spark, str(tmp_path))
    deliver(delivery, new_service(Settings(), 72, START, DAYS), DAYS)
    playback = records(spark, tmp_path, PLAYBACK_SOURCE).localCheckpoint()
    heartbeats = records(spark, tmp_path, HEARTBEATS_SOURCE, *BEAT_COLUMNS).localCheckpoint()
    end = START + timedelta(days=DAYS)
    made = qoe_sessions(playback, heartbeats, keys(spark), START, end, GRACE_S)
    made = made.select(*QOE_SESSIONS.names).localCheckpoint()
    # The oracle knows one session a play, all of it in the window.
    own = made.where("session_date < DATE'2026-01-11'")
    events = playback.toPandas().sort_values("received_at").drop_duplicates(["play_id", "event_id"])
    known = {row["play_id"] for row in own.select("play_id").collect()}
    events = events[events["play_id"].map(lambda play: pseudonym(IdKind.PLAY, play)).isin(known)]
    assert agreed(own, events, heartbeats.toPandas()) >= 1000

    truth = ds.dataset(tmp_path / "truth" / "plays").to_table().to_pandas().set_index("play_id")
    truth.index = [pseudonym(IdKind.PLAY, play) for play in truth.index]
    told = own.where("is_by_events").select("play_id", "play_ms", "stall_ms", "stalls", "join_ms")
    both = told.toPandas().set_index("play_id").join(truth, how="inner")
    # The simulator knows how long a stall would have been; who left in it did not see its end.
    told_last = events.sort_values("sequence").groupby("play_id")["event"].nth(-2)
    left = {
        pseudonym(IdKind.PLAY, events.at[n, "play_id"])
        for n in told_last.index
        if told_last[n] == "rebuffer_start"
    }
    in_a_stall = both.index.isin(left)
    assert in_a_stall.sum() >= 20
    assert (both["stall_ms"] / 1000 <= both["rebuffer_s"] + 0.1)[in_a_stall].all()
    both = both[~in_a_stall]
    off = pd.DataFrame(
        {
            "play": (both["play_ms"] / 1000 - both["seconds_watched"]).abs(),
            "stall": (both["stall_ms"] / 1000 - both["rebuffer_s"]).abs(),
            "join": (both["join_ms"] / 1000 - both["join_s"]).abs().dropna(),
        }
    )
    assert len(both) >= 900
    assert (off.quantile(0.99) < 1.0).all()
