"""`cinelake watch`: sessions, cells and alarms as records come in, until it is interrupted.

It reads what `cinelake run --trigger` ingests, and writes the live tables, which nobody else does; so both can go on
side by side, even on a lake in a local folder, whose tables take one writer each. Of the watch itself there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.identity import IdKind
from cinelake.qoe.anomalies import HISTORY
from cinelake.qoe.live import step
from cinelake.qoe.live.foreseen import Foresight, foreseen, heard_moments, live_risks
from cinelake.qoe.live.heard import gathered
from cinelake.qoe.live.settings import Watching, configured
from cinelake.qoe.pictures import METRIC_NAMES
from cinelake.qoe.rollups import rollups
from cinelake.qoe.stalls.registration import NODES, THRESHOLD
from cinelake.qoe.stalls.trees import Boosted
from cinelake.runtime import arguments
from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.delta.lock import lake_lock
from cinelake.runtime.delta.staging import KEPT
from cinelake.runtime.settings import local_path
from cinelake.runtime.tracking.registry import Registry
from cinelake.runtime.tracking.store import TrackingDown
from cinelake.runtime.workspace import Workspace
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.maintenance import QOE_MAINTENANCE
from cinelake.tables.qoe import HOUR, QOE_ROLLUPS, QOE_SESSIONS
from cinelake.tables.quality_live import (
    KEPT_DAYS,
    QOE_ANOMALIES_LIVE,
    QOE_CELLS_LIVE,
    QOE_MOMENTS_LIVE,
    QOE_SESSIONS_LIVE,
    QOE_STALL_RISKS_LIVE,
)
from cinelake.tables.stalls import QOE_STALL_RISKS, STALLS

JOB = "cinelake watch"
# The name goes with what is remembered of heartbeats: a stream cannot go on with a state of other columns.
CHECKPOINT = "checkpoints/qoe_live_heard"
# What the batch makes usual, told once for many batches of the watch.
STAGED = f"{KEPT}/qoe_live"
_HOUR = timedelta(hours=1)
# Before anybody streamed, where the batch has said nothing yet.
LONG_AGO = date(1970, 1, 1)


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def watch(
        trigger: Annotated[
            str | None,
            typer.Option(
                help='"1 minute": at that pace until interrupted. [what has come in, then end]'
            ),
        ] = None,
    ) -> None:
        """Watch streaming quality live: write the live tables, and tell of alarms as they come."""
        workspace = context()
        with _alone(workspace):
            keys = workspace.keyring.frame(workspace.spark, IdKind)
            settings = configured(workspace.settings.jobs)
            watching = Watch(
                workspace.lake,
                keys,
                settings,
                tell=typer.echo,
                foresight=approved(workspace.tracking, typer.echo),
            )
            watching.run(arguments.trigger(trigger))


def approved(registry: Registry, tell: Callable[[str], None]) -> Callable[[date], Foresight | None]:
    """The prediction of stalls that the batch will use on a day, as far as is known by now.

    While the registry is away that of before stays, which is told: alarms do not wait for MLflow.
    """
    known: Foresight | None = None
    is_away = False

    def on(day: date) -> Foresight | None:
        nonlocal known, is_away
        try:
            version = registry.newest_approved(STALLS, day)
            if version is None:
                known = None
            elif known is None or known.version != version.version:
                trees = Boosted.of_frame(registry.read_frame(version, NODES))
                known = Foresight(trees, float(version.tags[THRESHOLD]), version.version)
        except TrackingDown as away:
            if not is_away:
                stays = f"version {known.version} of" if known else "no"
                tell(f"stalls are foreseen by {stays} model {STALLS.name!r} meanwhile: {away}")
            is_away = True
        else:
            is_away = False
        return known

    return on


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Keep a second watch out of the lake; raises LakeBusy."""
    lake = workspace.settings.lake
    if not workspace.settings.lake_is_local:
        with workspace.lake.alone_at(CHECKPOINT.replace("/", "-")):
            yield
        return
    with lake_lock(local_path(lake.root) / CHECKPOINT, lake.lock_wait):
        yield


