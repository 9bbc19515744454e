"""Settings: where each comes from, what it may be, and what it ended up as.

Four sources, later ones winning: `conf/base.toml`, `conf/<environment>.toml`, environment variables
(`CINELAKE_LAKE__ROOT=…`), and `--set lake.root=…`. All are merged into one frozen `Settings`. A key that
nobody reads is an error wherever it stands, because a misspelt setting that is silently ignored costs
somebody a day.

Caveats: `[jobs.<name>]` tables are free-form here; each job's own parameter model checks them. A relative
path in a conf file is taken from the project's directory (the parent of `conf/`), so that a lake does not
depend on where a command was started; one from `--set` or the environment is taken from the current
directory, as a person at a prompt means it.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

ENV_PREFIX = "CINELAKE_"
DEFAULT_ENVIRONMENT = "local"
# Variables that say where to look for settings, and so are not settings themselves.
RESERVED = {
    "CINELAKE_ENV": "the environment, as --env",
    "CINELAKE_CONF": "the directory that holds base.toml",
    "CINELAKE_HOME": "the cache of jars",
}
MASK = "********"

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)
_MEMORY = re.compile(r"[1-9]\d*[kmgt]", re.ASCII)
# The names that Spark itself redacts in its logs and pages (spark.redaction.regex).
_SECRET_NAME = re.compile(r"(?i)secret\.|secret$|password|token|access[.]?key")
# Where a path may be written relative; see the module's docstring.
_PATHS = (("lake", "root"), ("lake", "landing"), ("lake", "key_file"), ("mlflow", "artifact_root"))

# Tables of settings by dotted names that are others' to give.
DOTTED_NAMES = (("spark", "conf"), ("ingest", "kafka", "options"))


class ConfigError(ValueError):
    """A setting cannot be used; the message names the setting, where it stands, and what would do."""


def parse_duration(value: object) -> timedelta:
    """`"90s"`, `"10m"`, `"1d"` or `"1h30m"`; a bare number is refused, since its unit would be a guess."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and _DURATION.fullmatch(value.strip()):
        parts = _DURATION_PART.findall(value)
        return sum((float(n) * _UNITS[unit] for n, unit in parts), timedelta())
    raise ValueError(
        f'{value!r} is not a duration; write a number and a unit ({", ".join(_UNITS)}), such as "90s" or "1h30m"'
    )


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `duration`."""
    left = duration // timedelta(milliseconds=1)
    if left <= 0:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _UNITS[unit] // timedelta(milliseconds=1))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")
]


def _jvm_memory(value: str) -> str:
    if not _MEMORY.fullmatch(value.lower()):
        raise ValueError(f'{value!r} is not an amount of memory; write it as "900m" or "4g"')
    return value.lower()


Memory = Annotated[str, AfterValidator(_jvm_memory)]


class Section(BaseModel):
    """A table of the conf files; a key that it does not list is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, validate_default=True
    )


class LakeSettings(Section):
    """Where the tables are."""

    root: str = Field(description="Directory or object-store prefix that holds the whole lake.")
    landing: str | None = Field(
        None, description="Where records land; without one, `landing` in the lake's root."
    )
    catalog: str | None = Field(
        None, description="Catalog schema for the tables; without one they are found by path."
    )
    lock_wait: Duration = Field(
        timedelta(0), description="How long to wait for another run on the same lake to end."
    )
    key_file: str | None = Field(
        None, description="File that holds the secret for pseudonyms; see `keys`."
    )
    development_key: bool = Field(
        False, description="Make a secret beside a local lake where none is given."
    )


class SparkSettings(Section):
    """What differs between one Spark session and another; the rest is fixed in `session`."""

    app_name: str = "cinelake"
    master: str | None = Field(
        None, description="Spark master; without one, that of spark-submit or local[*]."
    )
    driver_memory: Memory = Field(
        "4g", description="Heap of the driver; in local mode of all of Spark."
    )
    shuffle_partitions: int | None = Field(None, ge=1, description="Partitions after a shuffle.")
    snapshot_partitions: int | None = Field(
        None, ge=1, description="Partitions of the Delta log's state while it is read."
    )
    executor_wait: Duration = Field(
        timedelta(minutes=10), description="How long a cluster may take to give a first executor."
    )
    ui: bool = Field(False, description="Serve Spark's web pages while the session lives.")
    few_rows: bool = Field(
        False, description="Compile as little Java as will do: thousands of rows, not millions."
    )
    conf: dict[str, str] = Field(
        default_factory=dict, description="Any other Spark setting, by its full name."
    )


