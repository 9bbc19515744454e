"""Causes of many incidents at once: one row per incident and ranked combination of attributes.

An incident may be bad in several ways, as in starts and in stalls, which need not be of one fault: they are searched in
turn, and what is to blame for a later one is sought beside the leaves that are blamed already.

Leaves are added up in Spark, and each incident is searched by one task (search.py): the search holds evidence of its
leaves for 24 lifts, 200 bytes a leaf. So that an incident of any size fits, the `most_leaves` with most viewers are
searched, and what share of the viewers they have is told. Counts are whole numbers, and evidence adds up exactly,
so that the rows are the same however the leaves are partitioned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.localisation.search import COUNTS, Candidate, Localisation, Verdict, cause_of
from cinelake.qoe.localisation.settings import Scan

# A leaf of a million takes a few hundred bytes while it is searched.
MOST_LEAVES = 2_000_000
FOUND = pa.schema(
    [
        ("rank", pa.int32()),
        ("turn", pa.int32()),
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
    "rank int, turn int, is_cause boolean, verdict string, attributes map<string,string>, score double, bad bigint, "
    "total bigint, expected double, lift double, contrast double, explained double, covered double"
)


def causes(
    leaves: DataFrame,
    dimensions: Sequence[str],
    settings: Scan | None = None,
    most_leaves: int = MOST_LEAVES,
) -> DataFrame:
    """Verdict and ranked combinations of every incident.

    The columns are `incident_id, rank, turn, is_cause, verdict, attributes, score, bad, total, expected, lift,
    contrast, explained, covered`: those of `Candidate` (search.py), and the share of all viewers now that were in the
    leaves searched, null where there are none. The row of rank 0 is the whole incident, without attributes, so that
    each incident has a verdict; it counts what is bad in the first turn. Ranks from 1 on are combinations, best first:
    the causes of all turns, then others of the first.

    `leaves` has `incident_id`, the `dimensions` (a missing attribute is null), and whole numbers `bad` of `total`
    viewers in the incident and `past_bad` of `past_total` in history, in any number of rows per leaf; null counts
    for 0. If it has a whole number `turn`, too, rows of each are searched by themselves, in that order. Raises
    ValueError for no dimensions; a task fails where `bad` is more than `total`.
    """
    if not dimensions:
        raise ValueError("name at least one dimension in which to look for the cause")
    settings = settings or Scan()
    turn = F.col("turn") if "turn" in leaves.columns else F.lit(0)
    attributes = [F.col(name).cast("string").alias(name) for name in dimensions]
    added = [F.coalesce(F.sum(name), F.lit(0)).cast("bigint").alias(name) for name in COUNTS]
    summed = leaves.groupBy("incident_id", turn.cast("int").alias("turn"), *attributes).agg(*added)
    incident = leaves.schema["incident_id"].dataType.simpleString()
    names = list(dimensions)

    def search(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        table, covered = _largest(batches, ["turn", *names], most_leaves)
        # Texts are encoded before they become a million objects.
        coded = [table[name].combine_chunks().dictionary_encode() for name in names]
        counts = [table[name] for name in COUNTS]
        leaves = pa.table(dict(zip((*names, *COUNTS), (*coded, *counts), strict=True)))
        turn = table["turn"].to_numpy()
        order = np.unique(turn).tolist()
        each = (leaves.filter(pa.array(turn == one)).to_pandas() for one in order)
        found = dict(zip(order, in_turn(each, names, settings), strict=False))
        rows = pa.Table.from_pylist(_rows(found, covered), FOUND)
        ids = pa.array([table["incident_id"][0].as_py()] * len(rows), table["incident_id"].type)
        yield from rows.add_column(0, "incident_id", ids).to_batches()

    # Python, because a scan over combinations of columns in arrays of lifts has no built-in.
    return summed.groupBy("incident_id").applyInArrow(search, f"incident_id {incident}, {DDL}")


def in_turn(
    turns: Iterable[pd.DataFrame], dimensions: Sequence[str], settings: Scan
) -> list[Localisation]:
    """Where each rise lies beside what is blamed for those before; of as many as can have a cause of their own."""
    found: list[Localisation] = []
    blamed: list[Candidate] = []
    for leaves in turns:
        left = settings.causes - len(blamed)
        if not left:
            break
        inside = [_has(leaves, cause) for cause in blamed]
        beside = leaves[~reduce(np.logical_or, inside)] if inside else leaves
        found.append(cause_of(beside, dimensions, settings.model_copy(update={"causes": left})))
        blamed += found[-1].causes
    return found


def _has(leaves: pd.DataFrame, cause: Candidate) -> npt.NDArray[np.bool_]:
    each = [leaves[name].eq(value).to_numpy() for name, value in cause.attributes.items()]
    found: npt.NDArray[np.bool_] = np.all(each, axis=0)
    return found


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


def _rows(found: Mapping[int, Localisation], covered: float | None) -> list[dict[str, object]]:
    first, whole = min(found), found[min(found)]
    causes = [(turn, cause) for turn, each in found.items() for cause in each.causes]
    rest = [(first, each) for each in whole.ranked[len(whole.causes) :]]
    verdict = Verdict.LOCALISED if causes else whole.verdict

    def row(rank: int, turn: int, candidate: Candidate) -> dict[str, object]:
        return {
            **vars(candidate),
            "rank": rank,
            "turn": turn,
            "is_cause": 0 < rank <= len(causes),
            "verdict": str(verdict),
            "attributes": sorted(candidate.attributes.items()),
            "covered": covered,
        }

    told = ((first, whole.whole), *causes, *rest)
    return [row(rank, turn, each) for rank, (turn, each) in enumerate(told)]
