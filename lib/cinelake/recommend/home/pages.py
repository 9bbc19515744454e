"""Home pages of all profiles: one tile of scores serves all rows, and all circumstances.

Profiles stay where they are. Each partition scores its profiles with the broadcast model and adds what titles are worth
to everybody in the market. From the titles that are worth most the rows take theirs, and then, circumstance by
circumstance, what it adds to each title puts the titles of the rows in order, and the rows become a page (compose.py).
So circumstances choose among the candidates of the rows; they bring none in.

The result does not depend on which profiles come together: tiles are filled up to the same size, because a product of
matrices of another size may be rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from cinelake.recommend.home.making import TILE, Batches, Maker
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.rows.kind import OPTIONAL, Known, RowKind
from cinelake.recommend.strengths import refused

OWN = (
    "array<struct<kind: string, key: string, anchor: string, device_class: string, daypart: string, place: int, "
    "titles: array<struct<title_idx: int, added: double, odds: double, episode_id: string, position_s: double>>>>"
)
# What a page is made of: a row each, with its tiles.
ROWS = (
    "profile_id string, device_class string, daypart string, row int, row_kind string, row_key string, "
    "row_text string, anchor string, unmet array<string>, "
    "tiles array<struct<title_id: string, score: double, because: string, episode_id: string, "
    "position_s: double, propensity: double>>"
)
COLUMNS = (
    "profile_id", "device_class", "daypart", "row", "position", "title_id", "row_kind", "row_key", "row_text", "score",
    "because", "episode_id", "position_s", "propensity", "unmet",
)  # fmt: skip


def gathered(kinds: Sequence[RowKind], known: Known, numbers: DataFrame) -> DataFrame:
    """`profile_id, own`: the own rows of each profile, from all kinds that have any; titles by their numbers.
    No rows where all kinds are shelves. What a profile wants to see no more of stands in none, whatever their kind.
    """
    frames = []
    for kind in kinds:
        frame = kind.own(known)
        if frame is None:
            continue
        told = [
            F.col(name) if name in frame.columns else F.lit(None).cast(of).alias(name)
            for name, of in OPTIONAL.items()
        ]
        frames.append(
            frame.select("profile_id", "title_id", "added", *told, F.lit(kind.kind).alias("kind"))
        )
    if not frames:
        return numbers.sparkSession.createDataFrame([], f"profile_id string, own {OWN}")
    row = ("profile_id", "kind", "key", "anchor", "device_class", "daypart")
    title = F.struct("title_idx", "added", "odds", "episode_id", "position_s")
    place = F.row_number().over(
        Window.partitionBy("profile_id", "kind", "device_class", "daypart").orderBy("key")
    )
    titles = F.sort_array(F.collect_list(title)).alias("titles")
    whole = reduce(DataFrame.unionByName, frames)
    of_rows = (
        whole.join(refused(known.signals), on=["profile_id", "title_id"], how="left_anti")
        .withColumn("key", F.coalesce("key", F.lit("")))
        .join(F.broadcast(numbers), on="title_id", how="inner")
        .groupBy(*row)
        .agg(titles)
        .select("*", (place - 1).alias("place"))
    )
    own = F.struct("kind", "key", "anchor", "device_class", "daypart", "place", "titles")
    return of_rows.groupBy("profile_id").agg(
        F.sort_array(F.collect_list(own)).cast(OWN).alias("own")
    )


def pages(profiles: DataFrame, plan: Plan) -> DataFrame:
    """`COLUMNS` of `home_pages`.

    `profiles` has `profile_id, seen array<int>, liked array<int>, own, shown array<struct<title_idx, pages>>`, what the
    model reads, null where it does not know the profile, and what the offer reads.
    """
    columns = plan.tastes.columns if plan.tastes else ()
    limits = plan.offer.columns if plan.offer else ()
    needed = dict.fromkeys(("profile_id", "seen", "liked", "own", "shown", *columns, *limits))
    source = profiles.select(
        *needed, F.xxhash64("profile_id", F.lit(plan.circumstances[-1].day)).alias("_hash")
    )
    shared = profiles.sparkSession.sparkContext.broadcast(plan)

    def make(batches: Batches) -> Batches:
        # Spark runs one worker per core already; more BLAS threads would only fight over them.
        with threadpool_limits(limits=1):
            maker = Maker(shared.value)
            for batch in batches:
                if batch.num_rows:
                    yield from maker.make(batch)

    # Python, because Spark has no blocked matrix product, and what a page takes next depends on what it has. What the
    # tiles of a row have in common comes once from there.
    rows = source.mapInArrow(make, ROWS)
    tiles = rows.select("*", F.posexplode("tiles").alias("position", "_tile"))
    because = F.coalesce("anchor", "_tile.because").alias("because")
    told = {"because": because} | {
        name: F.col(f"_tile.{name}").alias(name) for name in TILE if name != "because"
    }
    return tiles.select(*(told.get(name, F.col(name)) for name in COLUMNS))
