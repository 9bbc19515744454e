"""Streaming quality (QoE): sessions, cells of sessions, what is worse than it should be, and incidents.

- `qoe_sessions`: one row a play attempt, with numerators and denominators of every ratio, and what it did by slice.
- `qoe_cells`: one row a combination of all dimensions and bucket of time; integers that add up.
- `qoe_rollups`: the same summed over the subsets of dimensions that operators ask for.
- `qoe_anomalies`: one row a cell, hour and metric that was worse than its baseline allows.
- `qoe_incidents`: one row an incident and day: what belongs together, since when, whom it hits, and where it lies.

Times are UTC; lengths are whole milliseconds and amounts whole numbers, so that sums are exact in any order.
"""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from cinelake.tables.contract import Column, Layer, Partition, Table, between, one_of, satisfies

# Where a session stood in the network, and on what it ran; operators ask for subsets of these.
DIMENSIONS = (
    "cdn",
    "pop",
    "isp",
    "asn",
    "region",
    "device_model",
    "app_version",
    "connection",
)
# What a session may be: media3's ends of a playback, and Conviva's names for those before the first frame.
OUTCOMES = ("played", "playback_failure", "start_failure", "exit_before_start")
METRICS = (
    "start_failure",
    "exit_before_start",
    "slow_start",
    "stall",
    "playback_failure",
    "dropped_frames",
    "low_bitrate",
)
STATES = ("open", "recovering", "closed")
FIVE_MINUTES, HOUR, DAY = 5, 60, 1440

_ABOUT = {
    "cdn": "Content delivery network",
    "pop": "Its point of presence",
    "isp": "Internet service provider",
    "asn": "Autonomous system, as digits",
    "region": "Region of the address",
    "device_model": "Model, as the device names itself",
    "app_version": "Version of the app",
    "connection": "Kind of connection, as fibre, mobile",
}


def _struct(**kinds: DataType) -> StructType:
    return StructType([StructField(name, kind) for name, kind in kinds.items()])


_L = LongType()
SLICE = _struct(
    slice_at=TimestampType(),
    play_ms=_L,
    stall_ms=_L,
    stalls=_L,
    dropped_frames=_L,
    frames_ms=_L,
    bits=_L,
    bitrate_ms=_L,
    hour_ms=_L,
    hour_stall_ms=_L,
    hour_dropped_frames=_L,
    hour_frames_ms=_L,
    hour_bits=_L,
    hour_bitrate_ms=_L,
)


def _count(name: str, comment: str) -> Column:
    return Column(name, LongType(), comment, required=True)


