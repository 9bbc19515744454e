"""Versions are listed, compared, promoted and taken back, and each step says who did it and why."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import pytest
from rich.console import Console

from cinelake.runtime.models import comparison, promoted, rolled_back, version_list, version_of
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.store import TrackingError
from cinelake.runtime.tracking.versions import ModelRun, ModelVersion
from cinelake.tables.contract import Model

ALS = Model(name="als", area="recommend", description="factors")


@dataclass
class Registry:
    """What these steps ask of MLflow."""

    held: dict[int, ModelVersion] = field(default_factory=dict)
    champion: int | None = None

    def add(self, number: int, through: date, gate: str | None) -> None:
        tags = {"gate": gate, "gate.reason": "it beats popularity"} if gate else {}
        self.held[number] = ModelVersion("cinelake.recommend.als", number, "", through, "run", tags)

    def versions(self, model: Model) -> list[ModelVersion]:
        return sorted(self.held.values(), key=lambda version: -version.version)

    def judge(self, version: ModelVersion, *, passed: bool, reason: str) -> ModelVersion:
        self.add(version.version, version.trained_through, "passed" if passed else "failed")
        self.held[version.version].tags["gate.reason"] = reason
        return self.held[version.version]

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        self.champion = version.version

    def drop_alias(self, model: Model, alias: str) -> None:
        self.champion = None

    def at_alias(self, model: Model, alias: str) -> ModelVersion | None:
        return self.held.get(self.champion or 0)


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made.add(1, date(2026, 3, 2), "passed")
    made.add(2, date(2026, 3, 9), "passed")
    made.add(3, date(2026, 3, 16), "failed")
    made.champion = 2
    return made


def as_tracking(registry: Registry) -> Tracking:
    return cast(Tracking, registry)


def text(shown: Any) -> str:
    page = io.StringIO()
    Console(width=120, file=page).print(shown)
    return page.getvalue()


def test_what_is_taken_back_gives_way_to_the_one_before(registry: Registry) -> None:
    withdrawn, instead = rolled_back(as_tracking(registry), ALS, "ann", "lists of one genre")
    assert (withdrawn.version, instead and instead.version) == (2, 1)
    assert registry.held[2].reason == "rolled back by ann: lists of one genre"
    assert not registry.held[2].approved
    assert registry.champion == 1
    _, instead = rolled_back(as_tracking(registry), ALS, "ann", "that one, too")
    assert instead is None
    assert registry.champion is None
    with pytest.raises(TrackingError, match="nothing to take back"):
        rolled_back(as_tracking(registry), ALS, "ann", "again")


def test_it_is_the_champion_that_is_taken_back_even_where_a_newer_version_is_approved(
    registry: Registry,
) -> None:
    registry.champion = 1

    withdrawn, instead = rolled_back(as_tracking(registry), ALS, "ann", "promoted by mistake")

    assert (withdrawn.version, instead and instead.version) == (1, 2)
    assert [number for number, version in registry.held.items() if version.approved] == [2]
    assert registry.champion == 2


def test_where_the_champion_is_not_approved_the_newest_approved_version_is_taken_back(
    registry: Registry,
) -> None:
    registry.champion = 3

    withdrawn, instead = rolled_back(as_tracking(registry), ALS, "ann", "lists of one genre")

    assert (withdrawn.version, instead and instead.version) == (2, 1)


def test_a_version_that_jobs_would_not_use_is_not_promoted(registry: Registry) -> None:
    with pytest.raises(TrackingError, match=r"version 2 .* newer than version 1.*rollback als"):
        promoted(as_tracking(registry), ALS, 1, "ann", "it was better")

    assert (registry.champion, registry.held[1].reason) == (2, "it beats popularity")
    rolled_back(as_tracking(registry), ALS, "ann", "lists of one genre")
    assert promoted(as_tracking(registry), ALS, 1, "ann", "it was better").version == 1


def test_a_version_is_promoted_by_hand(registry: Registry) -> None:
    version = promoted(as_tracking(registry), ALS, 3, "ann", "measured by an experiment")
    assert version.approved
    assert version.reason == "promoted by ann: measured by an experiment"
    assert registry.champion == 3
    with pytest.raises(TrackingError, match="no version 9; there are 3, 2, 1"):
        version_of(as_tracking(registry), ALS, 9)


def test_versions_are_listed_newest_first(registry: Registry) -> None:
    lines = [
        line
        for line in text(version_list(as_tracking(registry), [ALS])).splitlines()
        if "als" in line
    ]
    assert ["failed" in lines[0], "2 (champion)" in lines[1], "2026-03-02" in lines[2]] == [
        True
    ] * 3


def test_two_versions_are_compared_on_what_both_measured(registry: Registry) -> None:
    one = ModelRun(
        registry.held[1], {"a.ndcg_at_10": 0.25, "a.ndcg_at_10.low": 0.2, "old": 1.0}, {}
    )
    other = ModelRun(registry.held[2], {"a.ndcg_at_10": 0.5, "a.ndcg_at_10.low": 0.4}, {})
    shown = text(comparison(one, other))
    assert "version 1" in shown
    assert "+0.25" in shown
    assert "low" not in shown
    assert "old" not in shown
