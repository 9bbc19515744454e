"""A version that learned of other features than pages have is refused, with what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession

from cinelake.recommend.home.approved import PLAIN, Models
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.resume import FEATURES
from cinelake.recommend.home.worth import USUAL


@dataclass(frozen=True)
class Ranker:
    version: int = 7
    tags: dict[str, str] = field(default_factory=dict)
    trained_through: date = date(2026, 1, 5)


def models(spark: SparkSession, logit: Logit) -> Models[Ranker]:
    def frame(version: Ranker, name: str) -> DataFrame:
        assert (version.version, name) == (7, "weights")
        return logit.frame(spark)

    return Models(None, Ranker(), None, frame)


def test_a_version_has_to_know_all_features_of_pages(spark: SparkSession) -> None:
    assert models(spark, USUAL).worth == USUAL
    less = {name: weight for name, weight in USUAL.weights.items() if name != "arrival"}
    with pytest.raises(
        ValueError,
        match=r"version 7 of model 'home_ranker' knows nothing of arrival; train anew with",
    ):
        _ = models(spark, Logit(0.0, less)).worth


def test_a_version_tells_itself_what_it_is_without_circumstances() -> None:
    def told(version: Ranker | None) -> Logit | None:
        def frame(version: Ranker, name: str) -> DataFrame:
            raise AssertionError(f"{name} of {version} holds circumstances, and so does its level")

        return Models(None, version, None, frame).plain

    own = Logit(-2.5, {"taste": 0.75})
    assert told(Ranker(tags={PLAIN: own.to_json()})) == own
    assert told(Ranker()) is None
    assert told(None) == USUAL


def test_what_a_version_has_not_learned_of_counts_nothing(spark: SparkSession) -> None:
    def resumes(weights: dict[str, float]) -> Logit:
        def frame(version: Ranker, name: str) -> DataFrame:
            return Logit(-1.0, weights).frame(spark)

        return Models(None, None, Ranker(), frame).resume

    found = resumes({"recency": -2.0})
    assert found == Logit(-1.0, dict.fromkeys(FEATURES, 0.0) | {"recency": -2.0})
    with pytest.raises(ValueError, match=r"version 7 of model 'resume' weighs colour, which pages"):
        resumes({"recency": -2.0, "colour": 1.0})
