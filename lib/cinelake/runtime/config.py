"""Where settings come from: files, variables and the command line, merged into one.

Four sources, later ones winning: `conf/base.toml`, `conf/<environment>.toml`, environment variables
(`CINELAKE_LAKE__ROOT=…`), and `--set lake.root=…`. All are merged into one frozen `Settings`. A key that
nobody reads is an error wherever it stands, because a misspelt setting that is silently ignored costs
somebody a day.

Caveat: a relative path in a conf file is taken from the project's directory (the parent of `conf/`), so that a lake
does not depend on where a command was started; one from `--set` or the environment is taken from the current
directory, as a person at a prompt means it.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cinelake.runtime.settings import ConfigError, Settings
from cinelake.spelling import nearest, nearest_key

ENV_PREFIX = "CINELAKE_"
DEFAULT_ENVIRONMENT = "local"
# Variables that say where to look for settings, and so are not settings themselves.
RESERVED = {
    "CINELAKE_ENV": "the environment, as --env",
    "CINELAKE_CONF": "the directory that holds base.toml",
    "CINELAKE_HOME": "the cache of jars",
}
# Where a path may be written relative; see the module's docstring.
_PATHS = (("lake", "root"), ("lake", "landing"), ("lake", "key_file"), ("mlflow", "artifact_root"))

# Tables of settings by dotted names that are others' to give.
DOTTED_NAMES = (("spark", "conf"), ("ingest", "kafka", "options"))


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
        return Settings.merged(
            merged.values, environment=environment, conf_dir=directory, sources=merged.sources
        )
    except ValidationError as error:
        raise ConfigError(_explained(error, merged)) from None


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
                near = nearest_key(".".join(keys), _known_keys())
                variable = ENV_PREFIX + near.upper().replace(".", "__") if near else ""
                raise _unknown(source, nearest(name, RESERVED, 0.8) or variable)
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
            key = ".".join(keys)
            raise _unknown(f"{source}: {key}", nearest_key(key, _known_keys()))
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


def _unknown(what: str, meant: str | None) -> ConfigError:
    hint = f"did you mean {meant}?" if meant else f"known keys: {', '.join(_known_keys())}"
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
