"""A blend of models: the weighted sum of their scores, each standardised over all titles of a profile.

Rivals err differently, so a blend is better than its best part even where the others are far behind (Jahrer et al.
2010). Scores of different kinds are made comparable profile by profile: less the mean, over the deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator
from pyspark.sql import DataFrame

from cinelake.recommend.model import NO_PARTS, Fits, Fitted, Recipe
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.mixture import MixtureRecipe
from cinelake.recommend.scoring import Blended, Part
from cinelake.recommend.top_n import Catalogue


class BlendRecipe(Recipe):
    """Factors, title weights and classes of taste together."""

    kind: ClassVar[str] = "blend"

    als: AlsRecipe = AlsRecipe()
    ease: EaseRecipe = EaseRecipe()
    mixture: MixtureRecipe = MixtureRecipe()
    weights: dict[str, float] = Field(
        {"als": 0.7, "ease": 0.3}, description="what each part counts"
    )

    @model_validator(mode="after")
    def _parts_are_known(self) -> Self:
        parts = [name for name in type(self).model_fields if name != "weights"]
        strangers = sorted(set(self.weights) - set(parts))
        if strangers or not any(self.weights.values()):
            raise ValueError(f"weights are of {', '.join(parts)}, and one of them is not 0")
        return self

    @property
    def parts(self) -> Mapping[str, Recipe]:
        known: dict[str, Recipe] = {"als": self.als, "ease": self.ease, "mixture": self.mixture}
        return {name: known[name] for name, weight in self.weights.items() if weight}

    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> Blend:
        """Parts that are not given are fitted now."""
        fits = Fits(interactions)
        return Blend(
            {name: parts.get(name) or fits.of(recipe) for name, recipe in self.parts.items()},
            self.weights,
        )


@dataclass(frozen=True)
class Blend(Fitted):
    """Fitted parts over the same titles, and what each counts."""

    parts: Mapping[str, Fitted]
    weights: Mapping[str, float]

    def catalogue(self) -> Catalogue:
        """Raises ValueError where the parts do not score the same titles."""
        held = {name: part.catalogue() for name, part in self.parts.items()}
        first = next(iter(held.values()))
        for name, other in held.items():
            if not (first.ids.equals(other.ids) and np.array_equal(first.idx, other.idx)):
                raise ValueError(f"{name} scores other titles than {next(iter(held))}")
        parts = [Part(self.weights[name], catalogue.scoring) for name, catalogue in held.items()]
        return Catalogue(first.ids, first.idx, Blended(parts))

    def profiles(self, histories: DataFrame) -> DataFrame:
        return reduce(lambda frame, part: part.profiles(frame), self.parts.values(), histories)
