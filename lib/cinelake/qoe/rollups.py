"""Roll-ups: cells summed over the subsets of dimensions that operators ask for.

Grain: one row a combination of values of a subset and bucket. A subset is named by its dimensions, as `cdn+region`, and
`all` has none. The full cube of eight dimensions has 256 subsets, most of which nobody asks for, and most of whose
cells hold a session or two; so subsets are listed, and what is too small to tell anything is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.cells import added_up
from cinelake.tables.qoe import DIMENSIONS

ALL = "all"
# A network's fault strikes CDNs, points of presence, networks, regions, and what they share; an app's fault devices,
# versions, and what they share with a place.
SUBSETS = (
    ALL,
    *DIMENSIONS,
    "cdn+region",
    "cdn+isp",
    "isp+region",
    "cdn+isp+region",
    "device_model+app_version",
    "region+app_version",
    "cdn+device_model",
    "cdn+app_version",
)


class UnknownDimension(ValueError):
    """A subset names what is no dimension; the message says which there are."""


def dimensions_of(subset: str) -> tuple[str, ...]:
    """The dimensions of a subset, in the order of `DIMENSIONS`.

    Raises UnknownDimension when one is not known, or is named twice.
    """
    if subset == ALL:
        return ()
    named = subset.split("+")
    for name in named:
        if name not in DIMENSIONS or named.count(name) > 1:
            raise UnknownDimension(
                f"subset {subset!r}: {name!r} is no dimension, or stands there twice; a subset is 'all', or some of "
                f"{', '.join(DIMENSIONS)} with '+' between"
            )
    return tuple(name for name in DIMENSIONS if name in named)


def name_of(dimensions: Sequence[str]) -> str:
    """The subset of these dimensions."""
    return "+".join(dimensions) or ALL


def cell_of(dimensions: Sequence[str] = DIMENSIONS) -> Column:
    """The name of a combination, as `cdn=aurora|region=DE-BY`; null dimensions are left out."""
    parts = [
        F.when(F.col(name).isNotNull(), F.concat(F.lit(f"{name}="), F.col(name)))
        for name in dimensions
    ]
    return F.coalesce(F.nullif(F.concat_ws("|", *parts), F.lit("")), F.lit(ALL))


def parts_of(cell: str) -> dict[str, str]:
    """The combination that a name stands for."""
    if cell == ALL:
        return {}
    return dict(part.split("=", 1) for part in cell.split("|") if "=" in part)


def rollups(cells: DataFrame, subsets: Sequence[str], floor: int) -> DataFrame:
    """Cells summed over each of the `subsets`; those with fewer than `floor` attempts and sessions' hours are left out.

    Raises UnknownDimension for a subset that is none.
    """
    asked = sorted({dimensions_of(subset) for subset in subsets}, key=lambda own: (len(own), own))
    sets = F.array(*(F.lit(sum(1 << DIMENSIONS.index(n) for n in own)) for own in asked))
    masked = cells.select("*", F.explode(sets).alias("_set")).select(
        *(name for name in cells.columns if name not in DIMENSIONS),
        "_set",
        *(
            F.when(F.col("_set").bitwiseAND(1 << place) != 0, F.col(name)).alias(name)
            for place, name in enumerate(DIMENSIONS)
        ),
    )
    summed = added_up(masked, ("width", "bucket_at", "cell_date", "_set", *DIMENSIONS))
    subset = F.lit(None).cast("string")
    for own in asked:
        bits = sum(1 << DIMENSIONS.index(name) for name in own)
        subset = F.when(F.col("_set") == bits, name_of(own)).otherwise(subset)
    kept = summed.where(F.greatest("attempts", "hours") >= floor)
    return kept.select("*", cell_of().alias("cell"), subset.alias("subset")).drop("_set")
