"""Records keep their sources' contracts, and what they name exists."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cinelake.simulate.trace import ids, title_ids
from cinelake.simulate.world import networks
from cinelake.sources.catalog import all_sources

from .conftest import Service

SOURCES = (
    "accounts",
    "profiles",
    "devices",
    "titles",
    "availability",
    "impressions",
    "interactions",
    "searches",
    "ratings",
    "log_ins",
    "tags",
)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_delivered_as_its_contract_says(service: Service, name: str) -> None:
    source = all_sources()[name]
    assert service.of(name), name
    known = {column.name: column for column in source.columns}
    for records in service.of(name, before=True):
        assert set(records.payload) <= known.keys()
        for column in source.columns:
            if column.required:
                assert records.payload[column.name].null_count == 0, column.name
        assert {len(values) for values in records.payload.values()} == {len(records)}


@pytest.mark.parametrize("name", SOURCES)
def test_records_happen_in_the_window(service: Service, name: str) -> None:
    for records in service.of(name):
        assert service.start <= records.happened.min()
        assert records.happened.max() < service.end


@pytest.mark.parametrize("kind", ["account", "profile", "device", "title"])
def test_whatever_is_named_has_a_record(service: Service, kind: str) -> None:
    name = f"{kind}_id"
    known = set(service.column(f"{kind}s", name, before=True))
    for source in SOURCES:
        for records in service.of(source, before=True):
            for column in (name, "clicked_title_id" if kind == "title" else name):
                if column not in records.payload:
                    continue
                named = records.payload[column]
                if source == "log_ins" and kind == "device":
                    # Robots that fail to get in name devices that nobody owns.
                    failed = pc.equal(records.payload["outcome"].cast("string"), "success")
                    named = named.filter(failed)
                missing = set(named.cast("string").drop_null().to_pylist()) - known
                assert not missing, (source, column, len(missing))


def test_plays_name_what_exists(service: Service) -> None:
    rows, seed = service.plays.rows, service.settings.seed
    for kind, column in (
        ("account", rows.account),
        ("profile", rows.profile),
        ("device", rows.device),
    ):
        named = set(ids(seed, kind, np.unique(column)).to_pylist())
        assert named <= set(service.column(f"{kind}s", f"{kind}_id", before=True)), kind
    known = set(service.column("titles", "title_id", before=True))
    assert set(title_ids(seed, rows.title, rows.episode).to_pylist()) <= known
    assert set(title_ids(seed, rows.title).to_pylist()) <= known
    pages = set(service.column("impressions", "page_id"))
    shown = rows.page[(rows.row >= 0) & (rows.pressed_at > service.start + 10**9)]
    assert set(ids(seed, "page", np.unique(shown)).to_pylist()) <= pages


def test_profiles_and_devices_exist_before_they_are_used(service: Service) -> None:
    seed, rows = service.settings.seed, service.plays.rows
    for kind, column in (("profile", rows.profile), ("device", rows.device)):
        made: dict[str, int] = {}
        for records in service.of(f"{kind}s"):
            text = records.payload[f"{kind}_id"].cast("string").to_pylist()
            for key, at in zip(text, records.happened.tolist(), strict=True):
                made[key] = min(at, made.get(key, at))
        before = {
            key
            for records in service.standing
            if records.source == f"{kind}s"
            for key in records.payload[f"{kind}_id"].cast("string").to_pylist()
        }
        used = ids(seed, kind, column).to_pylist()
        early = [
            key
            for key, at in zip(used, rows.pressed_at.tolist(), strict=True)
            if key not in before and at < made[key]
        ]
        assert not early, (kind, len(early))


def test_truth_names_what_landed(service: Service) -> None:
    accounts = set(service.column("accounts", "account_id", before=True))
    for name in ("accounts", "viewers", "abuse", "confounders"):
        table: pa.Table = service.truths.tables[name]
        assert set(table["account_id"].to_pylist()) <= accounts, name


def test_plays_are_possible(service: Service) -> None:
    rows = service.plays.rows
    assert (rows.leave_position > rows.start_position).all()
    assert (rows.leave_position <= rows.runtime + 1e-6).all()
    assert (rows.start_position >= 0).all()
    same = (rows.sitting[1:] == rows.sitting[:-1]) & (rows.account[1:] == rows.account[:-1])
    ends = rows.pressed_at + ((rows.leave_position - rows.start_position) * 1e6).astype(np.int64)
    assert (rows.pressed_at[1:][same] >= ends[:-1][same]).all()
    pauses, seeks = service.plays.pauses, service.plays.seeks
    for play, position in ((pauses.play, pauses.position), (seeks.play, seeks.position)):
        assert (position >= rows.start_position[play] - 1e-6).all()
        assert (position <= rows.leave_position[play] + 1e-6).all()


def test_addresses_are_private_or_for_documentation(service: Service) -> None:
    import ipaddress

    for text in np.unique(service.column("log_ins", "ip")):
        address = ipaddress.ip_address(text)
        shared = address in ipaddress.ip_network("100.64.0.0/10") if address.version == 4 else False
        assert address.is_private or shared, text


def test_a_network_looks_the_same_to_whoever_asks(service: Service) -> None:
    numbers = np.unique(service.plays.rows.network)[:200]
    at = np.full(len(numbers), service.start)
    whole = networks.describe(service.settings, numbers, at)
    part = networks.describe(service.settings, numbers[::-7], at[::-7])
    np.testing.assert_array_equal(whole.ip[::-7], part.ip)
    np.testing.assert_array_equal(whole.latitude[::-7], part.latitude)
