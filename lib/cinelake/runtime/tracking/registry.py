"""The registry of models: which version a window may use, and how one passes its gate."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame

from cinelake.runtime.tracking import frames
from cinelake.runtime.tracking.store import LONGEST_VALUE, Store, TrackingError, all_pages
from cinelake.runtime.tracking.versions import (
    CARD,
    CHALLENGER,
    CHAMPION,
    FAILED,
    FINGERPRINT,
    GATE,
    GATE_REASON,
    MODEL_CARD,
    PASSED,
    PROPOSAL,
    PROPOSAL_REASON,
    ModelRun,
    ModelVersion,
    from_registry,
    registered_name,
)
from cinelake.tables.contract import Model


class Registry(Store):
    """The versions of models in a store."""

    def versions(self, model: Model) -> list[ModelVersion]:
        """Every version, newest version number first."""
        found = self._search(f"name = '{registered_name(model)}'")
        return sorted(found, key=lambda version: -version.version)

    def find(self, model: Model, fingerprint: str) -> ModelVersion | None:
        """The version trained from these very inputs; the oldest, should two runs have raced."""
        found = self._search(
            f"name = '{registered_name(model)}' AND tags.{FINGERPRINT} = '{fingerprint}'"
        )
        return min(found, key=lambda version: version.version, default=None)

    def newest_approved(self, model: Model, day: date) -> ModelVersion | None:
        """The approved version a window starting on `day` may use: none trained on that day or
        later.
        """
        found = self._search(f"name = '{registered_name(model)}' AND tags.{GATE} = '{PASSED}'")
        usable = [version for version in found if version.trained_through <= day]
        return max(usable, key=lambda version: version.newness, default=None)

    def at_alias(self, model: Model, alias: str) -> ModelVersion | None:
        """The version an alias points at, if any."""
        from mlflow.exceptions import MlflowException

        name = registered_name(model)
        try:
            return from_registry(self.client.get_model_version_by_alias(name, alias))
        except MlflowException as missing:
            if missing.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Point `alias` at `version`; where it pointed before is overwritten in one step."""
        with self.explained():
            self.client.set_registered_model_alias(version.name, alias, str(version.version))

    def drop_alias(self, model: Model, alias: str) -> None:
        """Point `alias` at no version."""
        with self.explained():
            self.client.delete_registered_model_alias(registered_name(model), alias)

    def advance(self, model: Model, version: ModelVersion, alias: str) -> bool:
        """Point an alias at a version unless it points at one trained on newer data.

        Training an old window again must not take the newest model from those who ask for it.
        """
        present = self.at_alias(model, alias)
        if present is not None and present.newness > version.newness:
            return False
        if present != version:
            self.set_alias(version, alias)
        return True

    def promote(self, model: Model, version: ModelVersion) -> bool:
        """Make an approved version champion, unless the champion was trained on newer data."""
        if not version.approved:
            raise TrackingError(
                f"{version.name} version {version.version} has not passed its gate; only "
                "approved versions become champion"
            )
        return self.advance(model, version, CHAMPION)

    def tag(self, version: ModelVersion, key: str, value: str) -> ModelVersion:
        """Set one tag; returns the version as it now is."""
        with self.explained():
            self.client.set_model_version_tag(
                version.name, str(version.version), key, value[:LONGEST_VALUE]
            )
        return ModelVersion(
            version.name,
            version.version,
            version.uri,
            version.trained_through,
            version.run_id,
            {**version.tags, key: value[:LONGEST_VALUE]},
        )

    def judge(self, version: ModelVersion, *, passed: bool, reason: str) -> ModelVersion:
        """Write the gate's decision; the verdict last, so an approved version always has its reason."""
        verdict = PASSED if passed else FAILED
        told = f"{verdict.capitalize()}: {reason}"
        with self.explained():
            if CARD in version.tags:
                told += f"\n\n[Model card]({self._page(version.run_id, MODEL_CARD)})"
            self.client.update_model_version(version.name, str(version.version), told)
        return self.tag(self.tag(version, GATE_REASON, reason), GATE, verdict)

    def settle(self, model: Model, version: ModelVersion) -> ModelVersion:
        """Take a registered version through its gate, by the decision that it carries (`proposed`).

        It becomes challenger, is judged unless it was before, and champion if it is approved. A rerun ends the same.
        """
        self.advance(model, version, CHALLENGER)
        if not version.judged:
            passed = version.tags[PROPOSAL] == PASSED
            version = self.judge(version, passed=passed, reason=version.tags[PROPOSAL_REASON])
        if version.approved:
            self.promote(model, version)
        return version

    def _page(self, run_id: str, name: str) -> str:
        """Where MLflow's own pages show an artefact, from any other of its pages."""
        experiment = self.client.get_run(run_id).info.experiment_id
        return f"#/experiments/{experiment}/runs/{run_id}/artifacts/{name}"

    def report(self, version: ModelVersion) -> ModelRun:
        """The metrics and parameters of the run that trained a version."""
        with self.explained():
            data = self.client.get_run(version.run_id).data
        return ModelRun(version, dict(data.metrics), dict(data.params))

    def read_frame(self, version: ModelVersion, name: str) -> DataFrame:
        """A frame that was registered with a version. Raises TrackingError where it has none of
        that name.
        """
        return frames.read(version, name)

    def _search(self, condition: str) -> list[ModelVersion]:
        with self.explained():
            found = all_pages(
                lambda page_token: self.client.search_model_versions(
                    condition, page_token=page_token
                )
            )
        return [from_registry(entry) for entry in found]
