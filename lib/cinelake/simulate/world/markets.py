"""Markets: countries, regions with their time zones and places, internet providers.

Weights are rough shares of population. Autonomous system numbers are from the private range (RFC 6996), providers
are invented, places are real so that distances are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cinelake.simulate.randomness import Floats, Longs


@dataclass(frozen=True)
class Market:
    """One country of the service."""

    code: str
    language: str
    weight: float
    southern: bool
    price_level: float
    # name, IANA zone, latitude, longitude, weight
    regions: tuple[tuple[str, str, float, float, float], ...]
    # name, weight, capacity factor, connection kinds it sells with their weights
    isps: tuple[tuple[str, float, float, tuple[tuple[str, float], ...]], ...]


_FIBRE = (("fibre", 0.8), ("dsl", 0.2))
_CABLE = (("cable", 1.0),)
_OLD = (("dsl", 0.75), ("fibre", 0.25))
_AIR = (("mobile", 1.0),)
_SKY = (("satellite", 1.0),)

MARKETS: dict[str, Market] = {
    market.code: market
    for market in (
        Market(
            "US",
            "en",
            0.42,
            False,
            1.0,
            (
                ("New York", "America/New_York", 40.71, -74.01, 0.24),
                ("Georgia", "America/New_York", 33.75, -84.39, 0.15),
                ("Florida", "America/New_York", 27.95, -82.46, 0.09),
                ("Illinois", "America/Chicago", 41.88, -87.63, 0.14),
                ("Texas", "America/Chicago", 32.78, -96.80, 0.15),
                ("Colorado", "America/Denver", 39.74, -104.99, 0.07),
                ("California", "America/Los_Angeles", 34.05, -118.24, 0.16),
            ),
            (
                ("Crestline Cable", 0.33, 1.0, _CABLE),
                ("Meridian Fiber", 0.30, 1.2, _FIBRE),
                ("Plainstel", 0.14, 0.7, _OLD),
                ("Skyreach", 0.04, 1.0, _SKY),
                ("Bluewave Mobile", 0.12, 1.0, _AIR),
                ("Tally Wireless", 0.07, 0.8, _AIR),
            ),
        ),
        Market(
            "GB",
            "en",
            0.14,
            False,
            1.0,
            (
                ("London", "Europe/London", 51.51, -0.13, 0.45),
                ("Manchester", "Europe/London", 53.48, -2.24, 0.30),
                ("Glasgow", "Europe/London", 55.86, -4.25, 0.25),
            ),
            (
                ("Albion Broadband", 0.42, 1.0, _FIBRE),
                ("Severn Cable", 0.26, 1.1, _CABLE),
                ("Pennine Net", 0.14, 0.8, _OLD),
                ("Kestrel Mobile", 0.18, 1.0, _AIR),
            ),
        ),
        Market(
            "DE",
            "de",
            0.14,
            False,
            1.0,
            (
                ("Berlin", "Europe/Berlin", 52.52, 13.40, 0.30),
                ("Bavaria", "Europe/Berlin", 48.14, 11.58, 0.35),
                ("Rhineland", "Europe/Berlin", 50.94, 6.96, 0.35),
            ),
            (
                ("Nordnetz", 0.40, 0.9, _OLD),
                ("Isarkabel", 0.28, 1.0, _CABLE),
                ("Lindenglas", 0.14, 1.2, _FIBRE),
                ("Funkwelt", 0.18, 0.9, _AIR),
            ),
        ),
        Market(
            "BR",
            "pt",
            0.12,
            True,
            0.5,
            (
                ("São Paulo", "America/Sao_Paulo", -23.55, -46.63, 0.5),
                ("Rio de Janeiro", "America/Sao_Paulo", -22.91, -43.17, 0.3),
                ("Amazonas", "America/Manaus", -3.12, -60.02, 0.2),
            ),
            (
                ("Fibra Sul", 0.40, 0.8, _FIBRE),
                ("Cabo Rápido", 0.25, 0.8, _CABLE),
                ("Onda Móvel", 0.25, 0.7, _AIR),
                ("Satelar", 0.10, 0.8, _SKY),
            ),
        ),
        Market(
            "IN",
            "hi",
            0.11,
            False,
            0.3,
            (
                ("Maharashtra", "Asia/Kolkata", 19.08, 72.88, 0.4),
                ("Delhi", "Asia/Kolkata", 28.61, 77.21, 0.35),
                ("Karnataka", "Asia/Kolkata", 12.97, 77.59, 0.25),
            ),
            (
                ("Ganga Fibre", 0.35, 0.7, _FIBRE),
                ("Deccan Net", 0.20, 0.6, _OLD),
                ("Monsoon Mobile", 0.45, 0.6, _AIR),
            ),
        ),
        Market(
            "JP",
            "ja",
            0.07,
            False,
            0.9,
            (
                ("Tokyo", "Asia/Tokyo", 35.68, 139.69, 0.6),
                ("Osaka", "Asia/Tokyo", 34.69, 135.50, 0.4),
            ),
            (
                ("Hikari Line", 0.60, 1.4, _FIBRE),
                ("Sakura Cable", 0.18, 1.0, _CABLE),
                ("Tsubame Mobile", 0.22, 1.1, _AIR),
            ),
        ),
    )
}

# Systems that are nobody's home: name, connection.
COMMON_SYSTEMS: tuple[tuple[str, str], ...] = (
    ("Granite Hosting", "hosting"),
    ("Lowcost Servers", "hosting"),
    ("Nimbus Cloud", "hosting"),
    ("Cloakway VPN", "vpn"),
    ("Tunnelbird VPN", "vpn"),
    ("Orchard Relay", "relay"),
    ("Lagoon Relay", "relay"),
    ("Halden Industries", "corporate"),
    ("Praxis Consulting", "corporate"),
    ("Unity Health", "corporate"),
    ("Quay Bank", "corporate"),
)


@dataclass(frozen=True)
class Geography:
    """The chosen markets as arrays; regions and providers of all markets stand in one list each."""

    countries: tuple[str, ...]
    languages: tuple[str, ...]
    weights: Floats  # by market
    southern: Longs
    zones: tuple[str, ...]
    regions: tuple[str, ...]
    region_market: Longs
    region_zone: Longs
    region_weight: Floats
    latitude: Floats
    longitude: Floats
    isps: tuple[str, ...]  # those of markets, then the common systems
    isp_market: Longs  # −1 for common systems
    isp_weight: Floats
    isp_capacity: Floats
    isp_kinds: tuple[tuple[tuple[str, float], ...], ...]

    @property
    def asn(self) -> Longs:
        return 64_512 + 7 * np.arange(len(self.isps), dtype=np.int64)

    def regions_of(self, market: int) -> Longs:
        return np.flatnonzero(self.region_market == market)

    def isps_of(self, market: int) -> Longs:
        return np.flatnonzero(self.isp_market == market)


@lru_cache(maxsize=8)
def geography(codes: tuple[str, ...]) -> Geography:
    """The geography of these markets. Raises ValueError for a country that is not known."""
    for code in codes:
        if code not in MARKETS:
            raise ValueError(
                f"world.markets: {code} is not a known market; known: {', '.join(MARKETS)}"
            )
    markets = [MARKETS[code] for code in codes]
    regions = [(index, region) for index, market in enumerate(markets) for region in market.regions]
    isps = [(index, isp) for index, market in enumerate(markets) for isp in market.isps]
    zones = tuple(dict.fromkeys(region[1] for _, region in regions))
    common = [(-1, (name, 0.0, 1.0, ((kind, 1.0),))) for name, kind in COMMON_SYSTEMS]
    systems = [*isps, *common]
    return Geography(
        countries=codes,
        languages=tuple(market.language for market in markets),
        weights=np.array([market.weight for market in markets]),
        southern=np.array([int(market.southern) for market in markets]),
        zones=zones,
        regions=tuple(region[0] for _, region in regions),
        region_market=np.array([index for index, _ in regions]),
        region_zone=np.array([zones.index(region[1]) for _, region in regions]),
        region_weight=np.array([region[4] for _, region in regions]),
        latitude=np.array([region[2] for _, region in regions]),
        longitude=np.array([region[3] for _, region in regions]),
        isps=tuple(isp[0] for _, isp in systems),
        isp_market=np.array([index for index, _ in systems]),
        isp_weight=np.array([isp[1] for _, isp in systems]),
        isp_capacity=np.array([isp[2] for _, isp in systems]),
        isp_kinds=tuple(isp[3] for _, isp in systems),
    )
