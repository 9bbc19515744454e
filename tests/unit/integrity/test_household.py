"""The household model: who belongs together, by small weeks of single accounts."""

from __future__ import annotations

from datetime import date, timedelta
from math import isfinite
from typing import Any

from cinelake.integrity.household import Party, features, parties, registered_late

DAY = date(2026, 3, 2)


def use(device: str, network: str, day: int = 0, **more: Any) -> dict[str, Any]:
    told = {
        "use_date": DAY + timedelta(days=day),
        "device_id": device,
        "profile_id": "owner",
        "network": network,
        "connection": "fibre",
        "country": "DE",
        "region": "Berlin",
        "device_kind": "tv",
        "device_since": None,
        "asn": 1,
        "plays": 2,
        "played_ms": 7_200_000,
        "weekend_plays": 0,
        "hours": 1 << 20,
        "genres": [{"genre": "Drama", "titles": 2}],
    }
    return told | more


def names(found: list[Party]) -> list[list[str]]:
    return [party.devices for party in found]


def home(days: int = 20) -> list[dict[str, Any]]:
    return [use("tv", "home", day) for day in range(days)]


def test_devices_that_meet_on_a_line_are_one_party() -> None:
    weeks = [
        *home(),
        use("phone", "home", 3, device_kind="phone"),
        use("laptop", "home", 4, device_kind="laptop"),
    ]
    assert names(parties(weeks, [])) == [["laptop", "phone", "tv"]]


def test_a_student_who_comes_home_once_belongs_to_the_home() -> None:
    away = [
        use("laptop", "lodging", day, device_kind="laptop", region="Bavaria") for day in range(20)
    ]
    assert names(parties([*home(), *away], [])) == [["laptop"], ["tv"]]
    back = use("laptop", "home", 12, device_kind="laptop")
    assert names(parties([*home(), *away, back], [])) == [["laptop", "tv"]]


def test_a_second_home_is_tied_by_the_phone_that_is_taken_along() -> None:
    weeks = [
        *home(),
        use("cottage tv", "cottage", 5),
        use("phone", "home", 3),
        use("phone", "cottage", 5),
    ]
    assert names(parties(weeks, [])) == [["cottage tv", "phone", "tv"]]


def test_a_change_of_provider_is_no_new_party() -> None:
    weeks = [*home(10), *(use("tv", "new line", day) for day in range(10, 20))]
    assert names(parties(weeks, [])) == [["tv"]]


def test_addresses_that_strangers_share_tie_nobody() -> None:
    # A carrier's address, a VPN's exit and an office are met by many; an unknown address is none.
    for connection, network in (
        ("mobile", "cgnat"),
        ("vpn", "exit"),
        ("corporate", "office"),
        ("fibre", "unknown"),
    ):
        weeks = [
            *home(),
            use("one", network, 1, connection=connection, device_kind="phone"),
            use("other", network, 2, connection=connection, device_kind="phone"),
        ]
        assert names(parties(weeks, [])) == [["tv"], ["one"], ["other"]]


def test_a_television_on_a_mobile_network_stands_in_a_home() -> None:
    weeks = [use("tv", "air", day, connection="mobile") for day in range(9)]
    weeks += [use("console", "air", 2, connection="mobile", device_kind="console")]
    assert names(parties(weeks, [])) == [["console", "tv"]]


def test_the_home_is_the_party_used_on_most_days() -> None:
    long_evenings = [use("bar tv", "bar", day, played_ms=90_000_000) for day in range(5)]
    assert names(parties([*long_evenings, *home()], []))[0] == ["tv"]


def test_a_guest_who_watches_more_than_the_family_is_no_home() -> None:
    began, later = DAY - timedelta(days=900), DAY - timedelta(days=5)
    family = [use("tv", "home", day, device_since=began) for day in range(8)]
    guest = [use("guest tv", "elsewhere", day, device_since=later) for day in range(20)]
    assert names(parties([*family, *guest], [])) == [["tv"], ["guest tv"]]
    told = features(*reversed(parties([*family, *guest], [])), 2, DAY + timedelta(days=20))
    assert told["came_with_home"] == 0
    # A device of old that is hardly used makes no home; one of which nobody knows the age is as old as any.
    assert names(parties([*family[:3], *guest], [])) == [["guest tv"], ["tv"]]
    unknown = [row | {"device_since": None} for row in family]
    assert names(parties([*unknown, *guest], [])) == [["tv"], ["guest tv"]]


