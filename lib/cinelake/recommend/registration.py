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

from cinelake.behaviour.history import latest
from cinelake.recommend import serving
from cinelake.recommend.content import whole
from cinelake.recommend.eligibility import Limits, in_force, windows
from cinelake.recommend.models.hybrid import Hybrid
from cinelake.recommend.models.popular import popular_titles
from cinelake.recommend.popular_here import Popularity
from cinelake.recommend.service import Records


@dataclass(frozen=True)
class Shown:
    """For whom titles are meant (`title_id, maturity`), and where they are on offer (`windows` in eligibility.py); None
    where that limit is not in force. Who is no adult is shown titles up to `kids_up_to`.
    """

    ages: DataFrame | None
    windows: DataFrame | None
    kids_up_to: int

    @classmethod
    def by(cls, records: Records, limits: Limits) -> Shown:
        """As lists have it: titles that the catalogue has, and no episodes."""
        rules = in_force(limits, records.availability, records.profiles)
        titles = whole(latest(records.titles, ["title_id"], "kind", "maturity"))
        offered = windows(records.availability).join(titles, on="title_id", how="left_semi")
        return cls(
            titles.select("title_id", "maturity") if rules.age else None,
            offered if rules.market else None,
            limits.kids_up_to,
        )


@dataclass(frozen=True)
class Started:
    """How often titles are started in markets, `market, title_id, starts, total` (`circles` in popular_here.py), and
    the starts that the whole service counts besides.
    """

    rows: DataFrame
    prior: float

    @classmethod
    def by(
        cls,
        circles: DataFrame,
        popularity: Popularity,
        records: Records,
        least_households: int,
    ) -> Started:
        """Of markets with so many accounts at least: what few start is their history, and stays in the lake."""
        people = latest(records.profiles, ["profile_id"], "account_id", "status")
        active = people.where("status = 'active'").select("account_id")
        settled = latest(records.accounts, ["account_id"], "market")
        large = (
            settled.join(active, on="account_id", how="left_semi")
            .groupBy("market")
            .agg(F.count(F.lit(1)).alias("households"))
            .where(F.col("households") >= least_households)
        )
        of_markets = circles.where(F.size("circle") == 1).select(
            F.col("circle")[0].alias("market"), "title_id", "starts", "total"
        )
        return cls(of_markets.join(large, on="market", how="left_semi"), popularity.prior)


def registrable(
    fitted: Hybrid,
    known: DataFrame,
    listable: DataFrame,
    frames: Mapping[str, DataFrame],
    shown: Shown,
    started: Started,
) -> dict[str, Any]:
    """Arguments of `Tracker.register` that follow from a model trained on `known` (strengths): its code, artefacts,
    frames, signature with a real example of use, and requirements.

    `listable (title_id, factors, is_cold)` are the titles that lists are made of (`known_by` in keeping.py), and
    `frames` those that are kept of the model there.
    """
    liked = popular_titles(known).select("title_id", F.col("factors")[0].alias("likes"))
    shares = liked.crossJoin(F.broadcast(liked.agg(F.sum("likes").alias("of_all")))).select(
        "title_id", (F.col("likes") / F.col("of_all")).alias("share")
    )
    rows = listable.join(shares, on="title_id", how="left").na.fill({"share": 0.0})
    told = rows.select("title_id", "factors", "is_cold", "share").toArrow().sort_by("title_id")
    ids = np.array(told.column("title_id").to_pylist(), dtype=np.str_)
    share = told.column("share").to_numpy()
    als = fitted.recipe.als
    packed = serving.pack(
        ids,
        np.array(told.column("factors").to_pylist(), dtype=np.float32),
        share,
        alpha=als.alpha,
        reg_param=als.reg_param,
        is_cold=np.array(told.column("is_cold").to_pylist(), dtype=bool),
        tastes=_tastes(fitted),
        ages=_ages(ids, shown),
        windows=_windows(ids, shown),
        starts=_starts(ids, started),
    )
    favourites = ids[np.argsort(-share, kind="stable")[:2]].tolist()
    return {
        "python_model": Path(serving.__file__),
        "artifacts": {serving.FILE: packed},
        "frames": frames,
        "input_example": pd.DataFrame({"history": [favourites]}),
        "signature": serving.SIGNATURE,
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas")],
        "params": als.model_dump()
        | {"fitted_rank": fitted.als.rank, "share_of_tastes": fitted.recipe.share},
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


def _ages(ids: Any, shown: Shown) -> serving.Ages | None:
    if shown.ages is None:
        return None
    rows = shown.ages.select("title_id", "maturity").toArrow()
    titles = rows.column("title_id").combine_chunks()
    place = pa.compute.index_in(pa.array(ids.tolist(), pa.string()), value_set=titles)
    ages = rows.column("maturity").combine_chunks().take(place)
    return serving.Ages(ages.cast(pa.float64()).fill_null(np.nan).to_numpy(), shown.kids_up_to)


def _windows(ids: Any, shown: Shown) -> serving.Windows | None:
    if shown.windows is None:
        return None
    title, rows = _of_model(ids, shown.windows)
    return serving.Windows(
        title=title,
        market=np.array(rows.column("market").to_pylist(), dtype=np.str_),
        since=rows.column("since").to_numpy(),
        until=rows.column("until").to_numpy(),
    )


def _starts(ids: Any, started: Started) -> serving.Starts:
    title, rows = _of_model(ids, started.rows)
    return serving.Starts(
        title=title,
        market=np.array(rows.column("market").to_pylist(), dtype=np.str_),
        starts=rows.column("starts").to_numpy(),
        total=rows.column("total").to_numpy(),
        prior=started.prior,
    )


def _of_model(ids: Any, frame: DataFrame) -> tuple[Any, pa.Table]:
    """The rows of the model's titles, in a fixed order, and the position of each."""
    rows = frame.toArrow().sort_by([("market", "ascending"), ("title_id", "ascending")])
    of_model = pa.array(ids.tolist(), pa.string())
    place = pa.compute.index_in(rows.column("title_id"), value_set=of_model).combine_chunks()
    is_known = place.is_valid()
    return place.filter(is_known).to_numpy().astype(np.int64), rows.filter(is_known)
