"""The lake's own books: what ran, what was turned away, and what was checked."""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from cinelake.tables.contract import Column, Kind, Layer, Partition, Table, one_of

VERSIONS = ArrayType(
    StructType([StructField("name", StringType()), StructField("version", LongType())])
)
COUNTS = ArrayType(StructType([StructField("name", StringType()), StructField("rows", LongType())]))
DAYS = ArrayType(
    StructType(
        [
            StructField("day", DateType()),
            StructField("read", StringType()),
            StructField(
                "outputs",
                ArrayType(
                    StructType(
                        [StructField("name", StringType()), StructField("digest", StringType())]
                    )
                ),
            ),
        ]
    )
)

BALANCES = ArrayType(
    StructType(
        [
            StructField("source", StringType()),
            StructField("target", StringType()),
            StructField("given", LongType()),
            StructField("kept", LongType()),
            StructField("turned_away", COUNTS),
            StructField("files", COUNTS),
            StructField("missing", LongType()),
        ]
    )
)

USAGE = StructType(
    [
        StructField("jobs", LongType()),
        StructField("stages", LongType()),
        StructField("tasks", LongType()),
        StructField("failed_tasks", LongType()),
        StructField("busy_seconds", DoubleType()),
        StructField("task_seconds", DoubleType()),
        StructField("cpu_seconds", DoubleType()),
        StructField("gc_seconds", DoubleType()),
        StructField("bytes_read", LongType()),
        StructField("bytes_written", LongType()),
        StructField("bytes_shuffled", LongType()),
        StructField("bytes_spilled", LongType()),
        StructField("peak_task_bytes", LongType()),
        StructField("peak_heap_bytes", LongType()),
        StructField("skew", DoubleType()),
        StructField("longest_task_seconds", DoubleType()),
    ]
)

