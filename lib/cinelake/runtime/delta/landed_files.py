"""What has landed, as lines of text that know their file; no table.

Files go by their path in the landing area, written as a URI writes it, in lines as in quarantine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.runtime.delta.shared_conf import SharedConf
from cinelake.sources.bronze import landed_by

# What Hadoop takes for a pattern in a path.
PATTERN = re.compile(r"([\[\]{}*?\\])")


class LandedFiles:
    """The text files below one folder, `root`."""

    def __init__(self, root: str, conf: SharedConf) -> None:
        self.root = root
        self._spark, self._conf = conf.spark, conf

    def path(self, file: str) -> str:
        """Where a file is."""
        return f"{self.root}/{unquote(file)}"

    def name(self, uri: str) -> str:
        """How lines and quarantine name the file at `uri`."""
        return uri.rpartition(self._folder)[2]

    def stream(self, folder: str, trigger: dict[str, Any]) -> DataFrame:
        """A stream of the text lines under `folder`: `value, file, line, landed_by`.

        Nobody has counted the lines, so `line` is null. `trigger` holds reader options such as `maxFilesPerTrigger`.
        """
        reader = self._spark.readStream.format("text")
        return self._told(reader.options(recursiveFileLookup=True, **trigger).load(folder))

    def lines(self, files: Sequence[str]) -> DataFrame:
        """The lines of some files, as `stream` gives those of all."""
        return self._told(self._texts(files))

    def numbered(self, files: Sequence[str]) -> DataFrame:
        """The lines of some files: `value, file, line`, the last its number in the file, from 1."""
        # A file in one piece keeps its lines in order, and only then can they be numbered.
        with self._conf.with_("spark.sql.files.maxPartitionBytes", str(2**40)):
            order = F.monotonically_increasing_id().alias("_order")
            lines = self._texts(files).select("value", self._file(), order).localCheckpoint()
        number = F.row_number().over(Window.partitionBy("file").orderBy("_order"))
        return lines.select("value", "file", number.cast("bigint").alias("line"))

    def _texts(self, files: Sequence[str]) -> DataFrame:
        return self._spark.read.text([PATTERN.sub(r"\\\1", self.path(file)) for file in files])

    def _told(self, texts: DataFrame) -> DataFrame:
        no_line = F.lit(None).cast("bigint").alias("line")
        lines = texts.select("value", self._file(), no_line)
        return lines.select("*", landed_by(F.col("file")).alias("landed_by"))

    def _file(self) -> Column:
        return F.substring_index("_metadata.file_path", self._folder, -1).alias("file")

    @property
    def _folder(self) -> str:
        # Spark gives paths as URIs; the folder's last name, written as one, stands before what is wanted.
        return f"/{quote(self.root.rpartition('/')[2])}/"
