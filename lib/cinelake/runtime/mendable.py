"""Errors that a person can mend: their message says how, and a trace would only hide it."""

from __future__ import annotations


def mendable() -> tuple[type[BaseException], ...]:
    """For an `except` clause of a command."""
    from cinelake.checks.docs_folder import DocsError
    from cinelake.runtime.delta.commits import LogDamaged
    from cinelake.runtime.delta.lake import LakeError
    from cinelake.runtime.delta.turns import LakeBusy, TurnLost
    from cinelake.runtime.given import JobError
    from cinelake.runtime.intake.deliveries import DeliveryRefused
    from cinelake.runtime.runs.graph import GraphError
    from cinelake.runtime.settings import ConfigError
    from cinelake.runtime.spark.machine import SessionError
    from cinelake.runtime.tracking.store import TrackingError
    from cinelake.sources.importer import ImportFailed
    from cinelake.tables.contract import ContractError

    return (
        ConfigError,
        ContractError,
        DeliveryRefused,
        DocsError,
        GraphError,
        ImportFailed,
        JobError,
        LakeBusy,
        LakeError,
        LogDamaged,
        SessionError,
        TrackingError,
        TurnLost,
    )
