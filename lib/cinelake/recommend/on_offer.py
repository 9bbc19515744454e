"""For how much of the time titles were on offer where profiles are, as far as what profiles met tells.

A title that nobody in a market has met was probably not there, the more so the more would have met it had it been; one
that was met first on a late day was there from then on. So it is known without the dates of a catalogue, which a set of
ratings has not got, and counts in meetings rather than in days: a week in which nobody watches shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend.scoring import Matrix
from cinelake.recommend.viewers import UNKNOWN

# Titles that a market has of all, before anything is known; and the least that a title is there.
USUALLY, LEAST = 0.8, 0.01


def told(interactions: DataFrame) -> DataFrame:
    """The rows with `market` and `met_on`, where there are none: unknown, and all in one day."""
    columns = interactions.columns
    market = F.col("market") if "market" in columns else F.lit(None).cast("string")
    met_on = F.col("met_on") if "met_on" in columns else F.lit("1970-01-01").cast("date")
    return interactions.withColumns(
        {"market": F.coalesce(market, F.lit(UNKNOWN)), "met_on": met_on}
    )


def offered(interactions: DataFrame, markets: Sequence[str], titles: Matrix) -> Matrix:
    """`(markets, titles)`, from 0 to 1, of titles by number, from rows `market, title_idx, met_on` of what is known.

    The share of a market's meetings that came after its first one with a title; since that one is late by about one
    meeting, one more than that. Where there was none, how probable it is that the title was there all the same.
    """
    # Others may have met something, too, as where nobody has liked anything yet.
    is_asked = F.col("market").isin(list(markets))
    known = interactions.where(F.col("met_on").isNotNull() & is_asked)
    by_day = known.groupBy("market", "met_on").agg(F.count(F.lit(1)).alias("meetings"))
    later = Window.partitionBy("market").orderBy(F.desc("met_on"))
    since = by_day.select(
        "market",
        F.col("met_on").alias("first_on"),
        F.sum("meetings").over(later).alias("since"),
    )
    of_title = known.groupBy("market", "title_idx").agg(
        F.min("met_on").alias("first_on"), F.count(F.lit(1)).alias("meetings")
    )
    rows = of_title.join(since, on=["market", "first_on"], how="inner").toArrow()
    order = np.argsort(titles)
    numbers = rows.column("title_idx").to_numpy()
    place = np.minimum(np.searchsorted(titles[order], numbers), len(titles) - 1)
    market = pc.index_in(rows.column("market").combine_chunks(), value_set=pa.array(markets))
    here, there = market.to_numpy(), order[place]
    met, later_on = (rows.column(name).to_numpy() for name in ("meetings", "since"))
    totals = np.zeros(len(markets))
    np.add.at(totals, here, met)
    is_known = titles[there] == numbers
    found = np.zeros((len(markets), len(titles)))
    counts = np.zeros_like(found)
    cells = here[is_known], there[is_known]
    counts[cells] = met[is_known]
    found[cells] = later_on[is_known] / totals[cells[0]]
    return estimated(found, counts, totals)


def estimated(since: Matrix, met: Matrix, totals: Matrix) -> Matrix:
    """The same from `since`, shares of meetings from a title's first one on, `met`, how many it had, both
    `(markets, titles)`, and `totals (markets)`, how many there were with any title.
    """
    chance = met.sum(axis=0) / np.maximum(totals @ since, 1e-9)
    # Had it been there all the time, so many would have met it.
    expected = totals[:, None] * chance
    unmet = USUALLY * np.exp(-expected)
    absent = unmet / (unmet + 1 - USUALLY)
    present = np.minimum(1.0, since * (1 + 1 / np.maximum(met, 1)))
    found: Matrix = np.maximum(np.where(met > 0, present, absent), LEAST)
    return found
