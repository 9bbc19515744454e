"""What a record does not say of its address is filled from databases, and nothing else is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from unit.behaviour.bronze import bronze, landed_line
from unit.behaviour.mmdb import mmdb

from cinelake.behaviour.geo_ip import NETWORKS, PLACES, edition, network_edition, place_edition
from cinelake.behaviour.log_ins import FILLED
from cinelake.runtime.job import Job, JobError
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import RehearsalTracker, rehearse
from cinelake.sources.log_ins import LOG_INS_SOURCE
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.ingest import BRONZE_LOG_INS

BUILT = datetime(2026, 3, 3, tzinfo=UTC)
BUILD = next(
    job
    for job in discover(Path(__file__).parents[3] / "jobs")
    if isinstance(job, Job) and job.name == "build_log_ins"
)
BERLIN = {
    "country": {"iso_code": "DE"},
    "subdivisions": [{"iso_code": "BE", "names": {"de": "Berlin", "en": "State of Berlin"}}],
    "location": {"latitude": 52.52, "longitude": 13.4, "accuracy_radius": 20},
}
TEXAS = {
    "country": {"iso_code": "US"},
    "subdivisions": [{"iso_code": "TX", "names": {"en": "Texas"}}],
    "location": {"latitude": 32.78, "longitude": -96.8},
}
TRIED = {"account_id": "a", "device_id": "d", "event": "log_in", "outcome": "success"}
SHOWN = ["country", "region", "cell", "accuracy_km", "asn", "isp"]
NOTHING = [None] * 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("geo")
    places = {
        "198.51.100.0/24": BERLIN,
        "203.0.113.0/25": TEXAS,
        "2001:db8::/32": BERLIN,
        "192.0.2.0/24": {
            "country": {"iso_code": "FR"},
            "location": {"latitude": 99.0, "longitude": 2.0},
        },
    }
    networks = {
        "198.51.100.0/24": {
            "autonomous_system_number": 64500,
            "autonomous_system_organization": "Example Fibre of Berlin and its Surroundings",
        },
        # Beyond the integers of silver: a private one.
        "203.0.113.0/25": {"autonomous_system_number": 4_200_000_001},
    }
    (found / "city.mmdb").write_bytes(mmdb("GeoLite2-City", BUILT, places))
    (found / "asn.mmdb").write_bytes(mmdb("GeoLite2-ASN", BUILT, networks))
    return found


def params(folder: Path) -> dict[str, Any]:
    return {"city_database": str(folder / "city.mmdb"), "asn_database": str(folder / "asn.mmdb")}


@pytest.mark.thorough
def test_what_records_lack_is_filled_where_it_fits_what_they_say(
    spark: SparkSession, folder: Path
) -> None:
    here = {"latitude": 48.14, "longitude": 11.58}
    scenes: dict[str, tuple[dict[str, Any], list[Any]]] = {
        "nothing said": (
            {"ip": "198.51.100.7"},
            ["DE", "State of Berlin", "831f1dfffffffff", 20.0, 64500, "Example Fibre of Berlin and its Surroundings"],
        ),
        "all said": (
            {"ip": "198.51.100.7", "country": "DE", "region": "Bavaria", **here, "accuracy_km": 5.0,
             "asn": 1, "isp": "x"},
            ["DE", "Bavaria", "831f8dfffffffff", 5.0, 1, "x"],
        ),
        "another country": ({"ip": "198.51.100.7", "country": "US", "asn": 1}, ["US", None, None, None, 1, None]),
        "a place without its radius": (
            {"ip": "198.51.100.7", **here},
            ["DE", "State of Berlin", "831f8dfffffffff", None, 64500, "Example Fibre of Berlin and its Surroundings"],
        ),
        # Its radius belonged to a place that the record does not tell.
        "a radius without its place": (
            {"ip": "203.0.113.9", "accuracy_km": 1.0},
            ["US", "Texas", "8326cbfffffffff", None, None, None],
        ),
        "version 6": ({"ip": "2001:db8::7"}, ["DE", "State of Berlin", "831f1dfffffffff", 20.0, None, None]),
        "off the Earth": ({"ip": "192.0.2.1"}, ["FR", *NOTHING[1:]]),
        "unknown": ({"ip": "8.8.8.8"}, NOTHING),
        "no address": ({"ip": "unknown"}, NOTHING),
        "none": ({}, NOTHING),
    }  # fmt: skip
    told = [
        landed_line(f"e{n}", "2", **TRIED, **scene, method=name)
        for n, (name, (scene, _)) in enumerate(scenes.items())
    ]
    tracker = RehearsalTracker("behaviour")
    found = rehearse(
        BUILD,
        {BRONZE_LOG_INS: bronze(spark, LOG_INS_SOURCE, told)},
        date(2020, 5, 2),
        params=BUILD.configured({"build_log_ins": params(folder)}),
        tracker=tracker,
    )[LOG_INS]
    shown = {row["method"]: [row[name] for name in SHOWN] for row in found.collect()}
    assert shown == {name: expected for name, (_, expected) in scenes.items()}
    assert tracker.params == {
        "city_database": "GeoLite2-City of 2026-03-03",
        "asn_database": "GeoLite2-ASN of 2026-03-03",
    }
    filled = {"country": 5, "region": 4, "place": 3, "accuracy": 2, "asn": 2, "isp": 2}
    assert set(filled) == set(FILLED)
    assert tracker.metrics == {
        f"share_filled_{what}": pytest.approx(n / len(scenes)) for what, n in filled.items()
    }


def test_another_database_makes_days_stale_and_another_path_does_not(
    folder: Path, tmp_path: Path
) -> None:
    def fingerprint(city: Path | None) -> str:
        given = {} if city is None else {"city_database": str(city)}
        return BUILD.fingerprint(BUILD.configured({"build_log_ins": given}))

    moved, newer = tmp_path / "moved.mmdb", tmp_path / "newer.mmdb"
    moved.write_bytes((folder / "city.mmdb").read_bytes())
    newer.write_bytes(mmdb("GeoLite2-City", BUILT, {"198.51.100.0/24": TEXAS}))
    assert fingerprint(moved) == fingerprint(folder / "city.mmdb")
    assert len({fingerprint(None), fingerprint(moved), fingerprint(newer)}) == 3


def test_a_file_that_cannot_be_used_is_named_before_anything_runs(
    folder: Path, tmp_path: Path
) -> None:
    cut, asn = tmp_path / "cut.mmdb", folder / "asn.mmdb"
    whole = (folder / "city.mmdb").read_bytes()
    cut.write_bytes(whole[:300])
    bent = tmp_path / "bent.mmdb"
    bent.write_bytes(whole.replace(b"iso_code", b"\xff" * 8))
    for path, says in (
        (bent, "bent.mmdb is damaged"),
        (tmp_path / "none.mmdb", "none.mmdb cannot be read .No such file"),
        (cut, "cut.mmdb is damaged, or no .mmdb file .* fetch it again"),
        (asn, "asn.mmdb is of type GeoLite2-ASN; one of City, "),
        ("city.mmdb", "city.mmdb is named by a relative path"),
    ):
        with pytest.raises(JobError, match=rf"build_log_ins\] city_database = .*{says}"):
            BUILD.configured({"build_log_ins": {"city_database": str(path)}})


def test_an_edition_tells_what_the_file_says_of_itself(folder: Path) -> None:
    found = edition(folder / "city.mmdb", PLACES)
    assert (found.kind, found.built_at) == ("GeoLite2-City", BUILT)
    assert place_edition(found) is found
    assert network_edition(folder / "asn.mmdb") == edition(folder / "asn.mmdb", NETWORKS)