class MlflowSettings(Section):
    """Where runs and models are recorded."""

    tracking_uri: str | None = Field(
        None, description="MLflow server or store; without one, SQLite beside the lake."
    )
    artifact_root: str | None = Field(
        None, description="Where artifacts go; without one, beside the lake."
    )


class KafkaSettings(Section):
    """Sources whose records come in through topics of a broker rather than as files."""

    servers: str | None = Field(None, description="Where the broker answers: host:port, …")
    topics: dict[str, str] = Field(
        default_factory=dict,
        description="Source → its topic; sources not named here land as files.",
    )
    max_records_per_batch: int = Field(
        1_000_000, ge=1, description="Messages of a topic per micro-batch."
    )
    username: str | None = Field(
        None, description="Who logs in, with secrets.kafka_password; without one, nobody does."
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    options: dict[str, str] = Field(
        default_factory=dict, description="Any other setting of the consumer, by Kafka's name."
    )

    @field_validator("options")
    @classmethod
    def _no_password(cls, options: dict[str, str]) -> dict[str, str]:
        if "sasl.jaas.config" in options:
            raise ValueError(
                "sasl.jaas.config holds a password in plain sight; set ingest.kafka.username, and "
                "secrets.kafka_password by CINELAKE_SECRETS__KAFKA_PASSWORD"
            )
        return options


class IngestSettings(Section):
    """How landed records are taken into bronze."""

    max_files_per_batch: int = Field(1000, ge=1, description="Landing files per micro-batch.")
    kafka: KafkaSettings = KafkaSettings()


class PipelineSettings(Section):
    """How the jobs of a run are driven."""

    concurrent_jobs: int = Field(
        2, ge=1, description="Jobs that run at once, where none reads what another writes."
    )


class SecretSettings(Section):
    """Values that are never printed and never enter a plan; set them by environment variables."""

    mlflow_token: SecretStr | None = Field(
        None, description="Bearer token for an MLflow server that asks for one."
    )
    kafka_password: SecretStr | None = Field(None, description="Password of ingest.kafka.username.")
    pseudonym_key: SecretStr | None = Field(
        None, description="What pseudonyms of ids are made with; at least 32 random characters."
    )
    reidentification_key: SecretStr | None = Field(
        None,
        description="What `cinelake reidentify` asks for, and seals its log with; at least 32 random characters.",
    )


@dataclass(frozen=True)
class Origin:
    """One effective setting: its dotted key, its value as it may be shown, and where it came from."""

    key: str
    value: str
    source: str


class Settings(BaseSettings):
    """Every effective setting. Made by `load_settings`; tests may build one by hand."""

    # The class reads nothing from its surroundings by itself: `load_settings` hands it the merged sources.
    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True)

    lake: LakeSettings
    spark: SparkSettings = SparkSettings()
    mlflow: MlflowSettings = MlflowSettings()
    ingest: IngestSettings = IngestSettings()
    pipeline: PipelineSettings = PipelineSettings()
    jobs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    secrets: SecretSettings = SecretSettings()

    _environment: str = PrivateAttr("")
    _conf_dir: Path | None = PrivateAttr(None)
    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in counts: pydantic-settings passes over unknown variables in silence."""
        return (init_settings,)

    @property
    def environment(self) -> str:
        """The environment whose conf file was read; empty for settings built by hand."""
        return self._environment

    @property
    def conf_dir(self) -> Path | None:
        """The directory of `base.toml`; None for settings built by hand."""
        return self._conf_dir

    @property
    def lake_is_local(self) -> bool:
        """Whether the lake is on a file system of this machine rather than in an object store."""
        return is_local(self.lake.root)

    def with_lake(self, root: str) -> Settings:
        """The same settings for a lake in a local folder, with all that stands beside it."""
        lake = {"root": root, "landing": None, "catalog": None, "key_file": None}
        beside = {"tracking_uri": None, "artifact_root": None}
        return self.model_copy(
            update={
                "lake": self.lake.model_copy(update=lake),
                "mlflow": self.mlflow.model_copy(update=beside),
            }
        )

    @property
    def landing(self) -> str:
        """Where records land."""
        return self.lake.landing or f"{self.lake.root.rstrip('/')}/landing"

    @property
    def tracking_uri(self) -> str:
        """The MLflow store in effect."""
        if self.mlflow.tracking_uri is not None:
            return self.mlflow.tracking_uri
        if not self.lake_is_local:
            raise ConfigError(
                f"mlflow.tracking_uri is not set, and SQLite cannot live in {self.lake.root}; "
                "set mlflow.tracking_uri to the address of an MLflow server"
            )
        return f"sqlite:///{local_path(self.lake.root) / 'mlflow' / 'mlflow.db'}"

    @property
    def artifact_root(self) -> str | None:
        """Where MLflow puts artifacts; None leaves that to the tracking server."""
        if self.mlflow.artifact_root is not None:
            return self.mlflow.artifact_root
        if self.mlflow.tracking_uri is not None:
            return None
        return (local_path(self.lake.root) / "mlflow" / "artifacts").as_uri()

    def origins(self) -> list[Origin]:
        """Every effective setting with where it came from; secrets are masked."""
        return [
            Origin(key, _shown(key, value), self._sources.get(key, "default"))
            for key, value in _leaves(self)
        ]


def load_settings(
    environment: str | None = None,
    overrides: Sequence[str] = (),
    env: Mapping[str, str] = os.environ,
    conf_dir: Path | None = None,
) -> Settings:
    """The settings of `environment` (default: `CINELAKE_ENV`, else `local`).

    `overrides` are `a.b=c` texts, as after `--set`. Raises `ConfigError` for anything that would
    otherwise be ignored: an unknown key, an unknown variable, an environment without a conf file.
    """
    environment = environment or env.get("CINELAKE_ENV") or DEFAULT_ENVIRONMENT
    directory = find_conf_dir(env) if conf_dir is None else conf_dir
    merged = _Merged()
    project = directory.resolve().parent
    merged.add_file(directory / "base.toml", project)
    merged.add_file(_environment_file(directory, environment), project)
    merged.add_variables(env)
    merged.add_overrides(overrides)
    try:
        settings = Settings(**merged.values)
    except ValidationError as error:
        raise ConfigError(_explained(error, merged)) from None
    settings._environment = environment
    settings._conf_dir = directory
    settings._sources = merged.sources
    return settings


def find_conf_dir(env: Mapping[str, str] = os.environ) -> Path:
    """The `conf/` that goes with what is running.

    `CINELAKE_CONF`, else the first `conf/base.toml` upwards of the job file being run, of the current
    directory, or of this package's checkout.
    """
    named = env.get("CINELAKE_CONF")
    if named:
        if not (Path(named) / "base.toml").is_file():
            raise ConfigError(
                f"CINELAKE_CONF={named}: there is no base.toml; name the directory that holds it"
            )
        return Path(named)
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    starts = [Path(main).resolve()] if main and "jobs" in Path(main).resolve().parts else []
    starts += [Path.cwd() / "x", Path(__file__).resolve()]
    for start in starts:
        for parent in start.parents:
            if (parent / "conf" / "base.toml").is_file():
                return parent / "conf"
    raise ConfigError(
        f"no conf/base.toml in {Path.cwd()} or above it; start in the project's directory or bundle, "
        "or set CINELAKE_CONF to the directory that holds base.toml"
    )


def is_local(location: str) -> bool:
    """Whether `location` is a path or a `file:` URI."""
    return "://" not in location or location.startswith("file://")


def local_path(location: str) -> Path:
    """The path of a local location; raises ConfigError for any other."""
    if not is_local(location):
        raise ConfigError(f"{location} is not on a local file system")
    return Path(location.removeprefix("file://"))


class _Merged:
    """The sources laid over each other, remembering which of them set each key."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def add_file(self, path: Path, project: Path) -> None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"{path} does not exist; it holds the settings common to all environments"
            ) from None
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{path} is not UTF-8 text: {error.reason} at byte {error.start}"
            ) from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is not valid TOML: {error}") from None
        for keys, value in _flat(content, ()):
            self._set(keys, value, str(path), project)

    def add_variables(self, env: Mapping[str, str]) -> None:
        for name in sorted(env):
            if not name.startswith(ENV_PREFIX) or name in RESERVED:
                continue
            keys = tuple(name.removeprefix(ENV_PREFIX).lower().split("__"))
            source = f"environment variable {name}"
            if not _is_known(keys):
                near = _nearest(keys, _known_keys())
                variable = ENV_PREFIX + near.upper().replace(".", "__") if near else ""
                special = difflib.get_close_matches(name, RESERVED, 1, 0.8)
                raise _unknown(source, special[0] if special else variable)
            self._add_text(keys, env[name], source)

    def add_overrides(self, overrides: Sequence[str]) -> None:
        for written in overrides:
            key, equals, text = written.partition("=")
            if not equals or not key.strip():
                raise ConfigError(f"--set {written}: write it as section.key=value")
            self._add_text(_split(key.strip()), text, f"--set {key.strip()}")

    def _add_text(self, keys: tuple[str, ...], text: str, source: str) -> None:
        kind = _kind(keys)
        value: Any = text
        if kind is None or _takes_table(kind):
            value = _literal(text)
        elif text == "" and type(None) in get_args(kind):
            value = None
        if isinstance(value, dict):
            for inner, leaf in _flat(value, keys):
                self._set(inner, leaf, source, Path.cwd())
        else:
            self._set(keys, value, source, Path.cwd())

    def _set(self, keys: tuple[str, ...], value: Any, source: str, base: Path) -> None:
        if not _is_known(keys):
            raise _unknown(f"{source}: {'.'.join(keys)}", _nearest(keys, _known_keys()))
        if keys in _PATHS and isinstance(value, str):
            value = _absolute(value, base)
        # A TOML table written without quotes nests dotted names, such as Spark's; they are one key.
        place = next((_joined(keys, at) for at in DOTTED_NAMES if keys[: len(at)] == at), keys)
        table = self.values
        for depth, key in enumerate(place[:-1], start=1):
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{source}: {'.'.join(place[:depth])} is a value, not a table")
        table[place[-1]] = value
        self.sources[".".join(place)] = source


