"""Every table and model of the package, found by looking at the modules of `cinelake.tables`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TypeVar

import cinelake.tables
from cinelake.tables.contract import ContractError, Model, Table

T = TypeVar("T", Table, Model)


@cache
def all_tables() -> dict[str, Table]:
    """Tables by name. Raises ContractError when two modules declare one name differently."""
    return _collect(Table)


@cache
def all_models() -> dict[str, Model]:
    """Models by name."""
    return _collect(Model)


def _collect(kind: type[T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for info in pkgutil.iter_modules(cinelake.tables.__path__):
        module = importlib.import_module(f"{cinelake.tables.__name__}.{info.name}")
        for value in vars(module).values():
            if not isinstance(value, kind):
                continue
            if found.setdefault(value.name, value) != value:
                raise ContractError(
                    f"{info.name}.py declares {value.name!r}, which another module of tables declares differently"
                )
    return dict(sorted(found.items()))
