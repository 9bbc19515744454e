"""Factors of profiles by an approved model of the recommender, from what they wanted up to a day.

Where the model knows classes of taste, a profile's factors are the taste that is expected of it (taste_fold.py): these
are few, and all of them tell of taste. The factors of ALS stand in where it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.persisted import persisted
from cinelake.recommend.fold_in import Fold, FoldedIn
from cinelake.recommend.keeping import TASTES, taste_fold, taste_frames
from cinelake.recommend.lists import histories, numbered
from cinelake.recommend.model import NothingLiked
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.search import Setting
from cinelake.recommend.strengths import Weights, strengths
from cinelake.recommend.taste_fold import TasteFold
from cinelake.recommend.training import indexed, interactions

# Tag of a version that brought a model along: the frame with its titles.
TITLES_IN = "factors.titles"
ALS = "titles"


@dataclass(frozen=True)
class Behind:
    """A model by its recipe, how it is told of a history, and its frames; `titles_in` names that with `title_id,
    factors`, and `fold` tells how a history is taken in.
    """

    recipe: HybridRecipe
    weights: Weights
    frames: Mapping[str, DataFrame]
    titles_in: str
    fold: Fold

    @classmethod
    def of(
        cls, setting: Setting[HybridRecipe], frame: Callable[[str], DataFrame], titles_in: str
    ) -> Behind:
        """From the frames of a version."""
        recipe, weights = setting.recipe, setting.weights
        if titles_in == ALS:
            titles = {ALS: frame(ALS).select("title_id", "factors")}
            return cls(recipe, weights, titles, ALS, recipe.ridge)
        frames = {name: frame(name) for name in TASTES}
        return cls(recipe, weights, frames, titles_in, taste_fold(frames.__getitem__))

    @property
    def titles(self) -> DataFrame:
        return self.frames[self.titles_in]

    def of_profiles(self, signals: DataFrame, people: DataFrame, until: date) -> DataFrame:
        """`profile_id, factors array<double>` of those `people (profile_id, market)` who wanted a title of the model's
        before `until`.
        """
        numbers = numbered(self.titles)
        told = strengths(signals, self.weights, until)
        known = told.join(people.select("profile_id", "market"), on="profile_id", how="inner")
        listed = self.titles.join(numbers, on="title_id", how="inner")
        found = FoldedIn(listed, self.fold).profiles(histories(known, numbers))
        return found.select("profile_id", F.slice("factors", 1, self.rank).alias("factors"))

    @cached_property
    def rank(self) -> int:
        """Length of the factors, which may be less than the recipe's where little was wanted; 0 without titles."""
        if isinstance(self.fold, TasteFold):
            # The last one weighs how popular a title is, which is the same for everybody.
            return self.fold.rank - 1
        rows = self.titles.select(F.size("factors").alias("rank")).take(1)
        return int(rows[0]["rank"]) if rows else 0

    @property
    def tags(self) -> dict[str, str]:
        """For a version that brings it along, so that the same profiles have the same factors later."""
        return Setting(self.recipe, self.weights).tags | {TITLES_IN: self.titles_in}


def behind(tags: Mapping[str, str], frame: Callable[[str], DataFrame]) -> Behind:
    """The model that a version of `recommender` is. Raises UnknownSetting where it is of another kind."""
    setting = Setting(HybridRecipe(), Weights()).of_tags(tags)
    return Behind.of(setting, frame, TASTES[0] if setting.recipe.share else ALS)


def brought_along(tags: Mapping[str, str], frame: Callable[[str], DataFrame]) -> Behind | None:
    """The model that a version of `taste_clusters` brought along, None where there was none to bring."""
    if "recipe" not in tags:
        return None
    setting = Setting(HybridRecipe(), Weights()).of_tags(tags)
    # Versions of before tastes were taken do not say so.
    return Behind.of(setting, frame, tags.get(TITLES_IN, ALS))


def fitted_before(
    model: Behind, signals: DataFrame, profiles: DataFrame, titles: DataFrame, people: DataFrame, until: date
) -> Behind | None:  # fmt: skip
    """A model of the same recipe that has seen nothing from `until` on; None where nothing was wanted before.

    `profiles` and `titles` are the maps of ids to dense integers, `people` have `profile_id, market`.
    """
    told = interactions(indexed(signals, profiles, titles, people), model.weights, until)
    with persisted(told) as known:
        try:
            return fitted(model.recipe, model.weights, known)
        except NothingLiked:
            return None


def fitted(recipe: HybridRecipe, weights: Weights, known: DataFrame) -> Behind:
    """A fit to strengths: of classes of taste where they count, else of ALS. Raises NothingLiked without any likes.

    Its frames outlive what they were fitted to.
    """
    if recipe.share:
        fit = recipe.mixture.fit(known)
        return Behind(recipe, weights, taste_frames(fit, known), TASTES[0], fit.fold)
    titles = recipe.als.fit(known).of_titles.select("title_id", "factors").localCheckpoint()
    return Behind(recipe, weights, {ALS: titles}, ALS, recipe.ridge)
