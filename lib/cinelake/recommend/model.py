"""What a kind of model is: a recipe that fits to strengths, and what came of it, which lists titles for histories.

All kinds are fitted on the same rows, list from the same histories and are judged by the same code, so that they are
rivals on equal terms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame

from cinelake.recommend.declared import declared
from cinelake.recommend.eligibility import Offer
from cinelake.recommend.top_n import Catalogue, TellIndex, top_n


class NothingLiked(ValueError):
    """There is nothing to learn from; the message names the setting to look at."""


class Fitted(ABC):
    """A fitted model."""

    @abstractmethod
    def catalogue(self) -> Catalogue:
        """The titles that it scores, brought to the driver with all that scoring takes."""

    @abstractmethod
    def profiles(self, histories: DataFrame) -> DataFrame:
        """`profile_id, seen array<int>, liked array<int>` with the columns that scoring reads.

        A profile that the model can say nothing of is left out, or has nulls there.
        """

    def lists(
        self,
        histories: DataFrame,
        n: int,
        offer: Offer | None = None,
        tell: TellIndex | None = None,
    ) -> DataFrame:
        """`profile_id, rank, title_id, score`: the best `n` titles that each profile has not seen.

        With an offer, those that may be shown to it; `histories` then says of which market and age it is. `tell` is
        given the index of a very large catalogue.
        """
        return top_n(self.profiles(histories), self.catalogue().offering(offer), n, tell=tell)


NO_PARTS: Mapping[str, Fitted] = MappingProxyType({})


class Recipe(BaseModel, ABC):
    """All that decides a fit besides the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[str]

    @property
    def parts(self) -> Mapping[str, Recipe]:
        """Recipes of other models that this one is made of; they are fitted before it."""
        return {}

    @abstractmethod
    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> Fitted:
        """Fit to strengths: `profile_id, profile_idx int, title_id, title_idx int, strength float, is_seen`, and, where
        these are known, `market` of the profile and `met_on` of the pair.

        The caller has materialised them. Raises NothingLiked where no strength is above 0.
        """


class Fits:
    """Fits to the same strengths; a recipe that several models need is fitted once."""

    def __init__(self, interactions: DataFrame) -> None:
        self._interactions = interactions
        self._done: dict[str, Fitted] = {}

    def of(self, recipe: Recipe) -> Fitted:
        """Raises NothingLiked where no strength is above 0."""
        key = f"{recipe.kind} {recipe.model_dump_json()}"
        if key not in self._done:
            parts = {name: self.of(part) for name, part in recipe.parts.items()}
            self._done[key] = recipe.fit(self._interactions, parts)
        return self._done[key]


def liked(interactions: DataFrame) -> DataFrame:
    """The rows that say that a profile wants a title. Raises NothingLiked where there are none."""
    rows = interactions.where("strength > 0")
    if rows.isEmpty():
        raise NothingLiked(
            "nobody has watched, liked or rated anything as much as wanting it takes, so there is "
            "nothing to train on; lower `weights.wanted_from` or `weights.like_from`. "
            "Until then everyone gets the popular titles"
        )
    return rows


def kinds() -> dict[str, type[Recipe]]:
    """The recipes declared under `models/`, by kind. Raises ValueError where two share a kind."""
    from cinelake.recommend import models

    return declared(models, Recipe)  # type: ignore[type-abstract]
