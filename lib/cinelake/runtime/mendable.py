"""Errors that a person can mend: their message says how, and a trace would only hide it."""

from __future__ import annotations


def mendable() -> tuple[type[BaseException], ...]:
    """For an `except` clause of a command."""
    from cinelake.checks.docs_folder import DocsError
    from cinelake.runtime.commits import LogDamaged
    from cinelake.runtime.deliveries import DeliveryRefused
    from cinelake.runtime.graph import GraphError
    from cinelake.runtime.job import JobError
    from cinelake.runtime.lake import LakeError
    from cinelake.runtime.machine import SessionError
    from cinelake.runtime.settings import ConfigError
    from cinelake.runtime.tracking.store import TrackingError
    from cinelake.runtime.turns import LakeBusy, TurnLost
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
