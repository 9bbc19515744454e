"""Uses of an account that no traveller could have made: too far apart for the time between them.

Method. Uses of a device in one region that follow each other closely are a *stay*. Every two stays of different devices
in different regions are compared, not each with the one before alone, and in the order of what happened, not of what
arrived: a late record makes its day be computed again. The distance is the great circle between the regions
(haversine), less what either may be uncertain by; the gap is from the end of the earlier to the start of the later, and
0 where they overlap, which no speed makes possible. The speeds of airliners are possible.

A region lies where most log-ins of the weeks before its day were looked up to be. Exits of VPNs, relays, hosts and
offices, and connections of unknown kind, say nothing of the place and are left out; gateways of mobile
carriers and satellites are uncertain by more.

Caveat: of one account and day the first `MOST_STAYS` stays count; a home has a few dozen.
"""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.places import with_middles
from cinelake.integrity.networks import COARSE, is_exit

EARTH_KM = 6371.0088
SECOND = 1_000_000
# Days of log-ins that tell where regions lie.
PLACE_DAYS_READ = 28
MOST_STAYS = 400


class TravelRules(BaseModel):
    """Fastest travel, what places are uncertain by, and the longest gap that is looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fastest_kmh: float = Field(
        1000.0, gt=0, description="what an airliner does over ground with the wind (km/h)"
    )
    least_km: float = Field(
        150.0, ge=0, description="distances below this are nobody's concern (km)"
    )
    uncertain_km: float = Field(
        75.0, ge=0, description="what the place of a line in a building may be wrong by (km)"
    )
    uncertain_coarse_km: float = Field(
        300.0, ge=0, description="the same of mobile carriers and satellites (km)"
    )
    longest_gap_h: float = Field(
        12.0, gt=0, le=24, description="uses further apart in time are not compared (h)"
    )
    stay_gap_s: int = Field(
        1800, ge=0, description="uses of a device in one region within this time are one stay (s)"
    )


def place_days(log_ins: DataFrame) -> DataFrame:
    """Rows of `place_days`: where log-ins of regions were looked up to be, and the middles of those cells.

    What has no cell is nowhere.
    """
    is_known = (
        F.col("country").isNotNull() & F.col("region").isNotNull() & F.col("cell").isNotNull()
    )
    known = log_ins.where((F.col("event") == "log_in") & is_known)
    counted = known.groupBy(
        "country", "region", "cell", F.col("attempt_date").alias("log_in_date")
    ).agg(F.count("*").alias("log_ins"))
    return with_middles(counted)


def journeys(
    sessions: DataFrame,
    log_ins: DataFrame,
    places: DataFrame,
    start: date,
    end: date,
    rules: TravelRules,
) -> DataFrame:
    """Rows of `impossible_journeys` of `[start, end)`; uses are read from two days before, places from weeks before."""
    stays = _placed(_stays(_uses(sessions, log_ins), rules), places, rules)
    one, other = (
        stays.select(*(F.col(name).alias(f"{prefix}_{name}") for name in stays.columns))
        for prefix in ("earlier", "later")
    )
    longest = int(rules.longest_gap_h * 3600 * SECOND)
    # Days on which a later stay may begin: pairs meet by account and day, so that weeks cost no more than their days.
    meets = F.sequence(_day("earlier_started"), _day("earlier_ended", longest))
    one = one.select("*", F.explode(meets).alias("_meets"))
    at_once = F.col("later_started") < F.col("earlier_ended")
    gap = F.when(at_once, F.lit(0)).otherwise(F.col("later_started") - F.col("earlier_ended"))
    # In order of start, then of device, so that of each pair one is the earlier.
    in_order = F.struct("earlier_started", "earlier_device_id") < F.struct(
        F.col("later_started").alias("earlier_started"),
        F.col("later_device_id").alias("earlier_device_id"),
    )
    pairs = one.join(
        other,
        (F.col("earlier_account_id") == F.col("later_account_id"))
        & (F.col("_meets") == _day("later_started"))
        & in_order
        & (F.col("earlier_device_id") != F.col("later_device_id"))
        & (F.col("earlier_place") != F.col("later_place"))
        & (F.col("later_started") - F.col("earlier_ended") <= F.lit(longest)),
        how="inner",
    )
    measured = pairs.select(
        F.col("later_account_id").alias("account_id"),
        F.to_date(F.timestamp_micros("later_started")).alias("later_date"),
        F.timestamp_micros("earlier_started").alias("earlier_at"),
        F.timestamp_micros("earlier_ended").alias("earlier_until"),
        F.timestamp_micros("later_started").alias("later_at"),
        "earlier_device_id",
        "later_device_id",
        "earlier_place",
        "later_place",
        "earlier_kind",
        "later_kind",
        F.round(
            F.greatest(
                _distance() - F.col("earlier_uncertain") - F.col("later_uncertain"), F.lit(0.0)
            ),
            1,
        ).alias("distance_km"),
        (gap / SECOND).cast("double").alias("gap_s"),
    )
    hours = F.col("gap_s") / 3600
    told = measured.select(
        "*", F.when(F.col("gap_s") > 0, F.round(F.col("distance_km") / hours, 1)).alias("speed_kmh")
    )
    return told.where(
        (F.col("later_date") >= F.lit(start))
        & (F.col("later_date") < F.lit(end))
        & (F.col("distance_km") >= rules.least_km)
        & F.coalesce(F.col("speed_kmh") > rules.fastest_kmh, F.lit(True))
    )


def _uses(sessions: DataFrame, log_ins: DataFrame) -> DataFrame:
    """Plays with a picture, and log-ins that came in, where the address tells of a place."""
    plays = sessions.select(
        "account_id",
        "device_id",
        "country",
        "region",
        "connection",
        F.lit("play").alias("kind"),
        F.unix_micros("first_frame_at").alias("started"),
        F.unix_micros("ended_at").alias("ended"),
    )
    came = log_ins.where((F.col("event") == "log_in") & (F.col("outcome") == "success"))
    at = F.unix_micros("attempted_at")
    logged_in = came.select(
        "account_id",
        "device_id",
        "country",
        "region",
        "connection",
        F.lit("log_in").alias("kind"),
        # A moment: of no length, yet it can lie in another use.
        at.alias("started"),
        (at + 1).alias("ended"),
    )
    known = F.col("country").isNotNull() & F.col("region").isNotNull() & ~is_exit()
    uses = plays.unionByName(logged_in).where(known & (F.col("started") < F.col("ended")))
    return uses.select("*", F.concat_ws(", ", "country", "region").alias("place"))


def _stays(uses: DataFrame, rules: TravelRules) -> DataFrame:
    # A stay ends with the day on which its uses begin, so that it is the same in every window.
    uses = uses.select("*", F.to_date(F.timestamp_micros("started")).alias("day"))
    order = Window.partitionBy("account_id", "device_id", "day").orderBy(
        "started", "ended", "kind", "place", "connection"
    )
    reached = F.max("ended").over(order.rowsBetween(Window.unboundedPreceding, -1))
    moves = F.lag("place").over(order) != F.col("place")
    late = F.col("started") > reached + rules.stay_gap_s * SECOND
    marked = uses.select("*", F.coalesce(moves | late, F.lit(True)).alias("_begins"))
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = marked.select("*", F.count_if("_begins").over(so_far).alias("_stay"))
    stays = numbered.groupBy("account_id", "device_id", "day", "_stay").agg(
        F.min("place").alias("place"),
        F.min("country").alias("country"),
        F.min("region").alias("region"),
        F.max("kind").alias("kind"),
        F.bool_or(F.col("connection").isin(*COARSE)).alias("is_coarse"),
        F.min("started").alias("started"),
        F.max("ended").alias("ended"),
    )
    of_day = Window.partitionBy("account_id", "day").orderBy("started", "device_id", "_stay")
    first = stays.select("*", F.row_number().over(of_day).alias("_place"))
    return first.where(F.col("_place") <= MOST_STAYS).drop("_place", "_stay")


def _placed(stays: DataFrame, places: DataFrame, rules: TravelRules) -> DataFrame:
    """Stays with where their region lay by the log-ins of the weeks up to their day."""
    dated = stays.withColumnRenamed("day", "_day")
    wanted = dated.select("country", "region", "_day").distinct()
    near = F.date_diff("_day", "log_in_date").between(0, PLACE_DAYS_READ)
    of_region = ["country", "region", "_day"]
    counted = (
        wanted.join(places, on=["country", "region"], how="inner")
        .where(near)
        .groupBy(*of_region, "cell", "latitude", "longitude")
        .agg(F.sum("log_ins").alias("log_ins"))
    )
    uncertain = F.when(F.col("is_coarse"), rules.uncertain_coarse_km).otherwise(rules.uncertain_km)
    located = mostly(counted, *of_region)
    return dated.join(located, on=of_region, how="inner").select(
        *(name for name in stays.columns if name not in ("country", "region", "is_coarse", "day")),
        uncertain.alias("uncertain"),
        "latitude",
        "longitude",
    )


def mostly(counted: DataFrame, *by: str) -> DataFrame:
    """`<by>, latitude, longitude`: the middle of the cell of most log-ins; of equals the first by name.

    `counted` has `<by>, cell, latitude, longitude, log_ins`.
    """
    most = F.struct(-F.col("log_ins"), "cell")
    middle = F.min_by(F.struct("latitude", "longitude"), most).alias("_middle")
    return counted.groupBy(*by).agg(middle).select(*by, "_middle.latitude", "_middle.longitude")


def _day(micros: str, later: int = 0) -> Column:
    return F.to_date(F.timestamp_micros(F.col(micros) + later))


def _distance() -> Column:
    """Great circle between the two stays (km), by the haversine formula (Sinnott 1984)."""
    lat1, lat2 = F.radians("earlier_latitude"), F.radians("later_latitude")
    d_lat, d_lon = lat2 - lat1, F.radians(F.col("later_longitude") - F.col("earlier_longitude"))
    h = F.pow(F.sin(d_lat / 2), 2) + F.cos(lat1) * F.cos(lat2) * F.pow(F.sin(d_lon / 2), 2)
    return 2 * EARTH_KM * F.asin(F.sqrt(F.least(h, F.lit(1.0))))
