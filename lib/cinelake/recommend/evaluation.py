"""Judging ranked lists on Spark: every measure of every profile, and what the lists of a model show together.

Grain: `judged` holds a row a model and profile with relevant titles; `intervals` one a model, group and measure;
`shown` one a model. The arithmetic of a batch of profiles is in measures.py; this module brings together a profile's
lists, the titles that it went on to like, and its history.

Of all lists of a model together, which are for the same profiles whatever the model: coverage (share of titles
recommended to anyone), and the Gini index of exposure over the same titles: 0 where all are shown equally often, 1
where one takes it all.

Intervals are percentile intervals of a Poisson bootstrap over profiles (Chamandy et al. 2012): a profile's weights
come from a hash of its id, so they are the same for every model, which makes differences between models paired, and
the same in every run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType

from cinelake.behaviour.titles import words
from cinelake.recommend.draws import mixed
from cinelake.recommend.measures import MEASURES, Judged, Traits, measured
from cinelake.recommend.scoring import cells

RESAMPLES = 400
# A Poisson variable of mean 1 by 16 random bits: as likely as it should be to one part in 65,536, and looked up.
POISSON = np.cumsum([math.exp(-1) / math.factorial(n) for n in range(12)])
DRAWS = np.searchsorted(POISSON, (np.arange(1 << 16) + 0.5) / (1 << 16), side="right").astype(
    np.float64
)
# Profiles judged at a time: what is summed along their lists is to stay in the processor's cache.
ROWS = 1024
# A list's place in one number: model, rank, title.
_MODEL_BITS, _RANK_BITS = 52, 32
_RANKS, _TITLES = (1 << 20) - 1, (1 << 32) - 1

Batches = Iterator[pa.RecordBatch]
Matrix = npt.NDArray[Any]


def named(measure: str, k: int) -> str:
    """The column of a measure at `k`."""
    return f"{measure}_at_{k}"


def traits(titles: DataFrame, profiles: int) -> Traits:
    """Bring `title_idx, likes, genres array<string>` of all titles to the driver, from where they are broadcast."""
    told = titles.select("title_idx", "likes", words(F.col("genres")).alias("genres"))
    rows = told.toArrow().sort_by("title_idx")
    lists = rows.column("genres").to_pylist()
    known = sorted({genre for genres in lists for genre in genres})
    place = {genre: at for at, genre in enumerate(known)}
    shares = np.zeros((len(lists), len(known)))
    for row, genres in enumerate(lists):
        for genre in genres:
            shares[row, place[genre]] = 1 / len(genres)
    numbers, likes = (rows.column(name).to_numpy() for name in ("title_idx", "likes"))
    return Traits(numbers, likes.astype(np.float64), shares, profiles)


def per_profile(
    lists: DataFrame, truths: DataFrame, catalogue: Traits, ks: Sequence[int], models: Sequence[str]
) -> DataFrame:
    """One row a model and profile of `truths`: `model`, the columns of `truths` but its arrays, and the measures.

    `lists` holds `model, profile_id, rank, title_idx`. `truths` holds `profile_id, relevant int` (how many titles),
    `wanted array<int>` (those of them that have a number), `liked array<int>` (the history), and what profiles are
    to be grouped by. A profile without a list counts as zero for that model.
    """
    number = F.create_map(
        *(F.lit(part) for pair in zip(models, range(len(models)), strict=True) for part in pair)
    )
    place = (
        number[F.col("model")] * F.lit(1 << _MODEL_BITS)
        + F.col("rank") * F.lit(1 << _RANK_BITS)
        + F.col("title_idx")
    )
    # Places are columns before they are collected: what is collected, Spark interprets row by row where it computes it.
    gathered = (
        lists.where(F.col("rank") <= max(ks))
        .select("profile_id", place.cast("bigint").alias("_place"))
        .groupBy("profile_id")
        .agg(F.collect_list("_place").alias("_places"))
    )
    kept = [field for field in truths.schema.fields if field.name not in ("wanted", "liked")]
    schema = StructType(
        [
            StructField("model", StringType()),
            *kept,
            *(StructField(named(m, k), DoubleType()) for k in ks for m in MEASURES),
        ]
    )
    everyone = truths.join(gathered, on="profile_id", how="left")
    shared = truths.sparkSession.sparkContext.broadcast(catalogue)

    def judge(batches: Batches) -> Batches:
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS):
                yield from _judged(batch.slice(start, ROWS), shared.value, ks, models, schema)

    # Python, because Spark has no arithmetic on running sums along arrays.
    return everyone.mapInArrow(judge, schema)


def _judged(
    batch: pa.RecordBatch,
    catalogue: Traits,
    ks: Sequence[int],
    models: Sequence[str],
    schema: StructType,
) -> Batches:
    row, place = _cells(batch.column("_places"))
    model, rank = place >> _MODEL_BITS, (place >> _RANK_BITS) & _RANKS
    relevant = batch.column("relevant").to_numpy(zero_copy_only=False).astype(np.int64)
    title = catalogue.at(place & _TITLES)
    wanted_row, wanted = _cells(batch.column("wanted"))
    wanted = catalogue.at(wanted)
    tastes = catalogue.shares(*_cells(batch.column("liked")), batch.num_rows)
    for number, name in enumerate(models):
        lists = np.full((batch.num_rows, max(ks)), -1, np.int64)
        own = model == number
        lists[row[own], rank[own] - 1] = title[own]
        values = measured(Judged(lists, relevant, (wanted_row, wanted), tastes), catalogue, ks)
        columns = [
            pa.array([name] * batch.num_rows)
            if field.name == "model"
            else pa.array(values[field.name], mask=np.isnan(values[field.name]))
            if field.name in values
            else batch.column(field.name)
            for field in schema.fields
        ]
        yield pa.RecordBatch.from_arrays(columns, names=schema.names)


def _cells(lists: pa.Array) -> tuple[Matrix, Matrix]:
    """Row and value of every element, which are whole numbers."""
    row, values = cells(lists)
    return row, values.to_numpy(zero_copy_only=False).astype(np.int64)


def ndcg(lists: DataFrame, wanted: DataFrame, k: int) -> DataFrame:
    """nDCG@k alone, as measures.py defines it, in little time: one row, its sum `total` over so many `profiles`.

    `lists` holds `profile_id, rank, title_id`, and `wanted` is `profile_id, title_id`; a profile of it without a list
    counts as zero. The sum is a decimal, so that it is the same in any order.
    """
    gain = 1 / F.log2(F.col("rank") + 1.0)
    found = (
        lists.where(F.col("rank") <= k)
        .join(wanted, on=["profile_id", "title_id"], how="inner")
        .groupBy("profile_id")
        .agg(F.sum(gain).alias("gain"))
    )
    best = F.aggregate(
        F.sequence(F.lit(1), F.least(F.count(F.lit(1)).cast("int"), F.lit(k))),
        F.lit(0.0),
        lambda total, rank: total + 1 / F.log2(rank + 1.0),
    )
    share = F.coalesce("gain", F.lit(0.0)) / F.col("best")
    return (
        wanted.groupBy("profile_id")
        .agg(best.alias("best"))
        .join(found, on="profile_id", how="left")
        .agg(
            F.coalesce(F.sum(share.cast("decimal(20,12)")), F.lit(0)).alias("total"),
            F.count(F.lit(1)).alias("profiles"),
        )
    )


def with_lead(judged: DataFrame, model: str, measure: str) -> DataFrame:
    """Add `lead`: how far `model` is ahead of the row's model on the same profile and holdout."""
    same_profile = Window.partitionBy("fold", "profile_id")
    own = F.max(F.when(F.col("model") == model, F.col(measure))).over(same_profile)
    return judged.withColumn("lead", own - F.col(measure))


