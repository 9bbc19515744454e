"""The model of lists: factors of ALS and of classes of taste side by side (hybrid_fold.py).

Unlike a blend of any kinds, it is a set of factors, from which titles that nobody has played, profiles that no fit has
seen, reasons and pages follow as they do from those of ALS alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.fold_in import FoldedIn, Ridge
from cinelake.recommend.hybrid_fold import HybridFold
from cinelake.recommend.model import NO_PARTS, Fits, Fitted, Recipe
from cinelake.recommend.models.als import AlsRecipe, NamedFactors
from cinelake.recommend.models.mixture import MixtureRecipe, Tastes
from cinelake.recommend.taste_fold import TasteFold
from cinelake.recommend.top_n import Catalogue


class HybridRecipe(Recipe):
    """ALS and classes of taste, of which the one or the other may count nothing."""

    kind: ClassVar[str] = "hybrid"

    als: AlsRecipe = AlsRecipe()
    mixture: MixtureRecipe = MixtureRecipe()
    share: float = Field(
        0.7, ge=0, lt=1, description="what tastes count, ALS the rest; at 0, ALS stands alone"
    )

    @property
    def parts(self) -> Mapping[str, Recipe]:
        return {"als": self.als} | ({"mixture": self.mixture} if self.share else {})

    @property
    def ridge(self) -> Ridge:
        """How ALS takes in a history."""
        return Ridge(self.als.alpha, self.als.reg_param)

    def fold(self, tastes: TasteFold) -> HybridFold:
        """How both take in a history."""
        return HybridFold(self.ridge, tastes, self.share)

    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> Hybrid:
        """Parts that are not given are fitted now."""
        fits = Fits(interactions)
        fitted = {name: parts.get(name) or fits.of(recipe) for name, recipe in self.parts.items()}
        als, tastes = fitted["als"], fitted.get("mixture")
        assert isinstance(als, NamedFactors)
        assert tastes is None or isinstance(tastes, Tastes)
        return Hybrid(self, als, tastes)


@dataclass(frozen=True)
class Hybrid(Fitted):
    """Both fits; no tastes where these count nothing."""

    recipe: HybridRecipe
    als: NamedFactors
    tastes: Tastes | None

    @property
    def bounded(self) -> dict[str, int]:
        """What the fit has less of than its recipe says, since profiles like few titles."""
        return {"als.fitted_rank": self.als.rank}

    @cached_property
    def model(self) -> FoldedIn:
        """As lists are made with it."""
        if self.tastes is None:
            return FoldedIn(self.als.of_titles, self.recipe.ridge)
        titles = side_by_side(self.als.of_titles, self.tastes.titles)
        return FoldedIn(titles, self.recipe.fold(self.tastes.fold))

    def catalogue(self) -> Catalogue:
        return self.model.catalogue()

    def profiles(self, histories: DataFrame) -> DataFrame:
        return self.model.profiles(histories)


def side_by_side(of_als: DataFrame, of_tastes: DataFrame) -> DataFrame:
    """Rows of the one with `factors` of both, of titles that both have."""
    others = of_tastes.select("title_id", F.col("factors").alias("_others"))
    joined = of_als.join(others, on="title_id", how="inner")
    return joined.withColumn("factors", F.concat("factors", "_others")).drop("_others")
