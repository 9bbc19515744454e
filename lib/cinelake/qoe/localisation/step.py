"""Causes of many incidents at once: one row per incident and ranked combination of attributes.

Leaves are added up in Spark, and each incident is searched by one task (search.py): the search holds evidence of its
leaves for 24 lifts, 200 bytes a leaf. So that an incident of any size fits, the `most_leaves` with most viewers are
searched, and what share of the viewers they have is told. Counts are whole numbers, and evidence adds up exactly,
so that the rows are the same however the leaves are partitioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.localisation.search import COUNTS, Candidate, Localisation, cause_of
from cinelake.qoe.localisation.settings import Scan

# A leaf of a million takes a few hundred bytes while it is searched.
MOST_LEAVES = 2_000_000
FOUND = pa.schema(
    [
        ("rank", pa.int32()),
        ("is_cause", pa.bool_()),
        ("verdict", pa.string()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("score", pa.float64()),
        ("bad", pa.int64()),
        ("total", pa.int64()),
        ("expected", pa.float64()),
        ("lift", pa.float64()),
        ("contrast", pa.float64()),
        ("explained", pa.float64()),
        ("covered", pa.float64()),
    ]
)
DDL = (
    "rank int, is_cause boolean, verdict string, attributes map<string,string>, score double, bad bigint, "
    "total bigint, expected double, lift double, contrast double, explained double, covered double"
)


def causes(
    leaves: DataFrame,
    dimensions: Sequence[str],
    settings: Scan | None = None,
    most_leaves: int = MOST_LEAVES,
) -> DataFrame:
    """Verdict and ranked combinations of every incident.

    The columns are `incident_id, rank, is_cause, verdict, attributes, score, bad, total, expected, lift, contrast,
    explained, covered`: those of `Candidate` (search.py), and the share of all viewers now that were in the leaves
    searched, null where there are none. The row of rank 0 is the whole incident, without attributes, so that each
    incident has a verdict; ranks from 1 on are combinations, best first.

    `leaves` has `incident_id`, the `dimensions` (a missing attribute is null), and whole numbers `bad` of `total`
    viewers in the incident and `past_bad` of `past_total` in history, in any number of rows per leaf; null counts
    for 0. Raises ValueError for no dimensions; a task fails where `bad` is more than `total`.
    """
    if not dimensions:
        raise ValueError("name at least one dimension in which to look for the cause")
    settings = settings or Scan()
    attributes = [F.col(name).cast("string").alias(name) for name in dimensions]
    added = [F.coalesce(F.sum(name), F.lit(0)).cast("bigint").alias(name) for name in COUNTS]
    summed = leaves.groupBy("incident_id", *attributes).agg(*added)
    incident = leaves.schema["incident_id"].dataType.simpleString()
    names = list(dimensions)

    def search(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        table, covered = _largest(batches, names, most_leaves)
        # Texts are encoded before they become a million objects.
        coded = [table[name].combine_chunks().dictionary_encode() for name in names]
        counts = [table[name] for name in COUNTS]
        leaves = pa.table(dict(zip((*names, *COUNTS), (*coded, *counts), strict=True)))
        found = cause_of(leaves.to_pandas(), names, settings)
        rows = pa.Table.from_pylist(_rows(found, covered), FOUND)
        ids = pa.array([table["incident_id"][0].as_py()] * len(rows), table["incident_id"].type)
        yield from rows.add_column(0, "incident_id", ids).to_batches()

    # Python, because a scan over combinations of columns in arrays of lifts has no built-in.
    return summed.groupBy("incident_id").applyInArrow(search, f"incident_id {incident}, {DDL}")


def _largest(
    batches: Iterator[pa.RecordBatch], names: Sequence[str], most: int
) -> tuple[pa.Table, float | None]:
    """Of one incident's leaves those with most viewers, and their share of all; None where there are none.

    Here, for hardly any incident has too many, and to rank all leaves of each would take Spark longer than the search.
    """
    # The attributes of a leaf are its own, so that the order is total.
    order = [("total", "descending"), *((name, "ascending") for name in names)]
    waiting: list[pa.RecordBatch] = []
    viewers = count = 0

    def kept(most: int) -> pa.Table:
        table = pa.Table.from_batches(waiting)
        return table if len(table) <= most else table.sort_by(order).slice(0, most)

    for batch in batches:
        viewers += pc.sum(batch["total"]).as_py()
        waiting.append(batch)
        count += batch.num_rows
        # Half as many again are held at the most, and sorted seldom.
        if count > most + most // 2:
            waiting, count = kept(most).to_batches(), most
    table = kept(most)
    told = pc.sum(table["total"]).as_py()
    return table, told / viewers if viewers else None


def _rows(found: Localisation, covered: float | None) -> list[dict[str, object]]:
    def row(rank: int, candidate: Candidate) -> dict[str, object]:
        return {
            **vars(candidate),
            "rank": rank,
            "is_cause": 0 < rank <= len(found.causes),
            "verdict": str(found.verdict),
            "attributes": sorted(candidate.attributes.items()),
            "covered": covered,
        }

    return [row(rank, each) for rank, each in enumerate((found.whole, *found.ranked))]
