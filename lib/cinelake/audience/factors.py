"""Factors of profiles by an approved model of the recommender, from what they wanted up to a day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.persisted import persisted
from cinelake.recommend.fold_in import FoldedIn
from cinelake.recommend.lists import histories, numbered
from cinelake.recommend.model import NothingLiked
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.search import Setting
from cinelake.recommend.strengths import Weights, strengths
from cinelake.recommend.training import indexed, interactions


@dataclass(frozen=True)
class Behind:
    """The titles that a model knows by ALS, `title_id, factors`, its recipe, and how it is told of a history."""

    titles: DataFrame
    recipe: HybridRecipe
    weights: Weights

    def of(self, signals: DataFrame, until: date) -> DataFrame:
        """`profile_id, factors array<double>` of who wanted a title of the model's before `until`."""
        numbers = numbered(self.titles)
        history = histories(strengths(signals, self.weights, until), numbers)
        listed = self.titles.join(numbers, on="title_id", how="inner")
        model = FoldedIn(listed, self.recipe.ridge)
        return model.profiles(history).select("profile_id", "factors")

    @cached_property
    def rank(self) -> int:
        """Length of the factors, which may be less than the recipe's where little was wanted; 0 without titles."""
        rows = self.titles.select(F.size("factors").alias("rank")).take(1)
        return int(rows[0]["rank"]) if rows else 0

    @property
    def tags(self) -> dict[str, str]:
        """For a version that brings it along, so that the same profiles have the same factors later."""
        return Setting(self.recipe, self.weights).tags


def behind(tags: dict[str, str], frame: Callable[[str], DataFrame]) -> Behind:
    """The model that a version of `recommender` is. Raises UnknownSetting where it is of another kind."""
    setting = Setting(HybridRecipe(), Weights()).of_tags(tags)
    return Behind(frame("titles").select("title_id", "factors"), setting.recipe, setting.weights)


def brought_along(tags: dict[str, str], frame: Callable[[str], DataFrame]) -> Behind | None:
    """The model that a version of `taste_clusters` brought along, None where there was none to bring."""
    return behind(tags, frame) if "recipe" in tags else None


def fitted_before(
    model: Behind, signals: DataFrame, profiles: DataFrame, titles: DataFrame, until: date
) -> Behind | None:
    """A model of the same recipe that has seen nothing from `until` on; None where nothing was wanted before.

    `profiles` and `titles` are the maps of ids to dense integers.
    """
    told = interactions(indexed(signals, profiles, titles), model.weights, until)
    with persisted(told) as known:
        try:
            fit = model.recipe.als.fit(known)
        except NothingLiked:
            return None
        # The factors outlive what they were fitted to.
        kept = fit.of_titles.select("title_id", "factors").localCheckpoint()
    return Behind(kept, model.recipe, model.weights)