def test_who_moves_out_with_devices_of_old_does_not_take_the_home_along() -> None:
    began, left = DAY - timedelta(days=900), DAY - timedelta(days=60)
    family = [use("tv", "home", day, device_since=began) for day in range(8)]
    gone = [
        use("tablet", "elsewhere", 0, device_kind="tablet", device_since=began),
        *(use("new tv", "elsewhere", day, device_since=left) for day in range(20)),
    ]
    home, other = parties([*family, *gone], [])
    assert names([home, other]) == [["tv"], ["new tv", "tablet"]]
    told = features(other, home, 2, DAY + timedelta(days=20))
    assert told["came_with_home"] == 1
    assert told["log_set_later_than_home"] > 4


def test_an_account_is_registered_late_where_it_was_there_before_and_all_its_devices_came_lately() -> (
    None
):
    came = [use("tv", "home", device_since=DAY)]
    years_ago, today = DAY - timedelta(days=900), DAY + timedelta(days=20)
    assert registered_late(came, years_ago, today)
    # Of an account of which nobody knows when it began, devices come rather late than the account does.
    assert registered_late(came, None, today)
    assert not registered_late(came, DAY - timedelta(days=2), today)
    old = use("phone", "home", device_since=years_ago)
    assert not registered_late([*came, old], years_ago, today)
    assert not registered_late([use("tv", "home")], years_ago, today)


def test_where_devices_were_registered_late_the_home_is_the_party_used_most() -> None:
    # The guest played a day before the family did, on the registry's first day.
    family = [use("tv", "home", day, device_since=DAY + timedelta(days=1)) for day in range(1, 21)]
    guest = [use("guest tv", "elsewhere", day, device_since=DAY) for day in range(0, 20, 3)]
    assert names(parties([*family, *guest], [])) == [["guest tv"], ["tv"]]
    home, other = parties([*family, *guest], [], is_late=True)
    assert names([home, other]) == [["tv"], ["guest tv"]]
    told = features(other, home, 2, DAY + timedelta(days=20), is_late=True)
    assert told["registered_late"] == 1
    # A month later it is a guest, whoever watches more.
    later = [row | {"device_since": DAY + timedelta(days=30)} for row in family]
    assert names(parties([*later, *guest], [], is_late=True))[0] == ["guest tv"]


def test_a_telephone_behind_a_relay_is_no_home_where_another_party_has_a_line() -> None:
    hidden = {"device_kind": "phone", "connection": "relay"}
    relayed = [use("phone", "relay", day, **hidden) for day in range(20)]
    assert names(parties([*home(15), *relayed], [])) == [["tv"], ["phone"]]
    assert names(parties([*home(3), *relayed], [])) == [["phone"], ["tv"]]


def test_the_parties_are_the_same_in_any_order_of_rows() -> None:
    weeks = [*home(), use("a", "x", 1), use("b", "x", 2), use("c", "y", 3), use("b", "y", 4)]
    assert names(parties(weeks, [])) == names(parties(weeks[::-1], [])) == [["tv"], ["a", "b", "c"]]


def test_features_say_who_where_and_when() -> None:
    there = {"region": "Bavaria", "asn": 2, "profile_id": "guest", "device_since": DAY}
    there["genres"] = [{"genre": "Horror", "titles": 2}]
    weeks = [*home(), *(use("friend's tv", "friend", day, **there) for day in range(0, 20, 2))]
    log_in = {
        "attempt_date": DAY,
        "device_id": "friend's tv",
        "is_new_device": True,
        "asn": 2,
        "region": "Bavaria",
        "risk": 5.0,
        "was_tried": False,
    }
    one, other = parties(weeks, [log_in])
    changed = [{"changed_on": DAY + timedelta(days=1), "what": "profile"}]
    told = features(other, one, 2, DAY + timedelta(days=19), changed)
    expected = {
        "has_set": 1,
        "own_profile": 1,
        "elsewhere": 1,
        "abroad": 0,
        "hours_in_common": 1,
        "logged_in_new": 1,
        "on_fixed_lines": 1,
        "parties": 2,
        "networks_a_day": 0.1,
        "was_tried": 0,
        "share_of_hours": 1 / 3,
        "profile_changed_after": 1,
        "plan_changed_after": 0,
        "risk_before_change": 1.25,
        "taste_shift": 0,
    }
    assert {name: round(told[name], 6) for name in expected} == {
        n: round(v, 6) for n, v in expected.items()
    }
    assert told["tastes_apart"] > told["tastes_at_once"] > 1
    assert told["hours_apart"] < 0


def test_a_party_without_any_known_place_or_device_age_has_features_all_the_same() -> None:
    nowhere = {
        "country": "unknown",
        "region": "unknown",
        "connection": "unknown",
        "asn": None,
        "network": "unknown",
    }
    one, other = parties([*home(), use("ghost", **nowhere)], [])
    told = features(other, one, 2, DAY)
    assert other.mostly("region") == "unknown"
    assert all(isfinite(value) for value in told.values())
