"""The models that a page is made with, where there are approved ones; what is usual where there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Generic, Protocol, TypeVar

from pyspark.sql import DataFrame

from cinelake.recommend.home.attention import USUAL_ATTENTION, Attention
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.planning import Settings
from cinelake.recommend.home.resume import BY_RECENCY, FEATURES
from cinelake.recommend.home.worth import NUMBERS, USUAL
from cinelake.recommend.keeping import known_by
from cinelake.recommend.lists import Known
from cinelake.recommend.service import Service
from cinelake.recommend.strengths import Weights
from cinelake.tables.contract import Model
from cinelake.tables.home import HOME_RANKER, RESUME
from cinelake.tables.recommend import RECOMMENDER

# The tag of a version of the ranker that has it as learned without circumstances.
PLAIN = "without_circumstances"


class Version(Protocol):
    """A version of a registered model."""

    @property
    def version(self) -> int: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def trained_through(self) -> date: ...


V = TypeVar("V", bound=Version)


@dataclass(frozen=True)
class Models(Generic[V]):
    """Approved versions, and how their frames are read."""

    recommender: V | None
    ranker: V | None
    resumes: V | None
    frame: Callable[[V, str], DataFrame]

    @property
    def versions(self) -> dict[str, int | None]:
        """Numbers by what they are for, null where there is none."""
        of_lists = self.recommender if self.behind_taste is self.recommender else None
        named = {"recommender": of_lists, "ranker": self.ranker, "resume": self.resumes}
        return {name: version.version if version else None for name, version in named.items()}

    @property
    def worth(self) -> Logit:
        """What titles are worth. Raises ValueError where the version has learned of other features than pages have."""
        if self.ranker is None:
            return USUAL
        found = Logit.of_frame(self.frame(self.ranker, "weights"))
        unknown = [name for name in NUMBERS if name not in found.weights]
        if unknown:
            raise ValueError(
                f"version {self.ranker.version} of model {HOME_RANKER.name!r} knows nothing of {', '.join(unknown)}; "
                "train anew with `cinelake run --only train_home_ranker`"
            )
        return found

    @property
    def plain(self) -> Logit | None:
        """The same ranker as it was learned without circumstances; None where the version tells of none.

        It is another fit, not the same without some weights: its level is its own, and with it how titles stand beside
        what was begun.
        """
        if self.ranker is None:
            return USUAL
        told = self.ranker.tags.get(PLAIN)
        return Logit.of_json(told) if told else None

    @property
    def attention(self) -> Attention:
        """How attention falls."""
        return Attention.of_json(self.ranker.tags["attention"]) if self.ranker else USUAL_ATTENTION

    @property
    def resume(self) -> Logit:
        """Who goes on with what. What a version has not learned of counts nothing for it, as it did when it was fitted;
        raises ValueError where it has learned of more than pages have.
        """
        if self.resumes is None:
            return BY_RECENCY
        found = Logit.of_frame(self.frame(self.resumes, "weights"))
        unknown = sorted(set(found.weights) - set(FEATURES))
        if unknown:
            raise ValueError(
                f"version {self.resumes.version} of model {RESUME.name!r} weighs {', '.join(unknown)}, which pages do "
                "not tell; train anew with `cinelake run --only train_resume`"
            )
        return Logit(found.intercept, dict.fromkeys(FEATURES, 0.0) | dict(found.weights))

    @property
    def behind_taste(self) -> V | None:
        """The ranker comes with the model that it learned to weigh; without one, that of lists."""
        return self.ranker if self.ranker and "content" in self.ranker.tags else self.recommender

    def weighing(self, settings: Settings) -> Settings:
        """A history is told as those were that the model behind taste has learned from."""
        told = self.behind_taste and self.behind_taste.tags.get("weights")
        if not told:
            return settings
        return settings.model_copy(update={"weights": Weights.model_validate_json(told)})

    def taste(self, service: Service) -> Known | None:
        """The titles of the model behind taste, and those that it knows by their content."""
        version = self.behind_taste
        if version is None:
            return None
        frame = partial(self.frame, version)
        return known_by(version.tags, frame, service.said, version.trained_through)


def approved(
    newest: Callable[[Model], V | None], frame: Callable[[V, str], DataFrame]
) -> Models[V]:
    """Of the newest approved versions."""
    return Models(newest(RECOMMENDER), newest(HOME_RANKER), newest(RESUME), frame)
