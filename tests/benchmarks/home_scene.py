"""A simulated service as the tables that home pages are made from, straight from what the simulator draws.

Plays, tiles and change rows are taken as they happened, with nothing late, lost or wrong, and then summed by the
project's own transforms; so thousands of profiles cost a minute, and what is judged is the page, not the pipeline. Ids
stand as they landed, for nothing here needs their pseudonyms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, DecimalType, IntegerType, LongType, StringType

from cinelake.behaviour.features import title_signals
from cinelake.behaviour.surroundings import with_surroundings
from cinelake.behaviour.tastes import title_audiences
from cinelake.recommend.home.tiles import shown_tiles, title_exposures
from cinelake.recommend.home.unfinished import stopping_points
from cinelake.recommend.index import grown
from cinelake.simulate.calendar import midnight
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import Entry, PlayColumns, Records, ids, title_ids
from cinelake.simulate.viewers.service_side import (
    generate,
    generate_world,
    standing,
    standing_world,
)
from cinelake.tables.audience import CLUSTER_MEMBERS, CLUSTER_TITLES
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, DEVICES, PROFILES, RATINGS, TITLES
from cinelake.tables.browsing import INTERACTIONS
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import SHOWN_TILES, STOPPING_POINTS, TITLE_EXPOSURES
from cinelake.tables.recommend import PROFILE_INDEX, SIMILAR_TITLES, TITLE_INDEX
from cinelake.tables.tastes import TITLE_AUDIENCES
from cinelake.tables.viewing import VIEWING_SESSIONS

# Accounts that are simulated at a time.
BATCH = 200
CHANGES = {
    "accounts": ACCOUNTS,
    "profiles": PROFILES,
    "devices": DEVICES,
    "titles": TITLES,
    "availability": AVAILABILITY,
}
FILLERS = {StringType: "", BooleanType: False, IntegerType: 0, LongType: 0, DecimalType: 0}
Tables = dict[Table, DataFrame]


def simulated(
    spark: SparkSession, settings: Settings, accounts: int, start: date, days: int, folder: Path
) -> Tables:
    """What `accounts` accounts do from `start` on, by table; kept in `folder`, and read from there if it is kept."""
    raw, end = folder / "raw", start + timedelta(days=days)
    if not raw.exists():
        _simulate(settings, accounts, start, end, raw)
    read = {path.name: spark.read.parquet(str(path)) for path in raw.iterdir()}
    told = {table: _changes(read[source], table) for source, table in CHANGES.items()}
    told = {table: _kept(frame, folder / table.name) for table, frame in told.items()}
    return told | _summed(read, told, start, end, folder)


# ---- what the simulator draws, in Parquet


def _simulate(settings: Settings, accounts: int, start: date, end: date, folder: Path) -> None:
    first, last = midnight(start), midnight(end)
    world, _ = generate_world(settings, first, last)
    _store(folder, "world", [*standing_world(settings, first), *world])
    for begin in range(0, accounts, BATCH):
        numbers = np.arange(begin, min(begin + BATCH, accounts), dtype=np.int64)
        plays, records, _ = generate(settings, numbers, first, last)
        _store(folder, str(begin), [*standing(settings, numbers, first), *records])
        _write(folder / "plays" / f"{begin}.parquet", _plays(settings, plays.rows))


def _store(folder: Path, part: str, records: Iterable[Records]) -> None:
    wanted = {*CHANGES, "impressions", "interactions", "ratings"}
    for number, one in enumerate(records):
        if one.source in wanted:
            plain = {
                name: column.cast(column.type.value_type)
                if pa.types.is_dictionary(column.type)
                else column.cast(pa.string())
                if pa.types.is_null(column.type)
                else column
                for name, column in one.payload.items()
            }
            at = pa.array(one.happened, pa.timestamp("us", "UTC"))
            _write(folder / one.source / f"{part}-{number}.parquet", pa.table(plain | {"at": at}))


def _plays(settings: Settings, rows: PlayColumns) -> pa.Table:
    seed, lasts = settings.seed, np.maximum(rows.leave_position - rows.start_position, 5.0)
    from_page, is_episode = rows.page > 0, rows.episode >= 0
    entries = np.array([entry.name.lower() for entry in Entry])
    return pa.table(
        {
            "play_id": [f"{p}-{v}" for p, v in zip(rows.pressed_at, rows.viewer, strict=True)],
            "account_id": ids(seed, "account", rows.account),
            "profile_id": ids(seed, "profile", rows.profile),
            "device_id": ids(seed, "device", rows.device),
            "title_id": title_ids(seed, rows.title),
            "episode_id": _where(is_episode, title_ids(seed, rows.title, rows.episode)),
            "started_at": pa.array(rows.pressed_at, pa.timestamp("us", "UTC")),
            "ended_at": pa.array(
                rows.pressed_at + (lasts * 1e6).astype(np.int64), pa.timestamp("us", "UTC")
            ),
            "seconds_watched": lasts,
            "end_position_s": rows.leave_position,
            "completion": np.minimum(rows.leave_position / rows.runtime, 1.0),
            "is_finished": rows.leave_position >= rows.credits_start,
            "entry": entries[rows.entry],
            "entry_row": pa.array(rows.row.astype(np.int32), mask=rows.row < 0),
            "entry_rank": pa.array(rows.rank.astype(np.int32), mask=rows.row < 0),
            "page_id": _where(from_page, ids(seed, "page", rows.page)),
            "binge_position": rows.binge_position.astype(np.int32),
        }
    )


def _where(holds: np.ndarray, values: pa.Array) -> pa.Array:
    return pa.compute.if_else(pa.array(holds), values, pa.scalar(None, values.type))


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, coerce_timestamps="us")


# ---- tables


def _changes(told: DataFrame, table: Table) -> DataFrame:
    at = F.col("at")
    last = told.select(
        "*", at.alias("effective_from"), at.cast("date").alias("effective_date")
    ).dropDuplicates(list(table.key))
    return _filled(last, table)


def _summed(
    read: Mapping[str, DataFrame], told: Tables, start: date, end: date, folder: Path
) -> Tables:
    sessions = _kept(_sessions(read["plays"], told), folder / VIEWING_SESSIONS.name)
    interactions = _kept(
        _interactions(read["impressions"], read["interactions"]), folder / INTERACTIONS.name
    )
    rated = {"rated_at": F.col("at"), "rating_date": F.col("at").cast("date")}
    ratings = _filled(read["ratings"].withColumns(rated), RATINGS)
    tiles = _kept(
        shown_tiles(interactions, sessions, told[ACCOUNTS], told[DEVICES], start, end),
        folder / SHOWN_TILES.name,
    )
    signals = title_signals(sessions, interactions, ratings)
    made = {
        TITLE_SIGNALS: _filled(signals, TITLE_SIGNALS),
        STOPPING_POINTS: stopping_points(sessions),
        TITLE_EXPOSURES: title_exposures(tiles),
        TITLE_AUDIENCES: title_audiences(sessions, told[PROFILES]),
    }
    kept = {
        table: _kept(frame.select(*table.names), folder / table.name)
        for table, frame in made.items()
    }
    spark = sessions.sparkSession
    empty = {
        table: spark.createDataFrame([], table.schema)
        for table in (SIMILAR_TITLES, CLUSTER_MEMBERS, CLUSTER_TITLES)
    }
    indexes = {
        table: _kept(
            grown(
                spark.createDataFrame([], table.schema), kept[TITLE_SIGNALS], name, "signal_date"
            ),
            folder / table.name,
        )
        for table, name in ((PROFILE_INDEX, "profile_id"), (TITLE_INDEX, "title_id"))
    }
    return kept | empty | indexes | {SHOWN_TILES: tiles, VIEWING_SESSIONS: sessions}


def _sessions(plays: DataFrame, told: Tables) -> DataFrame:
    day = F.col("started_at").cast("date").alias("session_date")
    placed = with_surroundings(
        plays.select("*", day), told[ACCOUNTS], told[DEVICES], "session_date"
    )
    where = told[ACCOUNTS].select("account_id", F.col("market").alias("country")).distinct()
    one_each = where.groupBy("account_id").agg(F.min("country").alias("country"))
    return _filled(
        placed.join(F.broadcast(one_each), on="account_id", how="left").withColumn(
            "first_frame_at", F.col("started_at")
        ),
        VIEWING_SESSIONS,
    )


def _interactions(impressions: DataFrame, acts: DataFrame) -> DataFrame:
    whole = impressions.withColumn("action", F.lit("impression")).unionByName(
        acts, allowMissingColumns=True
    )
    slot = ("action", "profile_id", "page_id", "row", "rank", "title_id", "at")
    return _filled(
        whole.select(
            "*",
            F.sha1(F.concat_ws("|", *(F.col(name).cast("string") for name in slot))).alias(
                "event_id"
            ),
            F.col("at").alias("acted_at"),
            F.col("at").cast("date").alias("action_date"),
            F.col("seen").alias("was_seen"),
        ),
        INTERACTIONS,
    )


def _filled(frame: DataFrame, table: Table) -> DataFrame:
    """The columns of a table; what nobody tells of is null, or nothing in the sense of its type."""

    def column(name: str) -> Column:
        field = table.schema[name]
        if name in frame.columns:
            return F.col(name).cast(field.dataType).alias(name)
        filler = FILLERS.get(type(field.dataType)) if not field.nullable else None
        value = F.array() if isinstance(field.dataType, ArrayType) else F.lit(filler)
        return value.cast(field.dataType).alias(name)

    return frame.select(*map(column, table.names))


def _kept(frame: DataFrame, path: Path) -> DataFrame:
    if not path.exists():
        frame.write.parquet(str(path))
    return frame.sparkSession.read.parquet(str(path))
