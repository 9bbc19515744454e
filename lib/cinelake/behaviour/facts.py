"""What profiles did with titles, typed, each record beside what speaks against it."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import EFFECTIVE_FROM, as_of
from cinelake.behaviour.records import is_duplicate, reasons, within
from cinelake.sources.bronze import payload
from cinelake.sources.source import Source


def title_facts(
    bronze: DataFrame, source: Source, titles: DataFrame, start: date, end: date
) -> DataFrame:
    """The records of `[start, end)` with typed payload and `_reasons`.

    `duplicate`: an earlier receipt of the same event counts. `unknown_title`: the catalogue did not have the
    title when it happened. `titles` are the change rows up to `end`.
    """
    typed = payload(bronze, source)
    marked = typed.select("*", is_duplicate(source.names).alias("_is_duplicate"))
    own = within(marked, "event_date", start, end)
    known = as_of(own, titles.select("title_id", EFFECTIVE_FROM), on=["title_id"], at="event_time")
    return known.select(
        *typed.columns,
        reasons(
            duplicate=F.col("_is_duplicate"), unknown_title=F.col(EFFECTIVE_FROM).isNull()
        ).alias("_reasons"),
    )
