"""All sources by name: every module of `cinelake.sources` that declares one is found."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from cinelake import sources
from cinelake.sources.source import Source


@cache
def all_sources() -> dict[str, Source]:
    """Every declared source, by name, in order of names."""
    modules = (
        import_module(f"{sources.__name__}.{found.name}")
        for found in pkgutil.iter_modules(sources.__path__)
        if found.name != "catalog"
    )
    declared = [value for m in modules for value in vars(m).values() if isinstance(value, Source)]
    return {source.name: source for source in sorted(declared, key=lambda source: source.name)}
