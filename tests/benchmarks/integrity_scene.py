"""A simulated service as silver tables, beside the truth: what the benchmark of account integrity is judged on.

Sessions are what viewers mean to play and log-ins what the edge sees, with nothing late, lost or wrong: the pipeline's
own tests are about that. Ids stand as they landed, for nothing here needs their pseudonyms.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from cinelake.behaviour.places import cells
from cinelake.simulate.calendar import midnight, offset
from cinelake.simulate.profile import settings_of
from cinelake.simulate.settings import Settings
from cinelake.simulate.surroundings import burden
from cinelake.simulate.trace import CONNECTIONS, DEVICE_KINDS, Plays, Records, ids, title_ids
from cinelake.simulate.viewers.service_side import (
    generate,
    generate_world,
    standing,
    standing_world,
)
from cinelake.simulate.world import devices as hardware
from cinelake.simulate.world import networks as lines
from cinelake.simulate.world.markets import geography
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, LOG_INS, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.viewing import VIEWING_SESSIONS

BATCH = 100
DEEP_LINK = 4
# Sources whose records make a scene, beside those of titles.
SOURCES = ("log_ins", "accounts", "devices", "profiles")


@dataclass(frozen=True)
class Scene:
    """Frames by table name, and of truth `abuse`, `confounders`, `accounts`."""

    tables: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]


def simulated(settings: Settings, accounts: int, start: date, days: int) -> Scene:
    """The first `accounts` accounts of the service, from `start` on."""
    begin, end = midnight(start), midnight(start + timedelta(days=days))
    parts: dict[str, list[pd.DataFrame]] = {}
    truth: dict[str, list[pd.DataFrame]] = {}
    spoilt = partial(burden, settings)
    for first in range(0, accounts, BATCH):
        numbers = np.arange(first, min(first + BATCH, accounts), dtype=np.int64)
        plays, records, truths = generate(settings, numbers, begin, end, spoilt)
        records = [*records, *standing(settings, numbers, begin, spoilt)]
        made = {"viewing_sessions": [_sessions(settings, plays)]}
        for one in records:
            if one.source in SOURCES:
                made.setdefault(one.source, []).append(_records(settings, one))
        for name, frames in made.items():
            parts.setdefault(name, []).extend(frames)
        for name in ("abuse", "confounders", "accounts"):
            truth.setdefault(name, []).append(truths.tables[name].to_pandas())
    world, _ = generate_world(settings, begin, end)
    for one in [*world, *standing_world(settings, begin)]:
        if one.source == "titles":
            parts.setdefault(one.source, []).append(_records(settings, one))
    return Scene(
        {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()},
        {name: pd.concat(frames, ignore_index=True) for name, frames in truth.items()},
    )


def _records(settings: Settings, records: Records) -> pd.DataFrame:
    plain = {
        name: column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for name, column in records.payload.items()
    }
    frame = pa.table(plain).to_pandas()
    frame["at"] = records.happened.astype("datetime64[us]")
    frame["event_id"] = [
        f"{records.source}{a}-{o}" for a, o in zip(records.account, records.order, strict=True)
    ]
    return frame


def _sessions(settings: Settings, plays: Plays) -> pd.DataFrame:
    seed, rows, places = settings.seed, plays.rows, geography(settings.world.markets)
    where = lines.describe(settings, rows.network, rows.pressed_at)
    paused = np.bincount(plays.pauses.play, plays.pauses.seconds, minlength=len(rows))
    seconds = np.maximum(rows.leave_position - rows.start_position, 5.0)
    zone = places.region_zone[where.true_region]
    local = rows.pressed_at + offset(places.zones, zone, rows.pressed_at)
    start = rows.pressed_at.astype("datetime64[us]")
    end = (rows.pressed_at + ((seconds + paused) * 1e6).astype(np.int64)).astype("datetime64[us]")
    kind = hardware.kinds(settings, rows.device)
    frame: dict[str, Any] = {
        "play_id": [
            f"v{a}-{p}-{v}"
            for a, p, v in zip(rows.account, rows.pressed_at, rows.viewer % 16, strict=True)
        ],
        "account_id": ids(seed, "account", rows.account).to_pandas(),
        "profile_id": ids(seed, "profile", rows.profile).to_pandas(),
        "device_id": ids(seed, "device", rows.device).to_pandas(),
        "title_id": title_ids(seed, rows.title).to_pandas(),
        "is_episode": rows.episode >= 0,
        "episode": rows.episode,
        "started_at": start,
        "ended_at": end,
        "seconds_watched": np.round(seconds, 3),
        "seconds_paused": np.round(paused, 3),
        "completion": np.minimum(rows.leave_position / rows.runtime, 1.0),
        "entry": rows.entry,
        "device_kind": np.array(DEVICE_KINDS)[kind],
        "local_at": local.astype("datetime64[us]"),
        "connection": np.array(CONNECTIONS)[where.connection],
        "ip": where.ip,
        "asn": where.asn,
        "isp": np.array(places.isps, dtype=object)[where.isp],
        "country": np.array(places.countries, dtype=object)[where.country],
        "region": np.array(places.regions, dtype=object)[where.region],
        "offender": rows.offender,
    }
    return pd.DataFrame(frame)


def kept(
    folder: Path, profile: Path | None, seed: int, accounts: int, start: date, days: int
) -> Scene:
    """Read the scene from `folder`, or make it there first."""
    import tomllib

    names = ("viewing_sessions", "titles", *SOURCES)
    if not folder.exists():
        content = tomllib.loads(profile.read_text()) if profile else {}
        content = {**content, "seed": seed}
        content["world"] = {"reference": start, **content.get("world", {})}
        made = simulated(settings_of(content, "scene"), accounts, start, days)
        fresh = folder.with_name(folder.name + ".part")
        fresh.mkdir(parents=True, exist_ok=True)
        for name, frame in made.tables.items():
            frame.to_parquet(fresh / f"{name}.parquet")
        for name, frame in made.truth.items():
            frame.to_parquet(fresh / f"truth_{name}.parquet")
        fresh.rename(folder)
    return Scene(
        {name: pd.read_parquet(folder / f"{name}.parquet") for name in names},
        {
            name: pd.read_parquet(folder / f"truth_{name}.parquet")
            for name in ("abuse", "confounders", "accounts")
        },
    )


def registered_from(scene: Scene, start: date, days: int) -> Scene:
    """The scene with devices that nobody registered until so many days before its start.

    What was there before is first seen as long after that as it first plays after the start.
    """
    plays, devices = scene.tables["viewing_sessions"], scene.tables["devices"]
    begun = pd.Timestamp(start - timedelta(days=days))
    first = plays.groupby(["account_id", "device_id"]).started_at.min()
    whose = pd.MultiIndex.from_frame(devices[["account_id", "device_id"]])
    played = pd.Series(first.reindex(whose).to_numpy(), devices.index)
    seen = pd.to_datetime(devices.first_seen_at, utc=True).dt.tz_localize(None)
    later = (played - timedelta(days=days)).fillna(begun)
    told = devices.assign(first_seen_at=seen.where(seen >= begun, np.maximum(seen, later)))
    return Scene(scene.tables | {"devices": told}, scene.truth)


def stored(spark: SparkSession, scene: Scene, folder: Path) -> dict[Table, DataFrame]:
    """The scene as silver tables, in Parquet under `folder`."""
    v, log_ins = scene.tables["viewing_sessions"], scene.tables["log_ins"]
    v = v.assign(
        session_date=v.started_at.dt.date,
        first_frame_at=v.started_at,
        kind=np.where(v.is_episode, "episode", "film"),
        episode_id=(v.title_id + "-" + v.episode.astype(str)).where(v.is_episode),
        is_finished=v.completion > 0.9,
        entry=np.where(v.entry == DEEP_LINK, "deep_link", "home"),
        local_date=v.local_at.dt.date,
        local_hour=v.local_at.dt.hour,
        local_weekday=v.local_at.dt.weekday + 1,
        close_reason="stop",
        last_seen_at=v.ended_at,
        seconds_watched=v.seconds_watched.map(lambda s: Decimal(round(s * 1000)).scaleb(-3)),
        seconds_paused=v.seconds_paused.map(lambda s: Decimal(round(s * 1000)).scaleb(-3)),
    )
    degrees = (pa.array(log_ins[axis], pa.float64()) for axis in ("latitude", "longitude"))
    located = cells(*degrees).to_pylist()
    log_ins = log_ins.assign(
        attempted_at=log_ins["at"], attempt_date=log_ins["at"].dt.date, cell=located
    )
    told = {
        VIEWING_SESSIONS: v,
        LOG_INS: log_ins,
        ACCOUNTS: _changes(scene.tables["accounts"]).assign(
            signed_up_at=lambda f: pd.to_datetime(f.signed_up_at, utc=True)
        ),
        PROFILES: _changes(scene.tables["profiles"]),
        TITLES: _changes(scene.tables["titles"][["title_id", "genres", "at"]]),
        DEVICES: _changes(scene.tables["devices"]).assign(
            first_seen_at=lambda f: pd.to_datetime(f.first_seen_at, utc=True)
        ),
    }
    for table, frame in told.items():
        path = folder / table.name
        if not path.exists():
            path.mkdir(parents=True)
            whole = pa.Table.from_pylist([], to_arrow_schema(table.schema, timezone="UTC")).schema
            columns = [_column(frame, field) for field in whole]
            pq.write_table(pa.table(columns, schema=whole), path / "rows.parquet")
    return {
        table: spark.read.schema(table.schema).parquet(str(folder / table.name)) for table in told
    }


def _changes(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(effective_from=frame["at"], effective_date=frame["at"].dt.date)


FILLED: dict[str, Any] = {"int32": 0, "bool": False, "string": "x", "double": 0.0}


def _column(frame: pd.DataFrame, field: pa.Field) -> pa.Array:
    if field.name in frame:
        values = frame[field.name]
        if pa.types.is_timestamp(field.type):
            values = pd.to_datetime(values, utc=True)
        return pa.Array.from_pandas(values, type=field.type)
    if field.nullable:
        return pa.nulls(len(frame), field.type)
    filler: Any = [] if pa.types.is_list(field.type) else FILLED.get(str(field.type), Decimal(0))
    return pa.array([filler] * len(frame), type=field.type)
