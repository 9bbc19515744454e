"""Accounts, profiles, devices and availability as change rows (see changes.py), under pseudonyms.

Names, mail and postal addresses and telephone numbers are no attributes here: they stop at bronze. A change of
them alone is therefore no change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.accounting import AccountFor, Accounts, nobody_asks
from cinelake.behaviour.changes import change_rows
from cinelake.behaviour.identity import IdKind, known_as
from cinelake.behaviour.records import is_duplicate
from cinelake.sources.accounts import ACCOUNTS_SOURCE
from cinelake.sources.availability import AVAILABILITY_SOURCE
from cinelake.sources.bronze import payload
from cinelake.sources.devices import DEVICES_SOURCE
from cinelake.sources.profiles import PROFILES_SOURCE
from cinelake.sources.source import Source


@dataclass(frozen=True)
class Entity:
    """A source whose records tell how a thing looks, what identifies one, and what is kept of its looks."""

    source: Source
    on: tuple[str, ...]
    attributes: tuple[str, ...]


ACCOUNT = Entity(
    ACCOUNTS_SOURCE,
    ("account_id",),
    (
        "market",
        "time_zone",
        "plan",
        "screens_allowed",
        "channel",
        "status",
        "cancel_reason",
        "signed_up_at",
        "payment_method",
        "payment_outcome",
    ),
)
PROFILE = Entity(
    PROFILES_SOURCE,
    ("profile_id",),
    ("account_id", "kind", "maturity_limit", "language", "onboarding_picks", "status"),
)
# A device is used by several accounts where people visit each other; each account has its own row.
DEVICE = Entity(
    DEVICES_SOURCE,
    ("device_id", "account_id"),
    ("kind", "model", "os", "app_version", "first_seen_at"),
)
AVAILABLE = Entity(
    AVAILABILITY_SOURCE, ("title_id", "market"), ("available_from", "available_until")
)

KINDS = {
    "account_id": IdKind.ACCOUNT,
    "profile_id": IdKind.PROFILE,
    "device_id": IdKind.DEVICE,
}


def entity_changes(
    bronze: DataFrame,
    before: DataFrame,
    keys: DataFrame,
    entity: Entity,
    start: date,
    end: date,
    tell: AccountFor = nobody_asks,
) -> DataFrame:
    """The change rows of `[start, end)` with `_reasons`.

    `bronze` holds the window's records and those of the days before that may repeat in it, `before` the change rows
    of the days before.
    """
    typed = payload(bronze, entity.source)
    told = typed.select(
        "event_time",
        "event_date",
        "received_at",
        "event_id",
        is_duplicate(entity.source.names).alias("_is_duplicate"),
        *(
            known_as(KINDS[name], name, keys) if name in KINDS else F.col(name)
            for name in (*entity.on, *entity.attributes)
        ),
    )
    accounts = Accounts(start, end, tell)
    return change_rows(told, before, entity.on, entity.attributes, entity.source, accounts)
