"""Where an account was used in the weeks up to a case's day, and how far apart that is: for a list and a small map.

A region stands where most log-ins of the weeks before were looked up to be (journeys.py): at the middle of a cell of
H3, some 140 km wide. So distances are between regions, good to a hundred kilometres, and nobody's street is on the
map.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Any

from matplotlib.figure import Figure
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.integrity.journeys import EARTH_KM, PLACE_DAYS_READ, mostly
from cinelake.paragraphs import so_many
from cinelake.report.page import INK, QUIET, WARM

# Days of use that are shown, and the most places: nobody reads more.
DAYS, MOST = 21, 12
HOUR_MS = 3_600_000
# A map is never smaller than this (degrees), lest two neighbouring towns look like two continents.
LEAST_SPAN = 6.0
# Inches.
SIZE = (7.0, 4.2)
Region = tuple[str, str]


@dataclass(frozen=True)
class Spot:
    """A region that the account was used in; place (degrees) and distance are None where nobody knows where it lies."""

    country: str
    region: str
    days: int
    played_ms: int
    latitude: float | None
    longitude: float | None
    # From the first of the account's regions.
    km: float | None

    @property
    def name(self) -> str:
        return f"{self.region}, {self.country}"


@dataclass(frozen=True)
class Link:
    """Regions between which the account made journeys that nobody could make."""

    one: Region
    other: Region
    times: int


def used(usage: DataFrame, accounts: Collection[str], until: date) -> DataFrame:
    """`account_id, country, region, use_date, played_ms` of accounts in the `DAYS` days up to `until`.

    `usage` has rows of `usage_days`. An account may have a million devices; it has only so many regions.
    """
    near = F.date_diff(F.lit(until), "use_date").between(0, DAYS - 1)
    own = usage.where(F.col("account_id").isin(sorted(accounts)) & near)
    by = ["account_id", "country", "region", "use_date"]
    return own.groupBy(*by).agg(F.sum("played_ms").alias("played_ms"))


def travelled(journeys: DataFrame, accounts: Collection[str], until: date) -> DataFrame:
    """`account_id, earlier_place, later_place, later_date, times` of the same accounts and days.

    `journeys` has rows of `impossible_journeys`.
    """
    near = F.date_diff(F.lit(until), "later_date").between(0, DAYS - 1)
    own = journeys.where(F.col("account_id").isin(sorted(accounts)) & near)
    by = ["account_id", "earlier_place", "later_place", "later_date"]
    return own.groupBy(*by).agg(F.count("*").alias("times"))


def regions(usage: Sequence[Mapping[str, Any]], until: date) -> set[Region]:
    """Country and region of every use in the `DAYS` days up to `until`; `usage` has rows of `used`."""
    return {(row["country"], row["region"]) for row in _near(usage, until)}


def middles_of(places: DataFrame, wanted: Collection[Region], until: date) -> DataFrame:
    """`country, region, latitude, longitude` of the regions that log-ins of the weeks up to `until` tell of.

    `places` has rows of `place_days`.
    """
    counted = (
        places.where(
            F.date_diff(F.lit(until), "log_in_date").between(0, PLACE_DAYS_READ)
            & F.col("country").isin(sorted({country for country, _ in wanted}))
            & F.col("region").isin(sorted({region for _, region in wanted}))
        )
        .groupBy("country", "region", "cell", "latitude", "longitude")
        .agg(F.sum("log_ins").alias("log_ins"))
    )
    return mostly(counted, "country", "region")


def spots(
    usage: Sequence[Mapping[str, Any]], middles: Sequence[Mapping[str, Any]], until: date
) -> list[Spot]:
    """The regions of an account, the most used first; of equals in order of names.

    `usage` has the account's rows of `used`, `middles` those of `middles_of`.
    """
    lies = {(row["country"], row["region"]): (row["latitude"], row["longitude"]) for row in middles}
    days: defaultdict[Region, set[date]] = defaultdict(set)
    played: defaultdict[Region, int] = defaultdict(int)
    for row in _near(usage, until):
        days[row["country"], row["region"]].add(row["use_date"])
        played[row["country"], row["region"]] += row["played_ms"]
    ordered = sorted(played, key=lambda region: (-played[region], region))[:MOST]
    first = next((lies[region] for region in ordered if region in lies), None)
    found = []
    for region in ordered:
        here = lies.get(region)
        km = distance_km(first, here) if first and here else None
        latitude, longitude = here or (None, None)
        found.append(Spot(*region, len(days[region]), played[region], latitude, longitude, km))
    return found


def links(journeys: Sequence[Mapping[str, Any]], until: date) -> list[Link]:
    """The pairs of regions of an account's rows of `travelled` in the days up to `until`, the most frequent first."""
    since = until - timedelta(days=DAYS)
    times: defaultdict[tuple[Region, Region], int] = defaultdict(int)
    for row in journeys:
        if since < row["later_date"] <= until:
            one, other = sorted(_region(row[end]) for end in ("earlier_place", "later_place"))
            times[one, other] += row["times"]
    ordered = sorted(times, key=lambda pair: (-times[pair], pair))
    return [Link(*pair, times[pair]) for pair in ordered[:MOST]]


