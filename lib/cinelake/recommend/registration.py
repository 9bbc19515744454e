"""What is registered with a trained model, so that others can load and serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend import serving
from cinelake.recommend.models.hybrid import Hybrid
from cinelake.recommend.models.popular import popular_titles


@dataclass(frozen=True)
class Shown:
    """For whom titles are meant (`title_id, maturity`), and where they are on offer (`windows` in eligibility.py); None
    where that limit is not in force.
    """

    ages: DataFrame | None
    windows: DataFrame | None


def registrable(
    fitted: Hybrid, known: DataFrame, frames: Mapping[str, DataFrame], shown: Shown
) -> dict[str, Any]:
    """Arguments of `Tracker.register` that follow from a model trained on `known` (strengths): its code, artefacts,
    frames, signature with a real example of use, and requirements.

    `frames` are those that are kept of it (keeping.py).
    """
    likes = popular_titles(known).select("title_id", F.col("factors")[0].alias("likes"))
    rows = fitted.model.titles.join(likes, on="title_id", how="inner").toArrow().sort_by("title_id")
    ids = np.array(rows.column("title_id").to_pylist(), dtype=np.str_)
    matrix = np.array(rows.column("factors").to_pylist(), dtype=np.float32)
    liked = rows.column("likes").to_numpy()
    als = fitted.recipe.als
    packed = serving.pack(
        ids, matrix, liked,
        alpha=als.alpha, reg_param=als.reg_param, tastes=_tastes(fitted), **_limits(ids, shown),
    )  # fmt: skip
    favourites = ids[np.argsort(-liked, kind="stable")[:2]].tolist()
    return {
        "python_model": Path(serving.__file__),
        "artifacts": {serving.FILE: packed},
        "frames": frames,
        "input_example": pd.DataFrame({"history": [favourites]}),
        "signature": serving.SIGNATURE,
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas")],
        "params": als.model_dump() | {"share_of_tastes": fitted.recipe.share},
    }


def _tastes(fitted: Hybrid) -> serving.Tastes | None:
    if fitted.tastes is None:
        return None
    fold = fitted.tastes.fold
    return serving.Tastes(
        classes=fold.classes,
        prior=fold.prior,
        norms=fold.norms,
        markets=np.array(fold.markets, dtype=np.str_),
        share=np.array(fitted.recipe.share),
    )


def _limits(ids: Any, shown: Shown) -> Mapping[str, Any]:
    found: dict[str, Any] = {"least_age": None, "windows": None}
    of_model = pa.array(ids.tolist(), pa.string())
    if shown.ages is not None:
        rows = shown.ages.select("title_id", "maturity").toArrow()
        place = pa.compute.index_in(of_model, value_set=rows.column("title_id").combine_chunks())
        ages = rows.column("maturity").combine_chunks().take(place)
        found["least_age"] = ages.cast(pa.float64()).fill_null(np.nan).to_numpy()
    if shown.windows is not None:
        rows = shown.windows.toArrow()
        place = pa.compute.index_in(rows.column("title_id"), value_set=of_model).combine_chunks()
        is_known = place.is_valid()
        rows, place = rows.filter(is_known), place.filter(is_known)
        found["windows"] = serving.Windows(
            title=place.to_numpy().astype(np.int64),
            market=np.array(rows.column("market").to_pylist(), dtype=np.str_),
            since=rows.column("since").to_numpy(),
            until=rows.column("until").to_numpy(),
        )
    return found
