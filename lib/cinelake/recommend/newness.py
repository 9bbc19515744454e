"""How much more a title is chosen for being new, beyond what its content tells.

Of titles that a fit knows, what their offsets (taste_classes.py) have above those that their content predicts is
regressed on `exp(-age / days)`, each weighed by how well it is known. A title that nobody can have chosen yet is given
what its age makes of that; an old one that nobody has chosen, what it lacks.
"""

from __future__ import annotations

from datetime import date
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Of fewer new titles a slope says little; being new then makes no difference.
FEWEST = 5


class Newness(BaseModel):
    """`slope` per unit of `exp(-age / days)`, of which titles of the fit have `usual` on average."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slope: float
    usual: float
    days: float

    @classmethod
    def found(
        cls, known: DataFrame, predicted: DataFrame, titles: DataFrame, *,
        through: date, new_days: int, half_known: float, days: float,
    ) -> Self:  # fmt: skip
        """From `known (title_id, factors, likes)` and what content predicts, `title_id, factors`, offsets last.

        `titles` says `release_date`; titles up to `new_days` old are new. A title that so many profiles like as
        `half_known` says weighs half.
        """
        dated = titles.where("release_date IS NOT NULL").select("title_id", "release_date")
        offset = F.element_at("factors", -1).cast("double")
        rows = (
            known.select("title_id", "likes", offset.alias("offset"))
            .join(predicted.select("title_id", offset.alias("expected")), "title_id", "inner")
            .join(dated, "title_id", "inner")
            .select("title_id", "likes", "offset", "expected", _age(through).alias("age"))
            .toArrow()
            .sort_by("title_id")
        )
        likes, offsets, expected, age = (
            rows.column(name).to_numpy() for name in ("likes", "offset", "expected", "age")
        )
        if (age < new_days).sum() < FEWEST:
            return cls(slope=0.0, usual=0.0, days=days)
        weight = likes / (likes + half_known)
        fresh = np.exp(-age / days)
        usual = np.average(fresh, weights=weight)
        apart = weight * (fresh - usual)
        spread = apart @ (fresh - usual)
        slope = apart @ (offsets - expected) / spread if spread > 0 else 0.0
        return cls(slope=float(slope), usual=float(usual), days=days)

    def added(self, through: date) -> Column:
        """To the offset of a title, by its `release_date`; nothing where nobody tells that."""
        fresh = F.exp(-_age(through) / F.lit(self.days))
        moved = F.lit(self.slope) * (fresh - F.lit(self.usual))
        return F.when(F.col("release_date").isNotNull(), moved).otherwise(0.0)


def _age(through: date) -> Column:
    """Days since a release, none for what is still to come."""
    return F.greatest(F.datediff(F.lit(through), "release_date"), F.lit(0))
