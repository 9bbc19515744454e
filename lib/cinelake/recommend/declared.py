"""Kinds of things that are declared one a module: found by looking, so that one more is one more file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def declared(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """The subclasses of `base` in the modules of `package`, by their `kind`, in order.

    Raises ValueError where two share a kind.
    """
    found: dict[str, type[T]] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for one in _of(importlib.import_module(module.name), base):
            kind: str = one.kind  # type: ignore[attr-defined]
            other = found.setdefault(kind, one)
            if other is not one:
                raise ValueError(
                    f"{one.__module__} and {other.__module__} both declare a {base.__name__} of kind {kind!r}"
                )
    return dict(sorted(found.items()))


def _of(module: ModuleType, base: type[T]) -> Iterator[type[T]]:
    for value in vars(module).values():
        is_kind = isinstance(value, type) and issubclass(value, base) and value is not base
        if is_kind and value.__module__ == module.__name__:
            yield value
