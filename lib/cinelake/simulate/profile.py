"""Profiles: what a simulated service is like, as tables of settings; `conf/simulate/*.toml` holds some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cinelake.simulate.calendar import midnight
from cinelake.simulate.player.incidents import UnknownPlace, check_places
from cinelake.simulate.settings import Settings
from cinelake.simulate.surroundings import places
from cinelake.spelling import nearest_key


class ProfileError(ValueError):
    """A profile cannot be used; the message names the setting and what would do."""


def settings_of(content: Mapping[str, Any], origin: str) -> Settings:
    """The settings that `content` (parsed TOML) stands for; what it does not say has its default.

    Raises ProfileError for an unknown key, a value out of bounds, and an incident on what does not exist.
    """
    for key in _keys(content):
        if key not in _KNOWN:
            raise ProfileError(f"{origin}: {key} is not a setting; {_hint(key)}")
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ProfileError(f"{origin}: {found}") from None
    if midnight(settings.world.founded) >= midnight(settings.world.ends):
        raise ProfileError(f"{origin}: world.ends is not later than world.founded")
    try:
        check_places(places(settings), settings.player)
    except UnknownPlace as error:
        raise ProfileError(f"{origin}: {error}") from None
    except ValueError as error:
        # The world says itself which market it does not know.
        raise ProfileError(f"{origin}: {error}") from None
    return settings


def differences(one: Settings, other: Settings) -> list[str]:
    """The settings that differ, as `key: one, other`."""
    left, right = (dict(_leaves(s.model_dump(mode="json"))) for s in (one, other))
    return [f"{key}: {left[key]}, {right[key]}" for key in left if left[key] != right.get(key)]


def _hint(key: str) -> str:
    meant = nearest_key(key, _KNOWN)
    return f"did you mean {meant}?" if meant else f"known keys: {', '.join(_KNOWN)}"


def _keys(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key not in _KNOWN:
            yield from _keys(value, f"{key}.") if value else [key]
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for item in value:
                yield from _keys(item, f"{key}.")
        else:
            yield key


def _known(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, about in model.model_fields.items():
        inner = [
            kind for kind in (about.annotation, *get_args(about.annotation)) if _is_model(kind)
        ]
        if inner:
            yield from _known(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


_KNOWN = tuple(_known(Settings))