JOB_RUNS = Table(
    name="job_runs",
    area="system",
    layer=Layer.SYSTEM,
    kind=Kind.SYSTEM,
    grain="One row per run of a job over a window, or per micro-batch of an ingest job: the ledger.",
    key=("run_id",),
    columns=(
        Column(
            "run_id",
            StringType(),
            "identifies the run; for a micro-batch, query id and batch number",
            required=True,
        ),
        Column(
            "sequence",
            LongType(),
            "order of entry: the version of this table when the row was made",
            required=True,
        ),
        Column(
            "job",
            StringType(),
            "name of the job, or of the command that changed a table",
            required=True,
        ),
        Column("kind", StringType(), "what kind of entry this is", required=True),
        Column("status", StringType(), "how it ended", required=True),
        Column("window_start", DateType(), "first day of the window"),
        Column("window_end", DateType(), "day after the last of the window"),
        Column("fingerprint", StringType(), "hash of parameters, version= and contracts"),
        Column("code_version", StringType(), "version of the code that ran"),
        Column("input_versions", VERSIONS, "pinned versions of the tables and models read"),
        Column(
            "output_versions", VERSIONS, "versions made; a table whose content was equal is absent"
        ),
        Column("rows_in", COUNTS, "rows in the ranges read, by table"),
        Column("rows_out", COUNTS, "rows in the window after the run, by table"),
        Column("quarantined", COUNTS, "rows turned away, by table they were meant for"),
        Column(
            "days", DAYS, "per day: digest of what was read, and of what was published, by table"
        ),
        Column(
            "balances",
            BALANCES,
            "what was given, kept, turned away by reason, as rows and as whole files; nothing should be missing",
        ),
        Column(
            "warnings",
            ArrayType(StringType()),
            "what somebody should look at, though the run did its work",
        ),
        Column("notes", ArrayType(StringType()), "what a maintenance job did"),
        Column(
            "usage",
            USAGE,
            "what the run cost by Spark's own measures: seconds, bytes, and of the stage with the "
            "longest task, how many times the median that took (skew)",
        ),
        Column(
            "received_through",
            TimestampType(),
            "newest collector time among the records of a micro-batch",
        ),
        Column("started_at", TimestampType(), "machine time at the start", required=True),
        Column("seconds", DoubleType(), "duration in seconds", required=True),
        Column("error", StringType(), "first lines of the error of a failed run"),
    ),
    checks=(
        one_of("kind", "job", "ingest", "external", "foreign", "retention", "reset"),
        one_of("status", "succeeded", "failed", "yielded"),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    area="system",
    layer=Layer.SYSTEM,
    kind=Kind.SYSTEM,
    grain=(
        "One row per record or row that was turned away, with every reason, and per landing file that was turned away "
        "whole. Only rows of published runs count."
    ),
    key=("publication", "target", "row_hash"),
    unique_key=False,
    window="window_day",
    partition=Partition.MONTH,
    columns=(
        Column("target", StringType(), "table the row was meant for", required=True),
        Column("job", StringType(), "job that turned it away", required=True),
        Column(
            "publication",
            StringType(),
            "run id of `job_runs` that this row belongs to",
            required=True,
        ),
        Column(
            "window_day",
            DateType(),
            "day of the row, or first day of the run's window",
            required=True,
        ),
        Column(
            "reasons", ArrayType(StringType()), "names of all the rules it broke", required=True
        ),
        Column("file", StringType(), "file it came from, where known"),
        Column("line", LongType(), "1-based line in that file, where known; none of a file"),
        Column(
            "raw",
            StringType(),
            "the record as received, the row as JSON, or what is wrong with a file",
            personal="anything",
        ),
        Column("row_hash", LongType(), "hash of raw text", required=True),
    ),
    retention_days=30,
)

CHECK_RESULTS = Table(
    name="check_results",
    area="system",
    layer=Layer.SYSTEM,
    kind=Kind.SYSTEM,
    grain="One row per validation of a table by Great Expectations.",
    key=("run_id", "target"),
    columns=(
        Column(
            "run_id", StringType(), "run of `job_runs` whose rows were validated", required=True
        ),
        Column("target", StringType(), "table validated", required=True),
        Column("passed", BooleanType(), "whether all expectations held", required=True),
        Column("expectations", IntegerType(), "how many were evaluated", required=True),
        Column("failed", ArrayType(StringType()), "the expectations that did not hold"),
        Column("checked_at", TimestampType(), "machine time", required=True),
        Column(
            "result",
            StringType(),
            "the validation as Great Expectations writes it, in JSON",
            required=True,
        ),
    ),
)

PSEUDONYM_REQUESTS = Table(
    name="pseudonym_requests",
    area="system",
    layer=Layer.SYSTEM,
    kind=Kind.SYSTEM,
    grain="One row per id that somebody asked to be turned into its pseudonym. The id itself is not kept.",
    key=("asked_at", "kind", "pseudonym"),
    unique_key=False,
    columns=(
        Column("asked_at", TimestampType(), "machine time", required=True),
        Column("asked_by", StringType(), "who asked: the operating system's user", required=True),
        Column("command", StringType(), "command that was given", required=True),
        Column("kind", StringType(), "kind of the id, as profile", required=True),
        Column("pseudonym", StringType(), "the answer", required=True),
    ),
)

REIDENTIFICATIONS = Table(
    name="reidentifications",
    area="system",
    layer=Layer.SYSTEM,
    kind=Kind.SYSTEM,
    grain=(
        "One row per pseudonym of which somebody asked whose it is, written before the answer was sought. "
        "The answer is not kept."
    ),
    key=("number",),
    columns=(
        Column("number", LongType(), "counts the rows from 1", required=True),
        Column("asked_at", TimestampType(), "machine time", required=True),
        Column("asked_by", StringType(), "who asked: the operating system's user", required=True),
        Column("kind", StringType(), "kind of the id, as account", required=True),
        Column("pseudonym", StringType(), "what was asked about", required=True),
        Column("case_id", StringType(), "the case that it was asked for; null without one"),
        Column("why", StringType(), "the reason, in words", required=True, personal="free text"),
        Column("seal", StringType(), "HMAC of the other columns", required=True),
    ),
)
