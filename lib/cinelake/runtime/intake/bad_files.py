"""Landed files that are turned away whole: they cannot be read to their end, or hold what their source cannot mean.

Grain: one `BadFile` a file, which becomes one row of `quarantine`, whatever the file holds.

Rules. None of a bad file's lines is taken, not even those before the damage: delivered again whole, under another
name, it then gives exactly what it would have given. It counts as one, for how many lines it would have had
nobody knows. The same files give the same verdicts, so a batch that was killed half-way comes out the same.
- `unreadable_file`: its decompressor fails, or a `.gz` holds not a byte, which Spark skips without a word.
- `file_of_another_source`: more than half of its lines are of one other source (sources/misplaced.py).
- `unknown_schema_version`: more than half of its lines are of a newer schema, and no line is good. Where a line is
  good, as while a deliverer changes over, the file is judged line by line.

Method: good files cost nothing. Only when Spark fails in a decompressor are the batch's files read apart, half by
half, to find all that fail; only where records were rejected are these looked at. `ignoreCorruptFiles` is no way:
it takes the lines before the damage and says nothing.

Caveats: a gzip file cut between two of its members is whole by the format. A file that is damaged and not
compressed shows as lines that cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from cinelake.runtime.delta.lake import Lake
from cinelake.sources.bronze import holds_record
from cinelake.sources.catalog import all_sources
from cinelake.sources.misplaced import UNKNOWN_VERSION, told_by_file
from cinelake.sources.source import Source

UNREADABLE = "unreadable_file"
MISPLACED = "file_of_another_source"
DECOMPRESSORS = ("org.apache.hadoop.io.compress.", "java.util.zip.")


@dataclass(frozen=True)
class BadFile:
    """A landed file that is turned away, named as in `quarantine`; the hint holds nothing of its content."""

    file: str
    reason: str
    hint: str


# Not an error: the batch starts again without them.
class FilesTurnedAway(Exception):
    """Found while a batch was judged: these files must not be in it."""

    def __init__(self, files: list[BadFile]) -> None:
        super().__init__(f"{len(files)} files are turned away")
        self.files = files


def batch_files(lake: Lake, checkpoint: str, number: int) -> list[str]:
    """The files of a micro-batch, from the query's own log; a stream of something else has none."""
    last, before = _log_offset(lake, checkpoint, number), _log_offset(lake, checkpoint, number - 1)
    return [
        lake.landed.name(entry["path"])
        for offset in range(before + 1, last + 1)
        for entry in _log_entries(lake, f"{checkpoint}/sources/0", offset)
    ]


def empty_files(lake: Lake, files: Sequence[str]) -> list[BadFile]:
    """Compressed files of no length: whoever wrote them got no further."""
    by_path = {lake.landed.path(file): file for file in files if file.endswith(".gz")}
    empty = lake.storage.empty(list(by_path))
    return [BadFile(by_path[path], UNREADABLE, "the file is empty") for path in empty]


def is_damage(error: BaseException) -> bool:
    """Whether a decompressor gave up; what a network or a right denied does to a read is no damage."""
    root = _root_cause(error)
    frames = root.getStackTrace() if root is not None else []
    return len(frames) > 0 and str(frames[0].getClassName()).startswith(DECOMPRESSORS)


def unreadable_files(lake: Lake, files: Sequence[str]) -> list[BadFile]:
    """All that cannot be read to their end. Raises what Spark says when that is no damage of a file."""
    context = lake.spark.sparkContext
    # Every failure would print a Java stack trace, and here they are what is looked for.
    context.setLogLevel("OFF")
    try:
        return list(_unreadable(lake, files))
    finally:
        context.setLogLevel("ERROR")


def misplaced_files(
    lake: Lake, files: Sequence[str], rejected: DataFrame, source: Source
) -> list[BadFile]:
    """The files of which `rejected(file, raw, reasons)` shows that they are not meant for `source`."""
    told = told_by_file(rejected, source, all_sources().values()).toArrow().to_pylist()
    own = set(files)
    suspects = {
        row["file"]: row
        for row in told
        if row["file"] in own and (row["of_other"] or row["unknown_version"])
    }
    if not suspects:
        return []
    lines = lake.landed.lines(list(suspects)).where(holds_record())
    counts = lines.groupBy("file").count().toArrow().to_pylist()
    found = []
    for file, count in sorted((row["file"], row["count"]) for row in counts):
        told_of = suspects[file]
        if 2 * told_of["of_other"] > count:
            hint = f"{told_of['of_other']} of {count} lines are of the source {told_of['other']}"
            found.append(BadFile(file, MISPLACED, hint))
        elif 2 * told_of["unknown_version"] > count and told_of["records"] == count:
            hint = (
                f"{told_of['unknown_version']} of {count} lines are of a schema version above "
                f"{source.schema_version}"
            )
            found.append(BadFile(file, UNKNOWN_VERSION, hint))
    return found


def _unreadable(lake: Lake, files: Sequence[str]) -> Iterator[BadFile]:
    if not files:
        return
    try:
        lake.landed.lines(files).count()
    except (Py4JJavaError, PySparkException) as error:
        if not is_damage(error):
            raise
        if len(files) == 1:
            yield BadFile(files[0], UNREADABLE, str(_root_cause(error).getMessage()))
            return
        half = len(files) // 2
        yield from _unreadable(lake, files[:half])
        yield from _unreadable(lake, files[half:])


def _root_cause(error: BaseException) -> Any:
    """The innermost Java exception of what Spark raised, or None."""
    cause: Any = (
        error.java_exception
        if isinstance(error, Py4JJavaError)
        else getattr(error, "_origin", None)
    )
    while cause is not None and cause.getCause() is not None:
        cause = cause.getCause()
    return cause


def _log_offset(lake: Lake, checkpoint: str, number: int) -> int:
    """How far a batch reached in the source's log; -1 before the first."""
    text = lake.storage.text(f"{checkpoint}/offsets/{number}") if number >= 0 else None
    if text is None:
        return -1
    offset = text.strip().splitlines()[-1]
    return int(json.loads(offset).get("logOffset", -1)) if offset.startswith("{") else -1


def _log_entries(lake: Lake, folder: str, offset: int) -> Iterator[dict[str, Any]]:
    """The entries of one number; every tenth file of the log holds all before it, too."""
    text = lake.storage.text(f"{folder}/{offset}")
    if text is None:
        text = lake.storage.text(f"{folder}/{offset}.compact") or ""
    for line in text.splitlines()[1:]:
        entry = json.loads(line)
        if entry["batchId"] == offset:
            yield entry
