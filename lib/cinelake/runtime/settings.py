"""Settings: what there is to set, what each may be, and what follows from it.

Caveat: `[jobs.<name>]` tables are free-form here; each job's own parameter model checks them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from cinelake.runtime.durations import Duration, format_duration
from cinelake.runtime.shared import SECTION, section_of

MASK = "********"

_MEMORY = re.compile(r"[1-9]\d*[kmgt]", re.ASCII)
# The names that Spark itself redacts in its logs and pages (spark.redaction.regex).
_SECRET_NAME = re.compile(r"(?i)secret\.|secret$|password|token|access[.]?key")

# What object stores take for credentials. Whoever may read conf files, or the list of processes, would have them.
_CREDENTIALS = re.compile(
    r"(?i).*\bfs\.(s3a\.(.+\.)?(access\.key|secret\.key|session\.token)"
    r"|azure\.(account\.key|sas|account\.oauth2\.client\.secret)\b.*"
    r"|gs\..*private\.key(\.id)?)"
)
_ELSEWHERE = (
    "give them by the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for S3), by the machine's role, or by a "
    "store of Hadoop's that spark.hadoop.hadoop.security.credential.provider.path names"
)
_SERVER_WITH_LOGIN = re.compile(r"(?i)https?://[^/]*@")
# In an address: after a user's name, or among what follows the place.
_PASSWORD = re.compile(r"(?i)(?<=://)([^/:@]*:).*(?=@)|(?<=[?&])([^=&]*password=)[^&]*")


class ConfigError(ValueError):
    """A setting cannot be used; the message names the setting, where it stands, and what would do."""


def _jvm_memory(value: str) -> str:
    if not _MEMORY.fullmatch(value.lower()):
        raise ValueError(f'{value!r} is not an amount of memory; write it as "900m" or "4g"')
    return value.lower()


Memory = Annotated[str, AfterValidator(_jvm_memory)]


def _without_credentials(location: str) -> str:
    # CONTAINER@ACCOUNT, as Azure writes it, holds none.
    if ":" in location.partition("://")[2].rpartition("@")[0].partition("/")[0]:
        raise ValueError(f"it holds credentials in plain sight; {_ELSEWHERE}")
    return location


Location = Annotated[str, AfterValidator(_without_credentials)]


def _server_without_credentials(uri: str) -> str:
    # The address of a database, which may stand here as well, is where its password belongs.
    if _SERVER_WITH_LOGIN.match(uri):
        raise ValueError(
            "it holds credentials in plain sight; give them by the environment (MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or CINELAKE_SECRETS__MLFLOW_TOKEN)"
        )
    return uri


TrackingStore = Annotated[str, AfterValidator(_server_without_credentials)]


class Section(BaseModel):
    """A table of the conf files; a key that it does not list is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, validate_default=True
    )


class LakeSettings(Section):
    """Where the tables are."""

    root: Location = Field(
        description="Directory or object-store prefix that holds the whole lake."
    )
    landing: Location | None = Field(
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
        False, description="Compile and plan as little as will do: thousands of rows, not millions."
    )
    conf: dict[str, str] = Field(
        default_factory=dict, description="Any other Spark setting, by its full name."
    )

    @field_validator("conf", mode="before")
    @classmethod
    def _as_spark_writes(cls, conf: Any) -> Any:
        """Yes and no, which TOML has values for, as Spark has them; pydantic does so with numbers."""
        if not isinstance(conf, dict):
            return conf
        return {k: str(v).lower() if isinstance(v, bool) else v for k, v in conf.items()}

    @field_validator("conf")
    @classmethod
    def _no_credentials(cls, conf: dict[str, str]) -> dict[str, str]:
        for name in conf:
            if _CREDENTIALS.fullmatch(name):
                raise ValueError(f"{name} holds credentials in plain sight; {_ELSEWHERE}")
        return conf


class MlflowSettings(Section):
    """Where runs and models are recorded."""

    tracking_uri: TrackingStore | None = Field(
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
    freshness: Duration = Field(
        timedelta(0),
        description="Age of the newest record beyond which a run warns that deliveries have stopped; 0s: never.",
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
    """One effective setting: its dotted key, its value as it may be shown, where it came from, and what it means."""

    key: str
    value: str
    source: str
    meaning: str


class Settings(BaseSettings):
    """Every effective setting. Made by `config.load_settings`; tests may build one by hand."""

    # The class reads nothing from its surroundings by itself: `load_settings` hands it the merged sources.
    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True)

    lake: LakeSettings
    spark: SparkSettings = SparkSettings()
    mlflow: MlflowSettings = MlflowSettings()
    ingest: IngestSettings = IngestSettings()
    pipeline: PipelineSettings = PipelineSettings()
    jobs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    shared: dict[str, dict[str, Any]] = Field(default_factory=dict)
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

    @classmethod
    def merged(
        cls,
        values: Mapping[str, Any],
        *,
        environment: str,
        conf_dir: Path,
        sources: Mapping[str, str],
    ) -> Self:
        """The settings of an environment, of which `sources` says where each came from; raises ValidationError."""
        settings = cls(**values)
        settings._environment = environment
        settings._conf_dir = conf_dir
        settings._sources = dict(sources)
        return settings

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

    def asked_for(self, key: str) -> bool:
        """Whether somebody set it for this run: by `--set` or a variable, not by a file of conf/."""
        return self._sources.get(key, "").startswith(("--set ", "environment variable "))

    def origins(self, params: Mapping[str, BaseModel] | None = None) -> list[Origin]:
        """Every effective setting with where it came from; secrets are masked.

        `params` are the parameters of jobs by their names; of any other job only what somebody set is known. What jobs
        share is told once, under `shared`.
        """
        jobs: Mapping[str, Any] = {**self.jobs, **(params or {})}
        found = {}
        for key, value, meaning in (
            *_leaves(self),
            *_leaves(self.shared, SECTION),
            *_leaves(jobs, "jobs"),
        ):
            source = self._sources.get(key, "default")
            found[key] = Origin(key, _shown(key, value), source, meaning)
        return list(found.values())


def is_local(location: str) -> bool:
    """Whether `location` is a path or a `file:` URI."""
    return "://" not in location or location.startswith("file:")


def local_path(location: str) -> Path:
    """The path of a local location; raises ConfigError for any other."""
    if not is_local(location):
        raise ConfigError(f"{location} is not on a local file system")
    # Java writes file:/a/path where others write file:///a/path.
    return Path(location.removeprefix("file:").removeprefix("//"))


def without_password(address: str) -> str:
    """An address as it may be shown."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}{MASK}", address)


def _leaves(value: Any, key: str = "", meaning: str = "") -> Iterator[tuple[str, Any, str]]:
    """Key, value and meaning of all that is no section; what a table means, its values do."""
    if isinstance(value, Settings):
        # Jobs come with their parameters, and with what they share.
        for name in type(value).model_fields:
            if name not in ("jobs", SECTION):
                yield from _leaves(getattr(value, name), name)
    elif isinstance(value, BaseModel):
        section = section_of(value)
        key = f"{SECTION}.{section}" if section else key
        for name, field in type(value).model_fields.items():
            yield from _leaves(getattr(value, name), f"{key}.{name}", field.description or meaning)
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from _leaves(value[name], f"{key}.{name}", meaning)
    else:
        yield key, value, meaning


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
    return without_password(str(value))
