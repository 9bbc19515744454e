"""Networks: which addresses, providers and places traffic comes from, and what the edge's geo lookup makes of them.

A network's number says what it is for (see the roles below). Fixed lines keep an address for a lease of days to
months; mobile networks and some homes sit behind carrier NAT, so that strangers share their addresses and change
them often. Geo lookups are right about the country nearly always and about the region mostly: MaxMind states 99.8 % for
countries and some 66 % within 50 km of the city in the United States (maxmind.com, "GeoIP2 City accuracy").
Addresses are from private, carrier-NAT and documentation ranges (RFC 1918, 6598, 5737, 3849).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import midnight
from cinelake.simulate.randomness import Bools, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import COMMON, CONNECTIONS, DAY, NETWORKS, Networks
from cinelake.simulate.world.households import home_regions
from cinelake.simulate.world.markets import COMMON_SYSTEMS, Geography, geography

# Roles of networks inside an account.
HOME, HOME_AFTER, SECOND_HOME, LODGING, RELATIVES, HOTEL = range(6)
MOBILE = 6  # + slot of the household's viewer
EX_HOME, EX_MOBILE = 12, 13
FRIEND_HOME, FRIEND_MOBILE = 14, 18  # + 0 … 3
BUYER_HOME = 22  # + 0 … 5
PROXY = 28  # + 0 … 2: an intruder's; another address every day

# Speeds of lines in their best hour (Mbit/s): median and sigma of the logarithm.
_SPEED = {
    "fibre": (220, 0.6),
    "cable": (130, 0.6),
    "dsl": (28, 0.6),
    "mobile": (38, 0.8),
    "satellite": (18, 0.5),
    "corporate": (90, 0.5),
    "hosting": (400, 0.3),
    "vpn": (45, 0.6),
    "relay": (70, 0.5),
}
TRIP_SLOT = 28  # days; a traveller takes at most one trip in each


def common_network(system: int, exit_: Longs) -> Longs:
    """The number of one of the exits (0–199) of a common system (index into COMMON_SYSTEMS)."""
    return COMMON + system * 1000 + exit_


def moves_at(settings: Settings, account: Longs) -> Longs:
    """When an account's home gets another line, by moving house or provider (µs UTC): a tenth a year."""
    founded, ends = midnight(settings.world.founded), midnight(settings.world.ends)
    drawn = rnd.uniform(settings.seed, "home line changes", account)
    return (founded + drawn * (ends - founded) * 2).astype(np.int64)


def home_network(settings: Settings, account: Longs, at_us: Longs) -> Longs:
    """The network of the home at these moments."""
    after = at_us >= moves_at(settings, account)
    return account * NETWORKS + np.where(after, HOME_AFTER, HOME)


