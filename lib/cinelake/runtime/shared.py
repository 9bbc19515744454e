"""Settings that several jobs have in common, told once, in `[shared.<name>]`.

A model of parameters with the class attribute `shared_as` is set there, wherever in the parameters of a job it stands:
what must be the same for all of them, such as whom titles are kept from, cannot be set for one and forgotten for
another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from cinelake.spelling import hint

Path = tuple[str, ...]
SECTION = "shared"


class MisplacedSetting(ValueError):
    """A setting stands where it is not read; the message says where it belongs."""


def section_of(model: Any) -> str | None:
    """The section in which a model is set for all jobs, if it is such a one."""
    found: str | None = getattr(model, "shared_as", None)
    return found


def places(params: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    """Where in parameters there are shared ones, and the section of each."""
    for name, field in params.model_fields.items():
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        section = section_of(model)
        if section is not None:
            yield (name,), section
        else:
            yield from (((name, *path), told) for path, told in places(model))


def with_shared(
    params: type[BaseModel],
    values: Mapping[str, Any],
    shared: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What a job was told, with what all jobs are. Raises MisplacedSetting."""
    found = dict(values)
    for path, section in places(params):
        *above, last = path
        table = found
        for name in above:
            inner = table.get(name, {})
            if not isinstance(inner, Mapping):
                # The job's own model says what is wrong with it.
                break
            table[name] = dict(inner)
            table = table[name]
        else:
            if last in table:
                raise MisplacedSetting(
                    f"{'.'.join(path)} is not set for one job alone; write it as [{SECTION}.{section}], which all "
                    "jobs that have it read"
                )
            if section in shared:
                table[last] = dict(shared[section])
    return found


def require_known(
    shared: Mapping[str, Mapping[str, Any]], params: Iterable[type[BaseModel]]
) -> None:
    """Raises MisplacedSetting for a section that no job has parameters of."""
    known = sorted({section for each in params for _, section in places(each)})
    for name in shared:
        if name not in known:
            raise MisplacedSetting(
                f"[{SECTION}.{name}]: no jobs have that in common; {hint(name, known)}"
            )
