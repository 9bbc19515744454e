"""What databases in MaxMind's format say of addresses: country, region and place, network and operator.

The files are the user's own (GeoLite2-City and GeoLite2-ASN, or others of that format and those fields). An `Edition`
is one file as it was when a job was configured: a job's parameters hold it by what is in it and not by its path, so
that a new file makes the job's days stale, and one that only moved does not. Days whose records bronze no longer
keeps stay as they were told by the file of their time.

Look-ups happen in Spark's Python workers. Each executor is sent the file once (`SparkContext.addFile`), under a name
that is its content's, and each worker opens it once.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import maxminddb
from maxminddb import InvalidDatabaseError
from pyspark import SparkFiles
from pyspark.sql import SparkSession

# What the type of a file, such as GeoLite2-City or DBIP-ASN-Lite, says that it knows.
PLACES = ("City", "Enterprise", "Insights", "Country")
NETWORKS = ("ASN", "ISP")
# Columns of silver have 32 bits; the networks beyond are private, and no operator's.
MOST_ASN = 2**31 - 1
# Records that are decoded when a file is looked at.
TRIED = 1000

# What each Spark application was sent.
_shipped: set[tuple[str, str]] = set()
_shipping = Lock()


@dataclass(frozen=True)
class Edition:
    """A database: where it stands, and its type, day of making and content."""

    path: str
    kind: str
    built_at: datetime
    digest: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.built_at:%Y-%m-%d}"

    def told(self) -> dict[str, str]:
        """What makes it another database than others; where it stands does not."""
        return {"type": self.kind, "built_at": self.built_at.isoformat(), "digest": self.digest}


@dataclass(frozen=True)
class Place:
    """What is known of where an address is; degrees and km, null where the database does not say."""

    country: str | None = None
    region: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    accuracy_km: float | None = None


@dataclass(frozen=True)
class Network:
    """The autonomous system that an address belongs to, and who runs it."""

    asn: int | None = None
    isp: str | None = None


def edition(path: str | Path, kinds: tuple[str, ...]) -> Edition:
    """The database at `path`, which must be of one of `kinds`.

    Raises ValueError, which names the file and the mend, where it is missing, damaged or of another kind.
    """
    file = Path(path)
    if not file.is_absolute():
        raise ValueError(
            f"the geo-IP database {file} is named by a relative path; give it from / on"
        )
    try:
        digest = _digest(file)
        with maxminddb.open_database(file) as reader:
            told = reader.metadata()
            # To decode them all takes minutes; a file that was cut or mangled on its way rarely survives the first.
            for _ in islice(reader, TRIED):
                pass
    except OSError as error:
        raise ValueError(
            f"the geo-IP database {file} cannot be read ({error.strerror or error}); give the path of a .mmdb file, or "
            "leave the setting out"
        ) from None
    except (InvalidDatabaseError, ValueError) as error:
        raise ValueError(
            f"the geo-IP database {file} is damaged, or no .mmdb file ({error}); fetch it again"
        ) from None
    if not any(kind in told.database_type for kind in kinds):
        raise ValueError(
            f"the geo-IP database {file} is of type {told.database_type}; one of {', '.join(kinds)} is wanted here"
        )
    built = datetime.fromtimestamp(told.build_epoch, UTC)
    return Edition(str(file), told.database_type, built, digest)


def place_edition(path: object) -> Edition:
    """The database of places at `path`; raises as `edition`."""
    return path if isinstance(path, Edition) else edition(str(path), PLACES)


def network_edition(path: object) -> Edition:
    """The database of networks at `path`; raises as `edition`."""
    return path if isinstance(path, Edition) else edition(str(path), NETWORKS)


def shipped(spark: SparkSession, found: Edition) -> str:
    """The name under which the session's workers have the database; sends it out where they have it not yet.

    Raises ValueError where the file is no longer the one that the edition was told from.
    """
    context = spark.sparkContext
    name = f"{found.digest[:16]}.mmdb"
    # Spark refuses a name twice, and jobs run side by side.
    with _shipping:
        if (context.applicationId, name) not in _shipped:
            folder = Path(tempfile.mkdtemp(prefix="cinelake-geo-"))
            # Executors may ask for it as long as the session lives.
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            copy = folder / name
            shutil.copyfile(found.path, copy)
            if _digest(copy) != found.digest:
                raise ValueError(
                    f"the geo-IP database {found.path} was replaced while the job ran; run it again"
                )
            context.addFile(str(copy))
            _shipped.add((context.applicationId, name))
    return name


def places(addresses: Iterable[str], name: str, path: str) -> dict[str, Place]:
    """Where each address is, by the shipped database `name`; what it does not know is missing.

    Raises ValueError that names `path` where the file turns out to be damaged.
    """
    return {ip: _place(told) for ip, told in _records(addresses, name, path)}


def networks(addresses: Iterable[str], name: str, path: str) -> dict[str, Network]:
    """The network of each address, likewise."""
    return {ip: _network(told) for ip, told in _records(addresses, name, path)}


def _records(
    addresses: Iterable[str], name: str, path: str
) -> Iterable[tuple[str, dict[str, Any]]]:
    reader = _reader(name)
    for ip in addresses:
        try:
            told = reader.get(ip)
        except InvalidDatabaseError as error:
            raise ValueError(
                f"the geo-IP database {path} is damaged ({error}); fetch it again"
            ) from None
        except ValueError:
            # No address at all, or one of version 6 where the file knows those of version 4.
            continue
        if isinstance(told, dict):
            yield ip, told


def _place(told: dict[str, Any]) -> Place:
    where = told.get("location", {})
    latitude, longitude = where.get("latitude"), where.get("longitude")
    is_on_earth = (
        latitude is not None
        and longitude is not None
        and abs(latitude) <= 90
        and abs(longitude) <= 180
    )
    radius = where.get("accuracy_radius")
    divisions = told.get("subdivisions", [])
    return Place(
        told.get("country", {}).get("iso_code"),
        divisions[0].get("names", {}).get("en") if divisions else None,
        float(latitude) if is_on_earth else None,
        float(longitude) if is_on_earth else None,
        float(radius) if is_on_earth and radius is not None else None,
    )


def _network(told: dict[str, Any]) -> Network:
    number = told.get("autonomous_system_number")
    if number is None or not 0 < number <= MOST_ASN:
        return Network()
    return Network(number, told.get("autonomous_system_organization"))


@cache
def _reader(name: str) -> maxminddb.Reader:
    # Workers live on from task to task, and map the file into memory that they share.
    return maxminddb.open_database(SparkFiles.get(name))


def _digest(file: Path) -> str:
    """SHA-256 of a file's content; a file is read again once it was changed."""
    return _digest_as_of(file.resolve(), file.stat().st_mtime_ns)


@cache
def _digest_as_of(file: Path, changed: int) -> str:
    del changed  # It tells one cached answer from another.
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
