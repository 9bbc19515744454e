"""Where things happen, as cells of H3: hexagons of one size all over the globe (Brodsky 2018, h3geo.org).

A place becomes its cell on the way from bronze to silver, where its coordinates end. Cells are of resolution 3:
12,400 km² each on average, of which the whole Earth has 41,162. That is about a square degree at the equator, and no
finer than look-ups of addresses are good to, so that a town shares its cell with its surroundings; and hardly a point
lies more than 75 km from the middle of its cell, which is what `TravelRules` takes lines in buildings to be uncertain
by. The next resolution has cells of 1,770 km²: they would tell a suburb from its city, which look-ups cannot, and
nothing here needs.

The library has no function over columns; so each distinct place or cell of a batch is converted once, and there are
few: look-ups know towns, not houses.
"""

from __future__ import annotations

from collections.abc import Iterator

import h3
import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

RESOLUTION = 3
# Decimals of a middle (degrees): 100 m are beyond what anybody may ask of a hexagon 140 km wide.
DECIMALS = 3


def cells(latitude: pa.Array, longitude: pa.Array) -> pa.Array:
    """The cells of places (degrees, doubles), as strings; null where either is null."""
    lat, lon = (
        np.asarray(each.to_numpy(zero_copy_only=False), float) for each in (latitude, longitude)
    )
    is_known = np.isfinite(lat) & np.isfinite(lon)
    found = np.full(len(lat), None, object)
    distinct, which = np.unique(
        np.stack([lat[is_known], lon[is_known]], 1), axis=0, return_inverse=True
    )
    names = [h3.latlng_to_cell(*place, RESOLUTION) for place in distinct.tolist()]
    found[is_known] = np.array(names, object)[which.reshape(-1)]
    return pa.array(found, pa.string())


def middles(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Latitudes and longitudes of the middles of cells (degrees); null for null.

    Raises ValueError for what is no cell of H3.
    """
    coded = column.dictionary_encode()
    known = coded.dictionary.to_pylist()
    wrong = [name for name in known if not h3.is_valid_cell(name)]
    if wrong:
        raise ValueError(
            f"{wrong[0]!r} is no cell of H3; log-ins built before cells were need to be built again"
        )
    at = [[round(degrees, DECIMALS) for degrees in h3.cell_to_latlng(name)] for name in known]
    lat, lon = (pa.array([place[axis] for place in at], pa.float64()) for axis in (0, 1))
    return lat.take(coded.indices), lon.take(coded.indices)


def with_middles(frame: DataFrame) -> DataFrame:
    """Rows with `latitude double, longitude double`, the middle of their `cell` (degrees)."""
    nothing = F.lit(None).cast("double")
    schema = frame.select("*", nothing.alias("latitude"), nothing.alias("longitude")).schema

    def placed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            latitude, longitude = middles(batch.column("cell"))
            yield batch.append_column("latitude", latitude).append_column("longitude", longitude)

    # No built-in function knows H3.
    return frame.mapInArrow(placed, schema)