def _environment_file(directory: Path, environment: str) -> Path:
    path = directory / f"{environment}.toml"
    if environment == "base" or not path.is_file():
        available = sorted(p.stem for p in directory.glob("*.toml") if p.stem != "base")
        raise ConfigError(
            f"there is no environment {environment!r} in {directory}; it has {', '.join(available) or 'none'}"
        )
    return path


def _flat(
    table: Mapping[str, Any], prefix: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        keys = (*prefix, key)
        # An empty table says nothing, but an unknown one is still a mistake: hand it on to be refused.
        if isinstance(value, dict) and (value or _is_known(keys)):
            yield from _flat(value, keys)
        else:
            yield keys, value


def _split(key: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in key.split("."))


def _literal(text: str) -> Any:
    """A value as TOML or JSON has it; any other text stands for itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text


def _joined(keys: tuple[str, ...], table: tuple[str, ...]) -> tuple[str, ...]:
    rest = keys[len(table) :]
    return (*table, ".".join(rest)) if rest else table


def _absolute(location: str, base: Path) -> str:
    if "://" in location:
        return location
    return os.path.normpath(base / Path(location).expanduser())


def _kind(keys: tuple[str, ...]) -> Any:
    """The declared type of a key; None inside a free-form table."""
    model: type[BaseModel] = Settings
    for depth, key in enumerate(keys):
        field = model.model_fields.get(key)
        if field is None:
            return None
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
            continue
        return field.annotation if depth == len(keys) - 1 else None
    return model


def _takes_table(kind: Any) -> bool:
    if get_origin(kind) is dict:
        return True
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_known(keys: tuple[str, ...]) -> bool:
    """Whether a key, or a table of keys, is one that somebody reads."""
    model: type[BaseModel] = Settings
    for depth, key in enumerate(keys):
        field = model.model_fields.get(key)
        if field is None:
            return False
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
            continue
        return get_origin(field.annotation) is dict or depth == len(keys) - 1
    return True


def _known_keys() -> list[str]:
    def walk(model: type[BaseModel], prefix: str) -> Iterator[str]:
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from walk(field.annotation, f"{prefix}{name}.")
            else:
                yield prefix + name

    return list(walk(Settings, ""))


def _nearest(keys: tuple[str, ...], known: Sequence[str]) -> str:
    wanted = ".".join(keys)
    close = difflib.get_close_matches(wanted, known, 1, 0.5)
    if close:
        return close[0]
    # A key in the wrong section shares its last part with the one that is meant.
    by_end = {key.rsplit(".", 1)[-1]: key for key in known}
    close = difflib.get_close_matches(keys[-1], by_end, 1, 0.6)
    return by_end[close[0]] if close else ""


def _unknown(what: str, nearest: str) -> ConfigError:
    hint = f"did you mean {nearest}?" if nearest else f"known keys: {', '.join(_known_keys())}"
    return ConfigError(f"{what} is not a setting; {hint}")


def _explained(error: ValidationError, merged: _Merged) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        source = merged.sources.get(key)
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            message = "it has no value; set it in conf/base.toml or the environment's file"
        lines.append(f"{source}: {key}: {message}" if source else f"{key}: {message}")
    return "; ".join(lines)


def _leaves(settings: Settings) -> Iterator[tuple[str, Any]]:
    def walk(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        if isinstance(value, BaseModel):
            for name in type(value).model_fields:
                yield from walk(getattr(value, name), f"{prefix}.{name}".lstrip("."))
        elif isinstance(value, dict):
            for name in sorted(value):
                yield from walk(value[name], f"{prefix}.{name}")
        else:
            yield prefix, value

    return walk(settings, "")


def _shown(key: str, value: Any) -> str:
    if value is None:
        return ""
    # Free-form tables may hold credentials, those of an object store above all.
    if isinstance(value, SecretStr) or _SECRET_NAME.search(key):
        return MASK
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