QOE_SESSIONS = Table(
    name="qoe_sessions",
    area="qoe",
    layer=Layer.SILVER,
    grain="one play attempt, whether or not it came to a first frame, as its player and its heartbeats tell of it",
    columns=(
        Column("play_id", StringType(), "The attempt", required=True, personal="play id"),
        Column("session_date", DateType(), "Day of its first record", required=True),
        Column("started_at", TimestampType(), "First record, as a rule the press of play", required=True),
        Column("first_frame_at", TimestampType(), "When the picture began; null if nobody told"),
        Column("ended_at", TimestampType(), "When it ended; untold, a grace after the last record", required=True),
        Column("outcome", StringType(), ", ".join(OUTCOMES), required=True),
        Column("error_code", StringType(), "Of a failure, in media3's words"),
        *(Column(name, StringType(), _ABOUT[name]) for name in DIMENSIONS),
        Column("country", StringType(), "Country of the address (ISO 3166-1)"),
        Column("join_ms", LongType(), "Video start time: press of play to first frame (ms); null if not known"),
        Column("wait_ms", LongType(), "Without a first frame: how long was waited for it (ms); else null"),
        _count("play_ms", "Time in which it played (ms)"),
        _count("pause_ms", "Time in which it stood paused, buffering or not (ms)"),
        _count("seek_ms", "Time between a jump and the picture, with the buffering that it causes (ms)"),
        _count("stall_ms", "Connection-induced rebuffering (ms)"),
        _count("stalls", "Connection-induced rebuffers"),
        _count("seeks", "Jumps"),
        _count("pauses", "Pauses"),
        _count("switches_up", "Changes to a higher bitrate"),
        _count("switches_down", "Changes to a lower bitrate"),
        _count("bits", "Bitrate times playing time (kbit/s x ms) where the bitrate is known"),
        _count("bitrate_ms", "Playing time of which the bitrate is known (ms)"),
        _count("dropped_frames", "Frames dropped"),
        _count("frames_ms", "Playing time of which dropped frames were told (ms)"),
        _count("throughput_kbps", "Sum of the throughputs that heartbeats measured (kbit/s)"),
        _count("throughput_beats", "Heartbeats that measured one"),
        _count("beats", "Heartbeats, copies apart"),
        _count("stalled_beats", "Of them, those that told of a rebuffer"),
        _count("odd_bitrates", "Bitrates left out, for no picture has such: a wrong unit, as a rule"),
        Column("is_by_events", BooleanType(), "Whether times come from events; else from heartbeats", required=True),
        Column("oddities", ArrayType(StringType()), "States that should not be, in alphabetical order", required=True),
        Column("is_sound", BooleanType(), "Whether its times can be; cells count no time of others", required=True),
        Column("score", DoubleType(), "0 to 100 (qoe/score.py); null where nothing is known"),
        Column("slices", ArrayType(SLICE), "What it did by five minutes, in order", required=True),
    ),
    key=("play_id", "session_date"),
    window="session_date",
    partition=Partition.DAY,
    checks=(
        one_of("outcome", *OUTCOMES),
        between("score", 0, 100),
        *(between(name, 0) for name in (
            "join_ms", "wait_ms", "play_ms", "pause_ms", "seek_ms", "stall_ms", "stalls", "dropped_frames")),
        satisfies("ends_after_it_starts", "ended_at >= started_at", "ended_at", "started_at"),
        satisfies("session_date_is_of_started_at", "session_date = CAST(started_at AS DATE)",
                  "session_date", "started_at"),
        satisfies("a_join_has_a_first_frame", "join_ms IS NULL OR first_frame_at IS NOT NULL",
                  "join_ms", "first_frame_at"),
        satisfies("rates_have_their_time", "bitrate_ms <= play_ms OR NOT is_by_events",
                  "bitrate_ms", "play_ms", "is_by_events"),
        satisfies("oddities_are_told", "is_sound OR size(oddities) > 0", "is_sound", "oddities"),
    ),
)  # fmt: skip

# Upper edges of fixed logarithmic buckets, half as much again from one to the next; the last has none.
JOIN_EDGES_MS = tuple(round(250 * 1.5**n) for n in range(15))
BITRATE_EDGES_KBPS = tuple(round(200 * 1.5**n) for n in range(11))

