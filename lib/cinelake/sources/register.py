"""Every source of the package, found by looking at the modules of `cinelake.sources`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from cinelake import sources
from cinelake.sources.source import Source


@cache
def all_sources() -> dict[str, Source]:
    """Sources by name."""
    found: dict[str, Source] = {}
    for info in pkgutil.iter_modules(sources.__path__):
        module = importlib.import_module(f"{sources.__name__}.{info.name}")
        found |= {value.name: value for value in vars(module).values() if isinstance(value, Source)}
    return dict(sorted(found.items()))