class Watch:
    """Takes micro-batches; each step leaves the live tables as all records so far have them."""

    def __init__(
        self,
        lake: Lake,
        keys: DataFrame,
        settings: Watching,
        tell: Callable[[str], None],
        foresight: Callable[[date], Foresight | None] = lambda _: None,
    ) -> None:
        self._lake, self._keys, self._settings, self._tell = lake, keys, settings, tell
        self._foresight = foresight
        self._expired: tuple[date, int, int, int] | None = None
        self.error: BaseException | None = None

    def run(self, trigger: dict[str, Any], options: dict[str, Any] | None = None) -> None:
        """Take what comes, as `trigger` says; `options` are those of `Lake.follow`.

        Raises what a step raised.
        """
        # Of what is there already, none may come before what is older, or the watermark would drop that.
        read = {"withEventTimeOrder": True} | (options or {})
        since = self._since()
        playback, heartbeats = (
            self._lake.follow(table, read).where(F.col("event_date") >= F.lit(since))
            for table in (BRONZE_PLAYBACK, BRONZE_HEARTBEATS)
        )
        heard = gathered(playback, heartbeats, self._settings.late)
        query = self._lake.stream(
            heard, f"{self._lake.root}/{CHECKPOINT}", trigger, self.take, mode="update"
        )
        try:
            query.awaitTermination()
        # Spark tells of a failure in a step as text; the real one is raised.
        except StreamingQueryException as error:
            raise self.error or error from None
        finally:
            query.stop()

    def _since(self) -> date:
        """The day from which on records are of interest: the batch's newest day, and the one before it.

        So a watch that is begun on years of bronze reads two days of it.
        """
        told = self._lake.read(QOE_SESSIONS).agg(F.max("session_date").alias("newest"))
        (row,) = told.toArrow().to_pylist()
        newest: date | None = row["newest"]
        return LONG_AGO if newest is None else newest - timedelta(days=1)

    def take(self, batch: DataFrame, number: int) -> None:
        try:
            self._take(batch.localCheckpoint(), number)
        except BaseException as error:
            self.error = error
            raise RuntimeError(f"step {number} of the watch failed: {error}") from error

    def _take(self, batch: DataFrame, number: int) -> None:
        settings, lake = self._settings, self._lake
        span = batch.agg(F.min("first_day").alias("first"), F.max("first_day").alias("last"))
        (days,) = span.toArrow().to_pylist()
        if days["first"] is None:
            return
        first, last = days["first"], days["last"]
        found = step.sessions(batch, self._keys, first, last + timedelta(days=1), settings.grace_s)
        note = Note(run=f"{JOB}:{number}", job=JOB, code=code_version(), action="live")
        dates = [first + timedelta(days=n) for n in range((last - first).days + 2)]
        told = _moment(step.told_until(lake.read(QOE_CELLS_LIVE)))
        lake.upsert(QOE_SESSIONS_LIVE, found, note, days=dates, gone=step.GONE)
        # Whoever was heard of when cells were told, or since, began two days before at most.
        since = None if told is None else told.date() - timedelta(days=2)
        every = lake.read(QOE_SESSIONS_LIVE, None, since)
        wanted = _naive(step.touched(batch, settings.grace_s).toArrow().to_pylist())
        if told is not None:
            again = _naive(step.went_on(every, told, settings.grace_s).toArrow().to_pylist())
            # The hour that went on then may be over by now, and is judged once more.
            again.append(told.replace(minute=0))
            # A collector's clock may be ahead: what is dated so is not told anew each time, as if it were now.
            wanted = sorted({*wanted, *(hour for hour in again if hour <= wanted[-1])})
        # Without a session there is nothing that could go on.
        until = _moment(step.heard_until(every, settings.grace_s)) or wanted[-1]
        known = lake.read(
            QOE_SESSIONS_LIVE,
            None,
            wanted[0].date() - timedelta(days=1),
            wanted[-1].date() + timedelta(days=1),
        )
        made = step.live_cells(known, wanted, settings.bearable, until, settings.grace_s)
        self._replace(lake, QOE_CELLS_LIVE, made, wanted, note)
        self._judge(wanted, until, note)
        self._foresee(batch, wanted, note)
        self._expire(last, note)

    def _judge(self, wanted: list[datetime], until: datetime, note: Note) -> None:
        """Judge the hours that were touched, and those after them, whose hour before has changed."""
        settings, lake = self._settings, self._lake
        # What came late by more than a day is the batch's to judge.
        wanted = [hour for hour in wanted if hour > wanted[-1] - timedelta(days=1)]
        judged = sorted({*wanted, *(hour + _HOUR for hour in wanted)})
        beside = sorted({*judged, *(hour - _HOUR for hour in judged)})
        days = sorted({hour.date() for hour in beside})
        frames = [self._expected(day) for day in days]
        usual = frames[0]
        for frame in frames[1:]:
            usual = usual.unionByName(frame)
        cells = lake.read(QOE_CELLS_LIVE, None, days[0], days[-1] + timedelta(days=1))
        found = step.live_anomalies(
            cells.where(step.in_hours(F.col("bucket_at"), beside)), usual, judged, settings.subsets,
            settings.floor, settings.alarming, lake.read(QOE_MAINTENANCE), until, settings.looks,
        ).localCheckpoint()  # fmt: skip
        before = lake.read(QOE_ANOMALIES_LIVE, None, days[0], days[-1] + timedelta(days=1))
        key = list(QOE_ANOMALIES_LIVE.key)
        new = found.where("is_alarm").join(
            before.where("is_alarm").select(*key), on=key, how="left_anti"
        )
        strongest = new.orderBy(F.desc("evidence"), *key).limit(20)
        told = strongest.toArrow().to_pylist()
        self._replace(lake, QOE_ANOMALIES_LIVE, found, judged, note)
        for alarm in told:
            self._tell(
                f"{alarm['bucket_at']:%Y-%m-%d %H}h {alarm['cell']}: {METRIC_NAMES[alarm['metric']]}, "
                f"{alarm['bad']} of {alarm['total']}, usually {alarm['expected_rate']:.1%}"
            )

    def _foresee(self, batch: DataFrame, wanted: list[datetime], note: Note) -> None:
        """Tell which sessions are about to stall, and in which cells, in the hours that were touched.

        And in those after them, as what is around a session is told of the five minutes before.
        """
        lake = self._lake
        hours = sorted({*wanted, *(hour + _HOUR for hour in wanted)})
        since, until = hours[0].date() - timedelta(days=1), hours[-1].date() + timedelta(days=1)
        foresight = self._foresight(wanted[-1].date())
        told = foreseen(
            lake.read(QOE_MOMENTS_LIVE, None, since, until),
            heard_moments(batch, self._keys),
            hours,
            foresight,
        ).localCheckpoint()
        self._replace(lake, QOE_MOMENTS_LIVE, told, hours, note)
        if foresight is not None:
            self._replace(lake, QOE_STALL_RISKS_LIVE, live_risks(told, foresight), hours, note)

    def _expected(self, day: date) -> DataFrame:
        """What is usual on a day, told anew when the batch has said more, and kept among the lake's passing work."""
        name = f"{STAGED}/{day}/{self._lake.version(QOE_ROLLUPS) or 0}"
        known = self._lake.staging.get(name, step.EXPECTED)
        if known is not None:
            return known
        settings, since = self._settings, day - timedelta(days=HISTORY)
        past = self._lake.read(QOE_ROLLUPS, None, since, day).where(F.col("width") == HOUR)
        live = rollups(
            self._lake.read(QOE_CELLS_LIVE, None, since, day).where(F.col("width") == HOUR),
            settings.subsets,
            settings.floor,
        )
        whole = step.ahead(past, live.select(*past.columns), "cell_date")
        told = step.expected(whole, day, settings.usual, settings.alarming)
        return self._lake.staging.put(told, name)

    def _replace(
        self, lake: Lake, table: Any, frame: DataFrame, wanted: list[datetime], note: Note
    ) -> None:
        hours = ", ".join(f"TIMESTAMP'{hour.isoformat()}'" for hour in wanted)
        lake.replace(
            table,
            frame.select(*table.names),
            wanted[0].date(),
            wanted[-1].date() + timedelta(days=1),
            note,
            where=f"date_trunc('HOUR', bucket_at) IN ({hours})",
        )

    def _expire(self, newest: date, note: Note) -> None:
        """Forget what the batch has said, once a day and whenever it has said more.

        The batch's newest day stays, for the first hours of the next are judged beside its last; who reads of live
        tables takes the days after it. Sessions go back one day more, as plays may go on over midnight.
        """
        lake = self._lake
        said_so = (QOE_SESSIONS, QOE_ROLLUPS, QOE_STALL_RISKS)
        sessions, cells, risks = (lake.version(table) or 0 for table in said_so)
        now = newest, sessions, cells, risks
        if self._expired == now:
            return
        long_ago = newest - timedelta(days=KEPT_DAYS)
        judged = lake.read(QOE_ROLLUPS).agg(F.max("cell_date").alias("newest"))
        (row,) = judged.toArrow().to_pylist()
        said = row["newest"] or LONG_AGO
        warned = lake.read(QOE_STALL_RISKS).agg(F.max("risk_date").alias("newest"))
        (row,) = warned.toArrow().to_pylist()
        warned_of = row["newest"] or said
        for table, since in (
            (QOE_SESSIONS_LIVE, min(self._since(), said - timedelta(days=1))),
            (QOE_CELLS_LIVE, said),
            (QOE_ANOMALIES_LIVE, said),
            (QOE_STALL_RISKS_LIVE, warned_of),
            # How devices fared on a day is looked up on the next.
            (QOE_MOMENTS_LIVE, warned_of - timedelta(days=1)),
        ):
            lake.expire(table, max(long_ago, since), note)
        lake.staging.remove(f"{STAGED}/{long_ago}")
        self._expired = now


def _moment(of: DataFrame) -> datetime | None:
    """The one `until` of a frame, as UTC without saying so."""
    (row,) = of.toArrow().to_pylist()
    at: datetime | None = row["until"]
    return at and at.replace(tzinfo=None)


def _naive(rows: list[dict[str, Any]]) -> list[datetime]:
    """Hours in order, as UTC without saying so, as Spark takes them."""
    return sorted(row["hour"].replace(tzinfo=None) for row in rows)
