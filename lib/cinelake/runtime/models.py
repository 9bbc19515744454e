"""What people do with registered models: look, compare, promote by hand, and roll back.

Jobs use the newest approved version, so to take one back is to write down that it did not pass after all, and why. The
champion is that version, too, so that what is served agrees with what jobs make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.table import Table as Grid
from rich.text import Text

from cinelake.runtime.tracking.registry import Registry
from cinelake.runtime.tracking.store import TrackingError
from cinelake.runtime.tracking.versions import CHAMPION, ModelRun, ModelVersion
from cinelake.tables.contract import Model

# Bounds of intervals stand beside what they bound, and would double a page.
_BOUNDS = (".low", ".high")


def version_of(registry: Registry, model: Model, number: int) -> ModelVersion:
    """Raises TrackingError naming the versions there are."""
    known = registry.versions(model)
    for version in known:
        if version.version == number:
            return version
    there = ", ".join(str(version.version) for version in known) or "none yet"
    raise TrackingError(f"model {model.name!r} has no version {number}; there are {there}")


def promoted(registry: Registry, model: Model, number: int, by: str, why: str) -> ModelVersion:
    """Approve a version by hand and make it champion; who and why is written on it.

    Raises TrackingError where a newer one is approved: jobs would go on with that, and what is served would be another
    model than lists are made with.
    """
    version = version_of(registry, model, number)
    newer = [each for each in _approved(registry, model) if each.newness > version.newness]
    if newer:
        raise TrackingError(
            f"version {newer[0].version} of model {model.name!r}, trained through {newer[0].trained_through}, is "
            f"approved and newer than version {number}, so jobs would go on with it; take it back first: `cinelake "
            f"model rollback {model.name} --why …`"
        )
    version = registry.judge(version, passed=True, reason=f"promoted by {by}: {why}")
    registry.set_alias(version, CHAMPION)
    return version


def rolled_back(
    registry: Registry, model: Model, by: str, why: str
) -> tuple[ModelVersion, ModelVersion | None]:
    """Take the champion back, or the newest approved version where no approved one is champion; returns it, and the
    one that is champion in its place, if any.

    Raises TrackingError where none is approved.
    """
    approved = _approved(registry, model)
    if not approved:
        raise TrackingError(
            f"no version of model {model.name!r} is approved, so there is nothing to take back"
        )
    champion = registry.at_alias(model, CHAMPION)
    wrong = champion if champion is not None and champion.approved else approved[0]
    withdrawn = registry.judge(wrong, passed=False, reason=f"rolled back by {by}: {why}")
    left = [version for version in approved if version.version != withdrawn.version]
    if not left:
        registry.drop_alias(model, CHAMPION)
        return withdrawn, None
    registry.set_alias(left[0], CHAMPION)
    return withdrawn, left[0]


def _approved(registry: Registry, model: Model) -> list[ModelVersion]:
    """The approved versions, newest first: of several, jobs use the first that has not seen their days."""
    approved = [version for version in registry.versions(model) if version.approved]
    return sorted(approved, key=lambda version: version.newness, reverse=True)


def version_list(registry: Registry, models: Iterable[Model]) -> Grid:
    """Every version of every model, newest first."""
    grid = Grid()
    for heading in ("model", "version", "trained through", "gate", "why"):
        grid.add_column(heading, justify="right" if heading == "version" else "left")
    for model in models:
        champion = registry.at_alias(model, CHAMPION)
        for version in registry.versions(model):
            is_champion = champion is not None and champion.version == version.version
            gate = {True: "passed", False: "failed"}[version.approved] if version.judged else "open"
            cells = (
                model.name,
                f"{version.version}{' (champion)' if is_champion else ''}",
                f"{version.trained_through}",
                gate,
                version.reason,
            )
            grid.add_row(*(Text(cell) for cell in cells))
    return grid


def comparison(one: ModelRun, other: ModelRun) -> Grid:
    """The metrics that two versions' trainings have in common, and how far they are apart."""
    grid = Grid()
    grid.add_column("metric")
    for run in (one, other):
        grid.add_column(f"version {run.version.version}", justify="right")
    grid.add_column("difference", justify="right")
    for name in _shared(one.metrics, other.metrics):
        before, after = one.metrics[name], other.metrics[name]
        grid.add_row(name, f"{before:.4g}", f"{after:.4g}", f"{after - before:+.4g}")
    return grid


def _shared(one: Mapping[str, float], other: Mapping[str, float]) -> list[str]:
    return sorted(name for name in one.keys() & other.keys() if not name.endswith(_BOUNDS))