# What cells count. Every one is a sum over sessions and their slices.
COUNTS = {
    "attempts": "Play attempts, in the bucket of the press",
    "start_failures": "Of them, those that ended in an error before the first frame (VSF)",
    "exits_before_start": "Of them, those that were left before the first frame (EBVS)",
    "starts": "Of them, those that came to a picture",
    "timed_starts": "Of them, those of which the video start time is known",
    "slow_starts": "Of them, those that took longer than is bearable",
    "join_ms": "Sum of video start times (ms)",
    "slow_join_ms": "Of that, those of slow starts (ms)",
    "playback_failures": "Fatal errors after the first frame (VPF), in the bucket of the error",
    "unsound": "Sessions whose times cannot be; of them no time is counted",
    "slices": "Slices of five minutes in which a session played or stalled",
    "stalled_slices": "Of them, those with a connection-induced stall",
    "hours": "Sessions by clock hour in which they played or stalled, in the hour's first slice",
    "stalled_hours": "Of them, those that stalled for longer than is bearable",
    "stalled_ms": "Rebuffering of those in the whole hour (ms)",
    "frame_hours": "Of them, those that told of dropped frames",
    "choppy_hours": "Of them, those that dropped more than is bearable",
    "rated_hours": "Of the hours, those of which the bitrate is known",
    "poor_hours": "Of them, those whose mean bitrate was lower than is bearable",
    "play_ms": "Playing time (ms)",
    "stall_ms": "Connection-induced rebuffering (ms)",
    "stalls": "Connection-induced rebuffers",
    "bits": "Bitrate times playing time (kbit/s x ms)",
    "bitrate_ms": "Playing time of which the bitrate is known (ms)",
    "dropped_frames": "Frames dropped",
    "frames_ms": "Playing time of which dropped frames were told (ms)",
}
# Counted since lately: cells whose sessions have expired will never tell them.
LATELY = ("slow_join_ms", "stalled_ms")
_COUNTED = tuple(
    Column(name, LongType(), comment, required=name not in LATELY)
    for name, comment in COUNTS.items()
)
_BUCKETS = (
    Column(
        "join_buckets",
        ArrayType(LongType()),
        f"Timed starts by video start time: up to {JOIN_EDGES_MS[0]} ms, then half as much again each, then the rest",
        required=True,
    ),
    Column(
        "bitrate_buckets",
        ArrayType(LongType()),
        f"Slices by mean bitrate: up to {BITRATE_EDGES_KBPS[0]} kbit/s, then half as much again each, then the rest",
        required=True,
    ),
)
_WHEN = (
    Column("width", IntegerType(), "Length of the bucket (min): 5, 60 or 1440", required=True),
    Column("bucket_at", TimestampType(), "When the bucket begins", required=True),
    Column("cell_date", DateType(), "Day of bucket_at", required=True),
)
_CELL_CHECKS = (
    *(between(name, 0) for name in COUNTS if name not in LATELY),
    satisfies("width_is_known", "width IN (5, 60, 1440)", "width"),
    satisfies("cell_date_is_of_bucket_at", "cell_date = CAST(bucket_at AS DATE)", "cell_date", "bucket_at"),
    satisfies("starts_were_attempts", "start_failures + exits_before_start + starts = attempts",
              "start_failures", "exits_before_start", "starts", "attempts"),
    satisfies("slow_starts_were_timed", "slow_starts <= timed_starts AND timed_starts <= starts",
              "slow_starts", "timed_starts", "starts"),
    satisfies("stalled_hours_were_hours",
              "stalled_hours <= hours AND choppy_hours <= frame_hours AND frame_hours <= hours",
              "stalled_hours", "hours", "choppy_hours", "frame_hours"),
    satisfies("poor_hours_were_rated", "poor_hours <= rated_hours AND rated_hours <= hours",
              "poor_hours", "rated_hours", "hours"),
    satisfies("stalled_slices_were_slices", "stalled_slices <= slices", "stalled_slices", "slices"),
)  # fmt: skip

QOE_CELLS = Table(
    name="qoe_cells",
    area="qoe",
    layer=Layer.GOLD,
    grain="one combination of all dimensions and bucket of time in which sessions of it did anything",
    columns=(
        *_WHEN,
        *(
            Column(name, StringType(), f"{_ABOUT[name]}; 'unknown' if not told", required=True)
            for name in DIMENSIONS
        ),
        *_COUNTED,
        *_BUCKETS,
    ),
    key=("width", "bucket_at", *DIMENSIONS),
    window="cell_date",
    partition=Partition.DAY,
    checks=_CELL_CHECKS,
)

QOE_ROLLUPS = Table(
    name="qoe_rollups",
    area="qoe",
    layer=Layer.GOLD,
    grain="one combination of a subset of the dimensions and bucket of time, with enough sessions to tell anything",
    columns=(
        *_WHEN,
        Column("cell", StringType(), "As cdn=aurora|region=DE-BY; 'all' of no dimension", required=True),
        Column("subset", StringType(), "Its dimensions, as cdn+region; 'all' of none", required=True),
        *(Column(name, StringType(), f"{_ABOUT[name]}; null if the subset has it not") for name in DIMENSIONS),
        *_COUNTED,
        *_BUCKETS,
    ),
    key=("width", "bucket_at", "cell"),
    window="cell_date",
    partition=Partition.DAY,
    checks=_CELL_CHECKS,
)  # fmt: skip