def intervals(judged: DataFrame, measures: Sequence[str], by: Sequence[str] = ()) -> DataFrame:
    """Mean of each measure over the rows of `per_profile`, with a 95 % interval, by model and what else is named.

    `model, <by…>, measure, profiles, mean, low, high`; nulls do not count, and who is in no group stands in none.
    """
    groups = ["model", *by]
    frame = judged.select("profile_id", *groups, *measures)
    for name in by:
        frame = frame.where(F.col(name).isNotNull())
    summed = _resampled(frame, groups, measures)
    is_everyone = F.col("resample") == 0

    def found(number: int) -> Column:
        """What is told of a measure: the mean of everyone, and how the means of resamples are spread."""
        total, weight = F.col(f"sum_{number}"), F.col(f"weight_{number}")
        mean = F.try_divide(total, weight)
        bounds = F.percentile(F.when(~is_everyone, mean), F.array(F.lit(0.025), F.lit(0.975)))
        return F.struct(
            F.lit(measures[number]).alias("measure"),
            F.max(F.when(is_everyone, weight)).cast("bigint").alias("profiles"),
            F.max(F.when(is_everyone, mean)).alias("mean"),
            bounds[0].alias("low"),
            bounds[1].alias("high"),
        )

    told = F.array(*(found(number) for number in range(len(measures))))
    return (
        summed.groupBy(*groups)
        .agg(told.alias("_found"))
        .select(*groups, F.explode("_found").alias("_found"))
        .select(*groups, "_found.*")
    )