def in_words(found: Sequence[Spot], linked: Sequence[Link]) -> list[str]:
    """The list for a terminal: a line a region, then one a pair of regions."""
    told = []
    for spot in found:
        much = f"{spot.played_ms / HOUR_MS:.1f} h on {so_many(spot.days, 'day')}"
        away = "where that lies is not known" if spot.km is None else f"{spot.km:,.0f} km away"
        told.append(f"{spot.name}: {much}" + (f", {away}" if spot.km != 0 else ""))
    return told + [
        f"{link.one[1]}, {link.one[0]} and {link.other[1]}, {link.other[0]}: "
        f"{'once' if link.times == 1 else f'{link.times} times'} sooner than anybody could travel"
        for link in linked
    ]


def drawn(found: Sequence[Spot], linked: Sequence[Link]) -> Figure | None:
    """A map of the regions with distances from the first, and red lines where nobody could travel so fast.

    North is up, and a kilometre is as long eastwards as northwards at the middle of the map. None where fewer than two
    regions lie anywhere.
    """
    at = {}
    for spot in found:
        if spot.latitude is not None and spot.longitude is not None:
            at[spot.country, spot.region] = (spot.longitude, spot.latitude)
    if len(at) < 2:
        return None
    east = next(iter(at.values()))[0]
    # Across the date line by the shorter way.
    at = {region: ((x - east + 180) % 360 - 180 + east, y) for region, (x, y) in at.items()}
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    first, *others = at
    for region in others:
        axes.plot(*zip(at[first], at[region], strict=True), color=QUIET, lw=1, zorder=1)
    for link in linked:
        if link.one in at and link.other in at:
            ends = zip(at[link.one], at[link.other], strict=True)
            axes.plot(*ends, color=WARM, lw=1.6, ls="--", zorder=2)
    for spot in found:
        here = at.get((spot.country, spot.region))
        if here is not None:
            size = 30 + 12 * sqrt(spot.played_ms / HOUR_MS)
            axes.scatter(*here, s=size, color=WARM if spot.km else INK, zorder=3)
            name = f"{spot.name}, {spot.km:,.0f} km" if spot.km else spot.name
            axes.annotate(name, here, (6, 5), textcoords="offset points", fontsize=8, color=INK)
    east_west, north_south = _limits(list(at.values()))
    axes.set_xlim(*east_west)
    axes.set_ylim(*north_south)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great circle between two places (latitude and longitude, degrees), by the haversine formula (Sinnott 1984)."""
    (lat1, lon1), (lat2, lon2) = ([radians(degrees) for degrees in place] for place in (one, other))
    h = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(h, 1.0)))


def _near(usage: Sequence[Mapping[str, Any]], until: date) -> list[Mapping[str, Any]]:
    return [row for row in usage if until - timedelta(days=DAYS) < row["use_date"] <= until]


def _region(place: str) -> Region:
    """Of `DE, Berlin`, as journeys write it; regions may have commas of their own."""
    country, _, region = place.partition(", ")
    return country, region


def _limits(at: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Longitudes and latitudes of a map that holds all and is as wide as the figure (km, at its middle)."""
    (x, half_x), (y, half_y) = (_middle_and_half(axis) for axis in zip(*at, strict=True))
    # A degree eastwards is shorter than one northwards by this; at the poles no map is right.
    shrinks = max(cos(radians(y)), 0.1)
    wanted = SIZE[0] / SIZE[1]
    half_x, half_y = max(half_x, half_y * wanted / shrinks), max(half_y, half_x * shrinks / wanted)
    return (x - half_x, x + half_x), (y - half_y, y + half_y)


def _middle_and_half(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low + high) / 2, max((high - low) * 0.65, LEAST_SPAN / 2)
