"""Versions of registered models as jobs and people see them: what they carry, and what their tags mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from cinelake.runtime.tracking.store import TrackingError
from cinelake.tables.contract import Model

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as RegistryVersion

FINGERPRINT = "training_fingerprint"
TRAINED_THROUGH = "trained_through"
FRAMES = "frames"
GATE = "gate"
GATE_REASON = "gate.reason"
# A page about a version among the artefacts of the run that trained it: its name, and the tag that says where it is.
MODEL_CARD, CARD = "model_card.html", "model_card"
# What stands before the name of a table in the tags of a run that read it.
INPUT = "input."
PASSED = "passed"
FAILED = "failed"
# What a gate has decided before its version is registered, and why.
PROPOSAL, PROPOSAL_REASON = "proposal", "proposal.reason"
CHALLENGER = "challenger"
CHAMPION = "champion"


@dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model; `uri` is where its artefacts are loaded from."""

    name: str
    version: int
    uri: str
    trained_through: date
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def approved(self) -> bool:
        return self.tags.get(GATE) == PASSED

    @property
    def judged(self) -> bool:
        """Whether the gate has decided, either way."""
        return GATE in self.tags

    @property
    def reason(self) -> str:
        return self.tags.get(GATE_REASON, "")

    @property
    def newness(self) -> tuple[date, int]:
        """Orders the versions of a model: by the data that they saw, and by number where that is the same."""
        return self.trained_through, self.version


@dataclass(frozen=True)
class ModelRun:
    """What a version's training run reported, for leaderboards."""

    version: ModelVersion
    metrics: Mapping[str, float]
    params: Mapping[str, str]


def proposed(*, passed: bool, reason: str) -> dict[str, str]:
    """A gate's decision as tags for `Tracker.register`, so that a rerun need not measure again."""
    return {PROPOSAL: PASSED if passed else FAILED, PROPOSAL_REASON: reason}


def registered_name(model: Model) -> str:
    """`cinelake.<area>.<model>`: a registry is one flat list, often shared with others."""
    return f"cinelake.{model.area}.{model.name}"


def from_registry(entry: RegistryVersion) -> ModelVersion:
    """A version as MLflow tells it; raises TrackingError where no job can have registered it."""
    tags = dict(entry.tags)
    through = tags.get(TRAINED_THROUGH)
    if through is None:
        raise TrackingError(
            f"{entry.name} version {entry.version} has no tag {TRAINED_THROUGH!r}, so no job registered "
            "it; add the tag (a date) or delete that version"
        )
    return ModelVersion(
        name=entry.name,
        version=int(entry.version),
        uri=f"models:/{entry.name}/{entry.version}",
        trained_through=date.fromisoformat(through),
        run_id=entry.run_id or "",
        tags=tags,
    )