def _resampled(frame: DataFrame, groups: Sequence[str], measures: Sequence[str]) -> DataFrame:
    """Sum and weight of each measure in each resample; resample 0 is everyone once."""
    hashed = frame.select(
        *groups,
        F.xxhash64("profile_id").alias("_hash"),
        *(F.col(name).cast("double") for name in measures),
    )
    sums = [
        StructField(f"{kind}_{n}", DoubleType())
        for n in range(len(measures))
        for kind in ("sum", "weight")
    ]
    own = [hashed.schema[name] for name in groups]
    schema = StructType([*own, StructField("resample", IntegerType()), *sums])
    # Python, because Spark would have to make four hundred rows of each.
    partial = hashed.mapInArrow(lambda batches: _drawn(batches, groups, measures, schema), schema)
    return partial.groupBy(*groups, "resample").agg(
        *(F.sum(field.name).alias(field.name) for field in sums)
    )


def _drawn(
    batches: Batches, groups: Sequence[str], measures: Sequence[str], schema: StructType
) -> Batches:
    """Sums of a partition, by group and resample."""
    totals: dict[tuple[Any, ...], Matrix] = {}
    for batch in batches:
        weights = _weights(batch.column("_hash").to_numpy(zero_copy_only=False))
        values = np.stack(
            [batch.column(name).to_numpy(zero_copy_only=False) for name in measures], axis=1
        )
        is_there = ~np.isnan(values)
        pairs = np.stack([np.where(is_there, values, 0.0), is_there.astype(np.float64)], axis=2)
        codes, keys = _coded([batch.column(name) for name in groups])
        for code, key in enumerate(keys):
            mine = codes == code
            drawn = weights[:, mine] @ pairs[mine].reshape(int(mine.sum()), -1)
            totals[key] = totals[key] + drawn if key in totals else drawn
    for key, drawn in totals.items():
        columns = [pa.array([value] * len(drawn)) for value in key]
        columns.append(pa.array(np.arange(len(drawn), dtype=np.int32)))
        columns += [pa.array(drawn[:, n]) for n in range(drawn.shape[1])]
        yield pa.RecordBatch.from_arrays(columns, names=schema.names)


def _coded(columns: Sequence[pa.Array]) -> tuple[Matrix, list[tuple[Any, ...]]]:
    """Rows of equal values under one number, and what the numbers stand for."""
    encoded = [column.dictionary_encode() for column in columns]
    indices = np.stack([each.indices.to_numpy(zero_copy_only=False) for each in encoded])
    distinct, codes = np.unique(indices, axis=1, return_inverse=True)
    values = [each.dictionary.to_pylist() for each in encoded]
    keys = [tuple(v[i] for v, i in zip(values, column, strict=True)) for column in distinct.T]
    return codes.reshape(-1), keys


def _weights(hashes: Matrix) -> Matrix:
    """How often each profile is drawn: once, then in each resample a Poisson variable of mean 1 from its hash."""
    drawn = DRAWS[mixed(hashes, np.arange(1, RESAMPLES + 1)[:, None]) >> np.uint64(48)]
    return np.concatenate([np.ones((1, len(hashes))), drawn])


def shown(lists: DataFrame, titles: DataFrame, k: int) -> DataFrame:
    """What a model's lists show: one row per model with `coverage, gini`.

    `lists` holds `model, rank, title_idx`, for the same profiles whatever the model. `titles (title_idx)` are what
    coverage is a share of, and what exposure is spread over: where models are trained, the titles that somebody had met
    before the cut, be they on offer then or not, and none besides.
    """
    exposure = (
        lists.where(F.col("rank") <= k)
        .groupBy("model", "title_idx")
        .agg(F.count(F.lit(1)).alias("shown"))
        .join(titles.select("title_idx"), on="title_idx", how="inner")
    )
    size = titles.agg(F.count(F.lit(1)).alias("size"))
    ascending = Window.partitionBy("model").orderBy("shown", "title_idx")
    # Titles never shown come first in the order and add nothing to the sum but their places.
    place = (
        F.row_number().over(ascending)
        + F.col("size")
        - F.count(F.lit(1)).over(Window.partitionBy("model"))
    )
    placed = exposure.crossJoin(size).withColumn("place", place)
    total, n = F.sum("shown"), F.first("size")
    weighted = F.sum((2 * F.col("place") - F.col("size") - 1) * F.col("shown"))
    return placed.groupBy("model").agg(
        (F.count(F.lit(1)) / n).alias("coverage"), (weighted / (n * total)).alias("gini")
    )
