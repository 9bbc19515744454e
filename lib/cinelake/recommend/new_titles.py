"""How much is made of a title that nobody can have liked yet: as much as was made of those that were new lately.

The factors of a title are the longer the more profiles like it. Few titles are met as often as in their first weeks,
and one that came a week before the training had a week to be met in. So factors are taken by their length over the
square root of the share of meetings that came since the title did (on_offer.py): with likes few among all, that is how
the length of a title grows with them, nearly. The mean of it over titles that were new lately is the length that a new
title gets.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.on_offer import offered, told
from cinelake.recommend.scoring import matrix
from cinelake.recommend.viewers import UNKNOWN

# Of fewer titles a mean says little; all titles then tell how long factors are.
FEWEST = 5


def length(
    factors: DataFrame, interactions: DataFrame, titles: DataFrame, trained_through: date, days: int
) -> float | None:
    """Of factors of new titles; none where fewer than `FEWEST` were new in the `days` up to that day.

    `factors` holds `title_id, title_idx, factors`; `interactions` are what these were fitted to, `titles` says
    `release_date`.
    """
    released = F.col("release_date").between(
        F.lit(trained_through - timedelta(days=days - 1)), F.lit(trained_through)
    )
    fresh = titles.where(released).select("title_id")
    rows = (
        factors.join(fresh, on="title_id", how="left_semi")
        .select("title_idx", "factors")
        .toArrow()
        .sort_by("title_idx")
    )
    if len(rows) < FEWEST:
        return None
    everywhere = told(interactions).withColumn("market", F.lit(UNKNOWN))
    (shares,) = offered(everywhere, [UNKNOWN], rows.column("title_idx").to_numpy())
    lengths = np.linalg.norm(matrix(rows.column("factors").combine_chunks(), None), axis=1)
    return float(np.mean(lengths / np.sqrt(shares)))
