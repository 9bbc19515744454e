"""Factors of profiles by an approved model of the recommender, from what they wanted up to a day.

Where the model knows classes of taste, a profile's factors are the taste that is expected of it (taste_fold.py): these
are few, and all of them tell of taste. The factors of ALS stand in where it does not.

Classes of taste may be fitted from several starts, and what each fit expects of a profile stands side by side. A fit
finds one optimum of many, of which each tells the same tastes with errors of its own; clusters of what they have in
common are better than those of any of them (cluster ensembles: Strehl and Ghosh 2002), for principal components keep
what is told more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.persisted import persisted
from cinelake.recommend.fold_in import Fold, FoldedIn, Folding
from cinelake.recommend.keeping import TASTES, taste_fold, taste_frames
from cinelake.recommend.lists import histories, numbered
from cinelake.recommend.model import NothingLiked
from cinelake.recommend.models.hybrid import HybridRecipe, side_by_side
from cinelake.recommend.models.mixture import MixtureRecipe, Tastes
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.search import Setting
from cinelake.recommend.strengths import Weights, strengths
from cinelake.recommend.taste_fold import TasteFold
from cinelake.recommend.training import indexed, interactions

# Tag of a version that brought a model along: the frame with its titles.
TITLES_IN = "factors.titles"
ALS = "titles"
# Not that of lists: those want titles apart that few have watched, clusters want tastes apart. One dimension less than
# archetypes of a service are thought to have, and titles held to what many choices say of them. On eight simulated
# services of six weeks, three such fits brought adjusted mutual information with the archetypes from .72 to .75 of what
# true tastes allow; who knew all of a title but tastes would have .80.
RECIPE = MixtureRecipe(rank=7, penalty=20.0, iterations=14)
# Tag of a version: how many fits of classes of taste stand side by side.
FITS = "factors.fits"


@dataclass(frozen=True)
class Folds(Fold, Folding):
    """Several fits of classes of taste, of which a title has the factors one after the other."""

    folds: tuple[TasteFold, ...]

    @property
    def rank(self) -> int:
        """How many factors it makes: of each fit all but the last, which is the same for everybody."""
        return sum(fold.rank - 1 for fold in self.folds)

    def among(self, titles: Matrix) -> Folds:  # noqa: ARG002
        """What each takes of the titles stands in its norms."""
        return self

    def factors(self, liked: Matrix, market: str | None) -> Matrix:
        each = zip(self.folds, self._parts(liked), strict=True)
        return np.concatenate([fold.factors(own, market)[:-1] for fold, own in each])

    def contributions(self, titles: Matrix, liked: Matrix, market: str | None) -> Matrix:
        each = zip(self.folds, self._parts(titles), self._parts(liked), strict=True)
        added: Matrix = np.sum([f.contributions(t, own, market) for f, t, own in each], axis=0)
        return added

    def _parts(self, titles: Matrix) -> list[Matrix]:
        return np.split(titles, np.cumsum([fold.rank for fold in self.folds])[:-1], axis=1)


@dataclass(frozen=True)
class Behind:
    """A model by its recipe, how it is told of a history, and its frames; `titles_in` names that with `title_id,
    factors`, and `fold` tells how a history is taken in. It is made of so many `fits` of classes of taste.
    """

    recipe: HybridRecipe
    weights: Weights
    frames: Mapping[str, DataFrame]
    titles_in: str
    fold: Fold
    fits: int = 1

    @classmethod
    def of(
        cls,
        setting: Setting[HybridRecipe],
        frame: Callable[[str], DataFrame],
        titles_in: str,
        fits: int = 1,
    ) -> Behind:
        """From the frames of a version."""
        recipe, weights = setting.recipe, setting.weights
        if titles_in == ALS:
            titles = {ALS: frame(ALS).select("title_id", "factors")}
            return cls(recipe, weights, titles, ALS, recipe.ridge)
        if fits == 1:
            frames = {name: frame(name) for name in TASTES}
            return cls(recipe, weights, frames, titles_in, taste_fold(frames.__getitem__))
        names = [TASTES[0], *(_of_fit(name, n) for name in TASTES[1:] for n in range(fits))]
        frames = {name: frame(name) for name in names}
        folds = tuple(
            taste_fold({name: frames[_of_fit(name, n)] for name in TASTES[1:]}.__getitem__)
            for n in range(fits)
        )
        return cls(recipe, weights, frames, titles_in, Folds(folds), fits)

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
        if isinstance(self.fold, Folds):
            return self.fold.rank
        if isinstance(self.fold, TasteFold):
            # The last one weighs how popular a title is, which is the same for everybody.
            return self.fold.rank - 1
        rows = self.titles.select(F.size("factors").alias("rank")).take(1)
        return int(rows[0]["rank"]) if rows else 0

    @property
    def tags(self) -> dict[str, str]:
        """For a version that brings it along, so that the same profiles have the same factors later."""
        of_factors = {TITLES_IN: self.titles_in, FITS: str(self.fits)}
        return Setting(self.recipe, self.weights).tags | of_factors


def behind(tags: Mapping[str, str], frame: Callable[[str], DataFrame]) -> Behind:
    """The model that a version of `recommender` is. Raises UnknownSetting where it is of another kind."""
    setting = Setting(HybridRecipe(), Weights()).of_tags(tags)
    return Behind.of(setting, frame, TASTES[0] if setting.recipe.share else ALS)


def brought_along(tags: Mapping[str, str], frame: Callable[[str], DataFrame]) -> Behind | None:
    """The model that a version of `taste_clusters` brought along, None where there was none to bring."""
    if "recipe" not in tags:
        return None
    setting = Setting(HybridRecipe(), Weights()).of_tags(tags)
    # Versions of before tastes were taken, or several fits of them, do not say so.
    return Behind.of(setting, frame, tags.get(TITLES_IN, ALS), int(tags.get(FITS, "1")))


def fitted_before(
    model: Behind, signals: DataFrame, profiles: DataFrame, titles: DataFrame, people: DataFrame, until: date
) -> Behind | None:  # fmt: skip
    """A model of the same recipe and number of fits that has seen nothing from `until` on; None where nothing was
    wanted before.

    `profiles` and `titles` are the maps of ids to dense integers, `people` have `profile_id, market`.
    """
    told = interactions(indexed(signals, profiles, titles, people), model.weights, until)
    with persisted(told) as known:
        try:
            return fitted(model.recipe, model.weights, known, model.fits)
        except NothingLiked:
            return None


def fitted(recipe: HybridRecipe, weights: Weights, known: DataFrame, fits: int = 1) -> Behind:
    """A fit to strengths: of classes of taste where they count, from so many starts, else of ALS. Raises NothingLiked
    without any likes.

    Its frames outlive what they were fitted to.
    """
    if recipe.share:
        seeds = [recipe.mixture.seed + n for n in range(fits)]
        found = [recipe.mixture.model_copy(update={"seed": seed}).fit(known) for seed in seeds]
        if fits == 1:
            return Behind(recipe, weights, taste_frames(found[0], known), TASTES[0], found[0].fold)
        return _side_by_side(recipe, weights, [taste_frames(fit, known) for fit in found], found)
    titles = recipe.als.fit(known).of_titles.select("title_id", "factors").localCheckpoint()
    return Behind(recipe, weights, {ALS: titles}, ALS, recipe.ridge)


def _side_by_side(
    recipe: HybridRecipe,
    weights: Weights,
    each: Sequence[Mapping[str, DataFrame]],
    found: Sequence[Tastes],
) -> Behind:
    """Of fits to the same strengths, which have the same titles."""
    name = TASTES[0]
    titles = reduce(side_by_side, [own[name] for own in each])
    frames = {name: titles.localCheckpoint()} | {
        _of_fit(other, n): own[other] for n, own in enumerate(each) for other in TASTES[1:]
    }
    folds = Folds(tuple(fit.fold for fit in found))
    return Behind(recipe, weights, frames, name, folds, len(each))


def _of_fit(name: str, number: int) -> str:
    """The frame of that name of one of several fits."""
    return f"{name}_{number}"