def regions(settings: Settings, network: Longs, at_us: Longs) -> Longs:
    """Where networks really are (index into `Geography.regions`)."""
    places = geography(settings.world.markets)
    seed = settings.seed
    account, role = network // NETWORKS, network % NETWORKS
    home = home_regions(settings, account)
    # A trip has its own hotel.
    episode = np.where(role == HOTEL, at_us // (TRIP_SLOT * DAY), 0)
    near = np.select(
        [
            np.isin(role, [HOME, MOBILE, EX_MOBILE]) | ((role > MOBILE) & (role < EX_HOME)),
            role == HOME_AFTER,
            role == EX_HOME,
            role == SECOND_HOME,
            (role >= FRIEND_HOME) & (role < BUYER_HOME),
            role == RELATIVES,
            role == LODGING,
        ],
        [1.0, 0.9, 0.78, 0.35, 0.62, 0.5, 0.25],
        0.0,
    )
    country = np.select(
        [role == HOTEL, (role >= BUYER_HOME) & (role < PROXY), role >= PROXY], [0.7, 0.35, 0.4], 1.0
    )
    key = np.where((role >= FRIEND_MOBILE) & (role < BUYER_HOME), role - 4, role)
    key = np.where(role == EX_MOBILE, EX_HOME, key)
    elsewhere = rnd.pick(
        places.weights[places.region_market] * places.region_weight,
        seed,
        "elsewhere",
        account,
        key,
        episode,
    )
    inland = _same_market(places, home, rnd.uniform(seed, "inland", account, key, episode))
    stays = rnd.happens(near, seed, "near", account, key, episode)
    abroad = ~rnd.happens(country, seed, "in the country", account, key, episode)
    found = np.where(stays, home, np.where(abroad, elsewhere, inland))
    common = network >= COMMON
    exits = rnd.integers(len(places.regions), seed, "exit region", network)
    # A private relay's exits stand in its users' own regions, three in each.
    system = np.where(common, (network - COMMON) // 1000, 0)
    relays = np.array([kind == "relay" for _, kind in COMMON_SYSTEMS])[system] & common
    near_exit = np.minimum((network - COMMON) % 1000 // 3, len(places.regions) - 1)
    return np.where(relays, near_exit, np.where(common, exits, found))


def _same_market(places: Geography, home: Longs, drawn: NDArray[np.float64]) -> Longs:
    found = np.zeros(len(home), dtype=np.int64)
    for market in range(len(places.countries)):
        inside = places.regions_of(market)
        edges = np.cumsum(places.region_weight[inside])
        place = np.minimum(np.searchsorted(edges, drawn * edges[-1]), len(inside) - 1)
        found = np.where(places.region_market[home] == market, inside[place], found)
    return found


def is_mobile_role(network: Longs) -> Bools:
    """Whether networks are those of telephones by their numbers."""
    role = network % NETWORKS
    mobile: Bools = (network < COMMON) & (
        ((role >= MOBILE) & (role < EX_HOME))
        | (role == EX_MOBILE)
        | ((role >= FRIEND_MOBILE) & (role < BUYER_HOME))
    )
    return mobile


def providers(settings: Settings, network: Longs, region: Longs) -> tuple[Longs, Longs]:
    """Provider (index into `Geography.isps`) and connection (index into CONNECTIONS) of networks."""
    places = geography(settings.world.markets)
    seed = settings.seed
    first_common = len(places.isps) - len(COMMON_SYSTEMS)
    isp = np.zeros(len(network), dtype=np.int64)
    drawn = rnd.uniform(seed, "provider", network)
    mobile_role = is_mobile_role(network)
    kinds = [{kind for kind, _ in sold} for sold in places.isp_kinds]
    for market in range(len(places.countries)):
        of_market = places.isps_of(market)
        carriers = np.array([n for n in of_market if kinds[n] == {"mobile"}])
        # A home on a mobile network is rarer than a telephone on one.
        weight = places.isp_weight[of_market] * np.where(np.isin(of_market, carriers), 0.45, 1.0)
        here = places.region_market[region] == market
        for rows, choice, odds in (
            (here & ~mobile_role, of_market, weight),
            (here & mobile_role, carriers, places.isp_weight[carriers]),
        ):
            edges = np.cumsum(odds)
            place = np.minimum(np.searchsorted(edges, drawn * edges[-1]), len(choice) - 1)
            isp = np.where(rows, choice[place], isp)
    common = network >= COMMON
    system = np.where(common, (network - COMMON) // 1000, 0)
    isp = np.where(common, first_common + system, isp)
    connection = np.zeros(len(network), dtype=np.int64)
    second = rnd.uniform(seed, "connection", network)
    for n, sold in enumerate(places.isp_kinds):
        index = np.array([CONNECTIONS.index(kind) for kind, _ in sold])
        edges = np.cumsum([weight for _, weight in sold])
        place = np.minimum(np.searchsorted(edges, second * edges[-1]), len(index) - 1)
        connection = np.where(isp == n, index[place], connection)
    return isp, connection


def is_behind_carrier_nat(settings: Settings, network: Longs, connection: Longs) -> Bools:
    """Mobile networks always, satellites often, some cable and fibre homes."""
    odds = np.array([0.08, 0.10, 0.05, 1.0, 0.7, 0.0, 0.0, 0.0, 0.0])[connection]
    return rnd.happens(odds, settings.seed, "carrier NAT", network)


def drifts(settings: Settings, network: Longs) -> Bools:
    """Whether the edge's geo lookup changes its mind about a network from time to time."""
    return rnd.happens(0.07 * settings.abuse.confounders, settings.seed, "geo drift", network)


def describe(settings: Settings, network: Longs, at_us: Longs) -> Networks:
    """What networks look like at these moments."""
    places = geography(settings.world.markets)
    seed = settings.seed
    real = regions(settings, network, at_us)
    isp, connection = providers(settings, network, real)
    nat = is_behind_carrier_nat(settings, network, connection)
    lease = _leases(settings, network, at_us, nat)
    mobile = connection == CONNECTIONS.index("mobile")
    region = _geo(settings, places, network, real, lease, at_us, mobile)
    # Places inside a region: a home stays where it is, a mobile network's gateway is the region's.
    key = np.where(mobile | nat, isp * 1000 + region, network)
    reach = np.where(mobile | nat, 0.10, 0.35)
    latitude = places.latitude[region] + reach * rnd.normal(seed, "latitude", key, region)
    longitude = places.longitude[region] + reach * rnd.normal(seed, "longitude", key, region)
    radius = np.select([mobile, nat, network >= COMMON], [120.0, 60.0, 250.0], 12.0)
    radius = radius * np.exp(0.7 * rnd.normal(seed, "radius", key))
    speed = np.array([_SPEED[kind][0] for kind in CONNECTIONS])[connection]
    sigma = np.array([_SPEED[kind][1] for kind in CONNECTIONS])[connection]
    capacity = (
        speed * places.isp_capacity[isp] * np.exp(sigma * rnd.normal(seed, "capacity", network))
    )
    return Networks(
        ip=_addresses(seed, network, isp, region, lease, connection, nat),
        asn=places.asn[isp],
        isp=isp,
        connection=connection.astype(np.int8),
        country=places.region_market[region],
        region=region,
        true_region=real,
        latitude=np.round(latitude, 4),
        longitude=np.round(longitude, 4),
        accuracy_km=np.maximum(np.round(radius), 1.0),
        capacity_mbps=capacity,
    )


def _leases(settings: Settings, network: Longs, at_us: Longs, nat: Bools) -> Longs:
    """The number of the address lease that runs at a moment; its length is the network's own."""
    seed = settings.seed
    length = np.exp(3.6 + 1.0 * rnd.normal(seed, "lease", network))  # days, median 37
    length = np.where(nat, 0.4 + length / 60, np.clip(length, 1.0, 700))
    proxy = (network % NETWORKS >= PROXY) & (network < COMMON)
    length = np.where(proxy, 1.0, length)
    length = np.where(network >= COMMON, 10_000.0, length)
    phase = rnd.uniform(seed, "lease phase", network)
    count: Longs = np.floor(at_us / (length * DAY) + phase).astype(np.int64)
    return count


def _geo(
    settings: Settings,
    places: Geography,
    network: Longs,
    real: Longs,
    lease: Longs,
    at_us: Longs,
    mobile: Bools,
) -> Longs:
    """The region that the edge believes."""
    seed = settings.seed
    week = at_us // (7 * DAY)
    moody = drifts(settings, network) & rnd.happens(0.3, seed, "drift week", network, week)
    wrong = rnd.happens(np.where(mobile, 0.18, 0.03), seed, "geo wrong", network, lease)
    other = _same_market(places, real, rnd.uniform(seed, "geo", network, lease, week * moody))
    return np.where(moody | wrong, other, real)


def _addresses(
    seed: int,
    network: Longs,
    isp: Longs,
    region: Longs,
    lease: Longs,
    connection: Longs,
    nat: Bools,
) -> NDArray[np.object_]:
    """Texts of addresses. Behind carrier NAT 60 addresses serve a provider's region."""
    own = rnd.integers(1 << 16, seed, "address", network, lease)
    pool = rnd.integers(60, seed, "pool address", network, lease)
    block = isp * 64 + region
    six = rnd.happens(
        np.where(connection == CONNECTIONS.index("mobile"), 0.45, 0.25), seed, "IPv6", network
    ) & (network < COMMON)
    exit_ = (network - COMMON) % 1000
    system = (network - COMMON) // 1000
    documentation = np.array(["192.0.2.", "198.51.100.", "203.0.113."], dtype=object)
    result = np.empty(len(network), dtype=object)
    # 10/8: a /16 a provider and block of regions, as fixed lines have.
    subnet = (block * 7 + (region % 3)) % 250 + 1
    for n in range(len(network)):
        if network[n] >= COMMON:
            number = (int(system[n]) * 61 + int(exit_[n]) * 7) % 254 + 1
            result[n] = f"{documentation[int(system[n]) % 3]}{number}"
        elif six[n]:
            # The last half changes with every device and day in reality; the prefix is what matters.
            result[n] = f"2001:db8:{int(block[n]):x}:{int(own[n]):x}::1"
        elif nat[n]:
            spot = int(block[n]) * 60 + int(pool[n])
            result[n] = f"100.{64 + spot // 62_500 % 64}.{spot // 250 % 250}.{spot % 250 + 1}"
        else:
            spot = int(own[n])
            result[n] = f"10.{int(subnet[n])}.{spot // 256}.{spot % 256}"
    return result
