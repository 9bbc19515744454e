"""The areas of the suite, found and not listed: an area is a package of `cinelake`."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import cinelake


def modules(name: str) -> Iterator[ModuleType]:
    """The modules `cinelake.<area>.<name>`, in the order of the areas' names."""
    for info in pkgutil.iter_modules(cinelake.__path__):
        full = f"cinelake.{info.name}.{name}"
        if info.ispkg and info.name != "runtime" and importlib.util.find_spec(full):
            yield importlib.import_module(full)
