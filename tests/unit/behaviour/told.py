"""Somebody who keeps what the functions of the package say became of their records."""

from __future__ import annotations

from collections import Counter

from pyspark.sql import Column, DataFrame

from cinelake.runtime.runs.conservation import Counted
from cinelake.sources.source import Source


class Told:
    """Numbers of records by source and fate; known once the rows have passed."""

    def __init__(self) -> None:
        self._counted: list[tuple[str, Counted]] = []

    def __call__(self, source: Source, frame: DataFrame, /, **fates: Column) -> DataFrame:
        counted = Counted(frame, **fates)
        self._counted.append((source.name, counted))
        return counted.frame

    def fates(self) -> dict[tuple[str, str], int]:
        """Those that are not 0."""
        found = Counter[tuple[str, str]]()
        for source, counted in self._counted:
            found.update({(source, fate): count for fate, count in counted.sums().items()})
        return {fate: count for fate, count in found.items() if count}
