"""Files whose records a source cannot have meant: those of another source, or of a schema not known yet.

Grain: one row a file that has rejected records. Looked at are only records that were rejected, for these are few.

Method: records do not name their source, but their fields do. A record is of another source when it has every
required field of that source, and more of the fields that this source declares than of ours; that it lacks one
of ours is why it was rejected. Of two other sources the one with more of the record's fields counts. A record
is of an unknown schema when its version is above the newest that is known.

Caveat: a source whose required fields are all common in another (impressions, in plays that start on the home page)
takes some records of that one for its own. The file is told by the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.sources.source import Source

UNKNOWN_VERSION = "unknown_schema_version"


def told_by_file(rejected: DataFrame, source: Source, others: Iterable[Source]) -> DataFrame:
    """`rejected(file, raw, reasons)` → per file how many records there are, and of which kind.

    `file, records, unknown_version, other, of_other`: `other` is the other source with most records, null without.
    """
    others = [other for other in others if other != source]
    keys = rejected.select(
        "file",
        F.coalesce(F.array_contains("reasons", UNKNOWN_VERSION), F.lit(False)).alias("_is_newer"),
        F.json_object_keys("raw").alias("_keys"),
    )
    own = _known_fields(source)
    # A struct sorts by its first field: the source with most of the record's fields comes last.
    fitting = F.array_compact(
        F.array(
            *(
                F.when(
                    _has_required(other) & (_known_fields(other) > own),
                    F.struct(_known_fields(other).alias("fields"), F.lit(other.name).alias("name")),
                )
                for other in others
            )
        )
    )
    kinds = keys.select("file", "_is_newer", F.array_max(fitting)["name"].alias("_other"))
    counted = kinds.groupBy("file", "_other").agg(
        F.count("*").alias("_records"), F.count_if("_is_newer").alias("_newer")
    )
    most = F.max(F.when(F.col("_other").isNotNull(), F.struct("_records", "_other")))
    return counted.groupBy("file").agg(
        F.sum("_records").alias("records"),
        F.sum("_newer").alias("unknown_version"),
        most["_other"].alias("other"),
        F.coalesce(most["_records"], F.lit(0)).alias("of_other"),
    )


def _has_required(source: Source) -> Column:
    required = [column.name for column in source.columns if column.required]
    return F.size(F.array_intersect("_keys", _array(required))) == len(required)


def _known_fields(source: Source) -> Column:
    return F.size(F.array_intersect("_keys", _array(source.names)))


def _array(names: Iterable[str]) -> Column:
    return F.array(*(F.lit(name) for name in names))
