"""What an address says of where somebody is: networks inside accounts, and classes of connections.

A network is an address told apart inside one account: its name is a hash of both, so that two accounts behind one
carrier's address have nothing in common here.

Classes follow what the rules of detectors of impossible travel except (VPN, relay, satellite, hosting): there the
address is that of an exit, and says little or nothing of the place.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

UNKNOWN = "unknown"
NETWORK_DIGITS = 16
# Lines that end in a building, mobile networks, and exits that say nothing of the place.
FIXED = ("fibre", "cable", "dsl", "satellite")
MOBILE = "mobile"
EXITS = ("hosting", "vpn", "relay", "corporate")
# Where a look-up may be off by more than a region: gateways of mobile carriers, ground stations.
COARSE = (MOBILE, "satellite")


def network(account: str = "account_id", ip: str = "ip") -> Column:
    """The address, told apart inside the account; one that nobody knows is `unknown`."""
    told = F.left(F.sha2(F.concat_ws("|", F.col(account), F.col(ip)), 256), F.lit(NETWORK_DIGITS))
    return F.when(F.col(ip).isNotNull(), told).otherwise(UNKNOWN).alias("network")


def or_unknown(name: str) -> Column:
    """The text of a column; `unknown` where there is none."""
    return F.coalesce(F.col(name), F.lit(UNKNOWN)).alias(name)


def is_exit(connection: str = "connection") -> Column:
    """Whether the address is an exit that says nothing of the place; of an unknown kind, nobody can tell."""
    return F.coalesce(F.col(connection), F.lit(UNKNOWN)).isin(*EXITS, UNKNOWN)
