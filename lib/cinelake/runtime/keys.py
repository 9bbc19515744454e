"""Keys under which ids become pseudonyms: where the secret comes from, and how Spark gets what follows from it.

There is one secret a lake. Each kind of id has a key of its own, derived from it (HMAC-SHA-256 of the kind's
name), so that an account and a profile of the same id do not look alike. A key never stands in a plan, a log or a
table: Spark is handed one row of padded keys in memory, and expressions refer to its columns.

The secret is `secrets.pseudonym_key`, or the content of `lake.key_file`, or, where `lake.development_key` allows it,
of a file beside the lake that is made on first use and that only its owner may read. Another secret would make
other pseudonyms of the same ids, and tables that no longer join; so the lake remembers a check value of its secret,
which says nothing about it, and another one is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import BinaryType, StructField, StructType
from rich.console import Console

from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.settings import ConfigError, Settings, local_path

CHECK_FILE = "pseudonyms.check"
# Characters: shorter secrets can be found by trying.
LEAST_LENGTH = 32
# SHA-256 works on blocks of 64 bytes; HMAC (RFC 2104) pads the key to one, and mixes it with two constants.
BLOCK, INNER, OUTER = 64, 0x36, 0x5C
PADS = StructType(
    [StructField("inner", BinaryType(), False), StructField("outer", BinaryType(), False)]
)


class Keyring:
    """Everything that is derived from one secret. What it prints of itself holds nothing of it."""

    def __init__(self, secret: bytes) -> None:
        self.__secret = secret

    def __repr__(self) -> str:
        return f"Keyring({self.check})"

    @property
    def check(self) -> str:
        """Tells two secrets apart, and neither from anything."""
        return self.hmac("check of the secret", "cinelake")[:16]

    def hmac(self, kind: str, text: str) -> str:
        """HMAC-SHA-256 of `text` under the kind's key, in hex."""
        return hmac.digest(self._key(kind), text.encode(), "sha256").hex()

    def frame(self, spark: SparkSession, kinds: Iterable[str]) -> DataFrame:
        """One row with a column a kind: `struct<inner: binary, outer: binary>`, what HMAC hashes before the text."""
        schema = StructType([StructField(str(kind), PADS, False) for kind in kinds])
        # A row made from memory stands in no plan as a literal; see the test that looks for it there.
        return spark.createDataFrame([tuple(self._pads(name) for name in schema.names)], schema)

    def _key(self, kind: str) -> bytes:
        return hmac.digest(self.__secret, f"cinelake pseudonym of {kind}".encode(), hashlib.sha256)

    def _pads(self, kind: str) -> tuple[bytes, bytes]:
        key = self._key(kind).ljust(BLOCK, b"\0")
        return bytes(b ^ INNER for b in key), bytes(b ^ OUTER for b in key)


def keyring(settings: Settings, storage: Storage) -> Keyring:
    """The keys of the configured lake.

    Raises ConfigError where no secret is given, or another one than the lake was begun with.
    """
    ring = Keyring(_secret(settings))
    path = f"{settings.lake.root.rstrip('/')}/{CHECK_FILE}"
    known = storage.text(path)
    if known is None:
        storage.put(path, ring.check)
    elif known.strip() != ring.check:
        raise ConfigError(
            f"the secret for pseudonyms is not the one that the lake {settings.lake.root} was begun with; its "
            "tables would no longer join. Give the old one (secrets.pseudonym_key or lake.key_file), or begin a "
            "new lake"
        )
    return ring


def _secret(settings: Settings) -> bytes:
    given = settings.secrets.pseudonym_key
    if given is not None:
        return long_enough(given.get_secret_value(), "secrets.pseudonym_key")
    if settings.lake.key_file is not None:
        path = Path(settings.lake.key_file)
        try:
            return long_enough(path.read_text("utf-8"), f"lake.key_file {path}")
        except OSError as error:
            raise ConfigError(f"lake.key_file {path} cannot be read: {error.strerror}") from None
    if settings.lake.development_key and settings.lake_is_local:
        return _development_key(local_path(settings.lake.root))
    raise _no_secret()


def origin_of_secret(settings: Settings) -> str:
    """Where the secret is taken from, in words; makes none.

    Raises ConfigError where none is given, or none that will do.
    """
    if settings.secrets.pseudonym_key is not None:
        _secret(settings)
        return "secrets.pseudonym_key"
    if settings.lake.key_file is not None:
        _secret(settings)
        return f"lake.key_file {settings.lake.key_file}"
    if settings.lake.development_key and settings.lake_is_local:
        path = _development_file(local_path(settings.lake.root))
        return f"{path}, for development" + ("" if path.exists() else " (not made yet)")
    raise _no_secret()


def _no_secret() -> ConfigError:
    return ConfigError(
        "there is no secret for pseudonyms: set the environment variable CINELAKE_SECRETS__PSEUDONYM_KEY, or "
        f"lake.key_file to a file that holds one, of at least {LEAST_LENGTH} random characters"
    )


def _development_file(root: Path) -> Path:
    return root.with_name(f"{root.name}.key")


def _development_key(root: Path) -> bytes:
    path = _development_file(root)
    try:
        # Made readable for the owner alone from its first moment, and never over another one.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return long_enough(path.read_text("utf-8"), f"the development key {path}")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secrets.token_hex(32))
    Console(stderr=True).print(
        f"Made a secret for pseudonyms, for development only: {path}. Without it the lake's ids cannot be asked "
        "for again; for people's data set CINELAKE_SECRETS__PSEUDONYM_KEY.",
        style="yellow",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return path.read_bytes()


def long_enough(text: str, what: str) -> bytes:
    """The secret `text` as bytes; raises ConfigError, which names it as `what`, where it could be found by trying."""
    text = text.strip()
    if len(text) < LEAST_LENGTH:
        raise ConfigError(
            f"{what} has {len(text)} characters; give at least {LEAST_LENGTH} random ones"
        )
    return text.encode()
