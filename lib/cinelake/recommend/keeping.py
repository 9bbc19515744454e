"""The model of lists as a version keeps it, in frames and tags, and the model again from these.

Of the profiles nothing is kept: their factors follow from their histories. Frames are `titles (title_id, factors)` of
ALS and `content (term, factors)`, what terms of the catalogue add to these; and where tastes count, the same of them as
`tastes` and `taste_content`, the classes as `taste_classes (class, factors, prior)`, and the logarithms of `Z`
(taste_classes.py) as `taste_markets (market, norms)`, for who is elsewhere in a row without a market.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.cold_titles import (
    CONTENT,
    ContentRecipe,
    factors_by_content,
    likes_of,
    listable_of,
    unknown,
    with_predicted,
)
from cinelake.recommend.lists import Known
from cinelake.recommend.models.hybrid import Hybrid, HybridRecipe, side_by_side
from cinelake.recommend.models.mixture import Tastes
from cinelake.recommend.newness import Newness
from cinelake.recommend.scoring import matrix
from cinelake.recommend.search import Setting, of_tag
from cinelake.recommend.strengths import Weights
from cinelake.recommend.taste_fold import TasteFold

# Tag of a version: what being new adds to titles.
NEWNESS = "content.newness"
# Frames that tell of tastes, that of titles first.
TASTES = ("tastes", "taste_classes", "taste_markets")


@dataclass(frozen=True)
class Kept:
    """Frames by name, and tags, beside those of the setting; `penalty` is that of ALS's content."""

    frames: Mapping[str, DataFrame]
    tags: Mapping[str, str]
    penalty: float


def kept(
    fitted: Hybrid, known: DataFrame, content: ContentRecipe, titles: DataFrame, through: date
) -> Kept:
    """Of a fit to the strengths `known`; `titles` is what the catalogue says of them (content.py)."""
    learnt = content.learn(fitted.als.of_titles, known, titles, through)
    frames = {
        "titles": fitted.als.of_titles.select("title_id", "factors"),
        "content": learnt.terms,
    }
    if fitted.tastes is None:
        return Kept(frames, learnt.tags, learnt.penalty)
    of_tastes, likes = taste_frames(fitted.tastes, known), likes_of(known)
    tastes = of_tastes[TASTES[0]]
    terms = content.fit(tastes, likes, titles).terms
    newness = Newness.found(
        tastes.join(likes, on="title_id", how="inner"),
        factors_by_content(terms, titles),
        titles,
        through=through,
        new_days=content.new_days,
        half_known=content.half_known,
        days=content.fades_in_days,
    )
    more = {**of_tastes, "taste_content": terms}
    tags = {**learnt.tags, NEWNESS: newness.model_dump_json()}
    return Kept(frames | more, tags, learnt.penalty)


def known_by(
    tags: Mapping[str, str],
    frame: Callable[[str], DataFrame],
    titles: DataFrame,
    trained_through: date,
) -> Known:
    """The model, and the titles that it knows by what the catalogue says of them now, from tags and frames.

    Raises UnknownSetting where a version is of another kind, or of other features.
    """
    recipe = Setting(HybridRecipe(), Weights()).of_tags(tags).recipe
    of_als = listable_of(tags, frame, titles, trained_through)
    if not recipe.share:
        return Known(of_als.localCheckpoint(), recipe.ridge)
    content, newness = of_tag(ContentRecipe, tags, CONTENT), of_tag(Newness, tags, NEWNESS)
    tastes = frame("tastes")
    is_new, added = content.is_new(trained_through), newness.added(trained_through).alias("_added")
    cold = unknown(tastes, frame("taste_content"), titles, is_new, added)
    offset = F.size("factors") - 1
    moved = F.transform(
        "factors", lambda x, at: x + F.when(at == offset, F.col("_added")).otherwise(0.0)
    )
    of_tastes = with_predicted(tastes, cold.withColumn("factors", moved))
    # Read by several branches of one plan; Spark lets go of it when the plan is gone.
    listable = side_by_side(of_als, of_tastes).localCheckpoint()
    return Known(listable, recipe.fold(taste_fold(frame)))


def taste_fold(frame: Callable[[str], DataFrame]) -> TasteFold:
    """How tastes take in profiles, from the frames of a version."""
    _, of_classes, of_markets = TASTES
    classes = frame(of_classes).toArrow().sort_by("class")
    rows = frame(of_markets).toArrow()
    named = rows.filter(rows.column("market").is_valid()).sort_by("market")
    elsewhere = rows.filter(rows.column("market").is_null())
    norms = pa.concat_tables([named, elsewhere]).column("norms").combine_chunks()
    return TasteFold(
        classes=matrix(classes.column("factors").combine_chunks(), None),
        prior=classes.column("prior").to_numpy(),
        norms=matrix(norms, None),
        markets=named.column("market").to_pylist(),
    )


def taste_frames(fitted: Tastes, session_of: DataFrame) -> dict[str, DataFrame]:
    """Those of `TASTES`, of a fit, in the session of another frame."""
    tastes = fitted.fold
    classes = pa.table(
        {
            "class": pa.array(np.arange(len(tastes.prior), dtype=np.int32)),
            "factors": list(tastes.classes),
            "prior": tastes.prior,
        }
    )
    markets = pa.table(
        {
            "market": pa.array([*tastes.markets, None], pa.string()),
            "norms": list(tastes.norms),
        }
    )
    spark = session_of.sparkSession
    frames = (
        fitted.titles.select("title_id", "factors"),
        spark.createDataFrame(classes),
        spark.createDataFrame(markets),
    )
    return dict(zip(TASTES, frames, strict=True))