_CELL = (
    Column("cell", StringType(), "The combination, as cdn=aurora|region=DE-BY", required=True),
    Column("subset", StringType(), "Its dimensions, as cdn+region; 'all' of none", required=True),
    *(
        Column(name, StringType(), f"{_ABOUT[name]}; null if the subset has it not")
        for name in DIMENSIONS
    ),
)
QOE_ANOMALIES = Table(
    name="qoe_anomalies",
    area="qoe",
    layer=Layer.GOLD,
    grain="one cell, hour and metric that was so much worse than its baseline that somebody might want to know",
    columns=(
        *_CELL,
        Column("bucket_at", TimestampType(), "When the hour begins", required=True),
        Column("anomaly_date", DateType(), "Day of bucket_at", required=True),
        Column("metric", StringType(), ", ".join(METRICS), required=True),
        _count("bad", "Sessions that were bad by the metric"),
        _count("total", "Sessions of which that is told"),
        Column("expected_rate", DoubleType(), "Share of bad ones by the baseline, 0 to 1", required=True),
        Column("expected_high", DoubleType(), "Share that the baseline still allows, 0 to 1", required=True),
        Column("history", LongType(), "Sessions that the baseline is told from, the cell's own", required=True),
        Column("surprise", DoubleType(), "−log10 of the chance to be as bad, by the baseline", required=True),
        Column("evidence", DoubleType(), "The same, with the hour before if that is more", required=True),
        Column("threshold", DoubleType(), "Evidence from which it is an alarm", required=True),
        Column("affected_sessions", DoubleType(), "Bad sessions beyond those expected", required=True),
        Column("lost_minutes", DoubleType(), "Affected sessions times the mean loss of bad ones (min)", required=True),
        Column("is_muted", BooleanType(), "Whether a calendar of maintenance says that it was to be", required=True),
        Column("is_alarm", BooleanType(), "Whether somebody should look at it", required=True),
    ),
    key=("bucket_at", "cell", "metric"),
    window="anomaly_date",
    partition=Partition.MONTH,
    checks=(
        one_of("metric", *METRICS),
        between("expected_rate", 0, 1),
        between("affected_sessions", 0),
        between("lost_minutes", 0),
        satisfies("bad_are_of_total", "bad <= total", "bad", "total"),
        satisfies("an_alarm_passed_its_threshold", "NOT is_alarm OR (evidence >= threshold AND NOT is_muted)",
                  "is_alarm", "evidence", "threshold", "is_muted"),
    ),
)  # fmt: skip

TIMELINE = _struct(
    bucket_at=TimestampType(),
    cells=LongType(),
    evidence=DoubleType(),
    affected_sessions=DoubleType(),
    lost_minutes=DoubleType(),
)
CAUSE = _struct(
    rank=IntegerType(),
    # Of which it is to blame for the rise; that of the incident first.
    metric=StringType(),
    cause=StringType(),
    is_blamed=BooleanType(),
    score=DoubleType(),
    bad=LongType(),
    total=LongType(),
    expected=DoubleType(),
    lift=DoubleType(),
    contrast=DoubleType(),
    explained=DoubleType(),
)
MEMBER = _struct(cell=StringType(), metric=StringType(), last_at=TimestampType())
QOE_INCIDENTS = Table(
    name="qoe_incidents",
    area="qoe",
    layer=Layer.GOLD,
    grain="one incident and day on which it was not over when the day began, as it stood when the day ended",
    columns=(
        Column("incident_id", StringType(), "Made of its first alarm, so that it stays", required=True),
        Column("state_date", DateType(), "The day", required=True),
        Column("state", StringType(), ", ".join(STATES), required=True),
        Column("opened_at", TimestampType(), "First hour with an alarm", required=True),
        Column("peak_at", TimestampType(), "Hour with most affected sessions", required=True),
        Column("last_alarm_at", TimestampType(), "Last hour with an alarm, so far", required=True),
        Column("closed_at", TimestampType(), "From when it is over; null while it is not"),
        Column("metric", StringType(), "The metric with the strongest evidence", required=True),
        Column("cell", StringType(), "The cell with the strongest evidence", required=True),
        Column("evidence", DoubleType(), "The strongest evidence of an alarm", required=True),
        _count("alarms", "Alarms in it, so far"),
        Column("affected_sessions", DoubleType(), "Unexpected bad sessions, once an hour, so far", required=True),
        Column("lost_minutes", DoubleType(), "Of the affected sessions, so far (min)", required=True),
        Column("members", ArrayType(MEMBER), "Cells and metrics of alarms, with their last hour", required=True),
        Column("timeline", ArrayType(TIMELINE), "Hours with alarms, in order", required=True),
        Column("verdict", StringType(), "What came of the search for the cause (qoe/localisation/)"),
        Column("causes", ArrayType(CAUSE), "Where the fault lies, most likely first; maybe empty", required=True),
    ),
    key=("incident_id", "state_date"),
    window="state_date",
    partition=Partition.MONTH,
    checks=(
        one_of("state", *STATES),
        one_of("metric", *METRICS),
        between("alarms", 1),
        satisfies("closed_has_its_time", "(state = 'closed') = (closed_at IS NOT NULL)", "state", "closed_at"),
        satisfies("alarms_come_in_order", "opened_at <= last_alarm_at", "opened_at", "last_alarm_at"),
    ),
)  # fmt: skip
