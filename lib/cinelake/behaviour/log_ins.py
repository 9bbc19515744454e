"""Log-ins and log-outs: one row each attempt, under pseudonyms, duplicates set apart.

Of the address stay its pseudonym and its network (system, operator, kind of connection); of the place the country,
the region and its cell (places.py). What the record does not say of its address may be filled from databases of the
user's (geo_ip.py), here, where the address still is one.

What is filled fits what the record says: a region and a place only in the record's own country, an operator only of
the record's own system. So no row mixes two look-ups that contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.geo_ip import Edition, Network, Place, networks, places, shipped
from cinelake.behaviour.identity import IdKind, known_as
from cinelake.behaviour.places import cells
from cinelake.behaviour.records import is_duplicate, reasons, within
from cinelake.sources.bronze import payload
from cinelake.sources.log_ins import LOG_INS_SOURCE

# What databases may fill, each beside a column that says whether they did.
FILLED = ("country", "region", "place", "accuracy", "asn", "isp")
UNKNOWN_PLACE, UNKNOWN_NETWORK = Place(), Network()


def log_ins(
    bronze: DataFrame,
    keys: DataFrame,
    start: date,
    end: date,
    place_database: Edition | None = None,
    network_database: Edition | None = None,
) -> DataFrame:
    """The attempts of `[start, end)` with `_reasons`; bronze is read from `records.LOOKBACK` days before.

    Beside its columns a row has `_filled_<what> boolean` for each of `FILLED`: whether a database told it.
    """
    typed = payload(bronze, LOG_INS_SOURCE)
    marked = typed.select("*", is_duplicate(LOG_INS_SOURCE.names).alias("_is_duplicate"))
    wanted = within(marked, "event_date", start, end)
    return _located(wanted, place_database, network_database).select(
        known_as(IdKind.EVENT, "event_id", keys),
        known_as(IdKind.ACCOUNT, "account_id", keys),
        known_as(IdKind.PROFILE, "profile_id", keys),
        known_as(IdKind.DEVICE, "device_id", keys),
        F.col("event_time").alias("attempted_at"),
        F.col("event_date").alias("attempt_date"),
        "event",
        "outcome",
        "method",
        known_as(IdKind.IP, "ip", keys),
        "asn",
        "isp",
        "connection",
        "country",
        "region",
        "cell",
        "accuracy_km",
        "is_new_device",
        *(f"_filled_{what}" for what in FILLED),
        reasons(duplicate=F.col("_is_duplicate")).alias("_reasons"),
    )


def _located(attempts: DataFrame, place: Edition | None, network: Edition | None) -> DataFrame:
    """Attempts with `cell`, and with what the databases know of the addresses of those that do not say it."""
    no, nothing = F.lit(False), F.lit(None).cast("string")
    schema = attempts.select(
        "*", nothing.alias("cell"), *(no.alias(f"_filled_{what}") for what in FILLED)
    ).schema
    spark = attempts.sparkSession
    place_file = (shipped(spark, place), place.path) if place else None
    network_file = (shipped(spark, network), network.path) if network else None

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            by_place, by_network = _looked_up(batch, place_file, network_file)
            yield _with_cells(_filled(batch, by_place, by_network))

    # No built-in function knows H3 or MaxMind's format.
    return attempts.mapInArrow(told, schema)


def _looked_up(
    batch: pa.RecordBatch, place: tuple[str, str] | None, network: tuple[str, str] | None
) -> tuple[list[Place], list[Network]]:
    """What the databases, each as name and path, know of the address of each row."""
    coded = batch.column("ip").dictionary_encode()
    distinct = coded.dictionary.to_pylist()
    known_places = places(distinct, *place) if place else {}
    known_networks = networks(distinct, *network) if network else {}
    addresses = batch.column("ip").to_pylist()
    return (
        [known_places.get(ip, UNKNOWN_PLACE) for ip in addresses],
        [known_networks.get(ip, UNKNOWN_NETWORK) for ip in addresses],
    )


def _filled(
    batch: pa.RecordBatch, by_place: list[Place], by_network: list[Network]
) -> pa.RecordBatch:
    """The batch with what it lacks, and whether a database told each of `FILLED`."""
    country = _column([each.country for each in by_place], pa.string())
    told = {
        "country": country,
        "region": _column([each.region for each in by_place], pa.string()),
        "latitude": _column([each.latitude for each in by_place], pa.float64()),
        "longitude": _column([each.longitude for each in by_place], pa.float64()),
        "accuracy_km": _column([each.accuracy_km for each in by_place], pa.float64()),
        "asn": _column([each.asn for each in by_network], pa.int32()),
        "isp": _column([each.isp for each in by_network], pa.string()),
    }
    here = _agrees(batch.column("country"), told["country"])
    no_place = pc.or_(pc.is_null(batch.column("latitude")), pc.is_null(batch.column("longitude")))
    located = pc.and_(pc.and_(no_place, here), pc.is_valid(told["latitude"]))
    of_system = _agrees(batch.column("asn"), told["asn"])
    may = {
        "country": pc.is_null(batch.column("country")),
        "region": pc.and_(pc.is_null(batch.column("region")), here),
        "latitude": located,
        "longitude": located,
        # The radius belongs to the place: one without the other says nothing.
        "accuracy_km": located,
        "asn": pc.is_null(batch.column("asn")),
        "isp": pc.and_(pc.is_null(batch.column("isp")), of_system),
    }
    marks = {}
    for name, values in told.items():
        does = pc.and_(may[name], pc.is_valid(values))
        at = batch.schema.get_field_index(name)
        # A place that is taken from a database takes its radius along, or none.
        taken = located if name == "accuracy_km" else does
        batch = batch.set_column(at, name, pc.if_else(taken, values, batch.column(name)))
        marks[name] = does
    marks |= {"place": marks["latitude"], "accuracy": marks["accuracy_km"]}
    for what in FILLED:
        batch = batch.append_column(f"_filled_{what}", marks[what])
    return batch


def _with_cells(batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.get_field_index(f"_filled_{FILLED[0]}")
    return batch.add_column(at, "cell", cells(batch.column("latitude"), batch.column("longitude")))


def _agrees(said: pa.Array, found: pa.Array) -> pa.Array:
    """Whether what a record says is what was found, or nothing."""
    return pc.fill_null(pc.or_kleene(pc.is_null(said), pc.equal(said, found)), np.False_)


def _column(values: list[object], kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind)
