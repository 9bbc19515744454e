"""A service whose most popular title is not on offer, and whose next one is not for kids."""

from __future__ import annotations

from datetime import date, datetime, time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows

from cinelake.recommend.eligibility import InForce
from cinelake.recommend.protocols import Split
from cinelake.recommend.service import Service
from cinelake.tables.features import TITLE_SIGNALS

CUT, END = date(2026, 3, 9), date(2026, 3, 13)
BEFORE = date(2026, 3, 1)
# Of profiles, by number, their kind; the last one comes after the cut.
ADULT, KID, EVE, NEW = 10, 11, 12, 13


def split(spark: SparkSession) -> Split:
    """Before the cut, six profiles like t0, five t1 and four t2; the three who are asked know t3 alone."""
    told = [(n, title, BEFORE) for title, likes in ((0, 6), (1, 5), (2, 4)) for n in range(likes)]
    told += [(n, 3, BEFORE) for n in (ADULT, KID, EVE)]
    # Eve is shown later what is on no list at the cut.
    told += [(ADULT, 1, CUT), (KID, 2, CUT), (EVE, 0, CUT), (NEW, 1, CUT)]
    number = {name: F.substring(f"{name}_id", 2, 2).cast("int") for name in ("profile", "title")}
    signals = rows(
        spark,
        TITLE_SIGNALS,
        *(
            {
                "profile_id": f"p{profile:02}", "title_id": f"t{title}", "rating": 5.0,
                "signal_date": day, "rated_at": datetime.combine(day, time.min),
            }
            for profile, title, day in told
        ),
    ).select(
        "*",
        *(value.alias(f"{name}_idx") for name, value in number.items()),
        F.lit("DE").alias("market"),
    )  # fmt: skip
    is_late = F.col("signal_date") >= F.lit(CUT)
    return Split(signals.where(~is_late), signals.where(is_late), CUT, END)


def service_at(spark: SparkSession, until: date) -> Service:
    """Everyone is in Germany, where t0 is not on offer; t1 is from 16 years on."""
    titles = [("t0", 0, ["FR"]), ("t1", 16, ["DE"]), ("t2", 0, ["DE"]), ("t3", 0, ["DE"])]
    shown = spark.createDataFrame(
        [(title, "film", age, markets) for title, age, markets in titles],
        "title_id string, kind string, least_age int, markets array<string>",
    )
    people = [(f"p{n:02}", "DE", 12 if n == KID else 18) for n in range(14)]
    known = [one for one in people if until > CUT or one[0] != f"p{NEW}"]
    viewers: DataFrame = spark.createDataFrame(
        known, "profile_id string, market string, age_limit int"
    )
    rules = InForce(market=True, age=True)
    return Service(until, viewers, shown, rules, (), said=shown, circles=shown, prior=1.0)
