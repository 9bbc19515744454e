"""How the live watch is set: as the jobs are that will say again what it says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cinelake.qoe.anomalies import Alarming
from cinelake.qoe.cells import Bearable
from cinelake.qoe.incidents import Merging
from cinelake.qoe.rollups import SUBSETS
from cinelake.qoe.usual import Usual


class Watching(BaseModel):
    """The settings of the jobs that will say it again, and how late records may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grace_s: int = Field(
        60,
        ge=0,
        le=3600,
        description="how long after its last record a session ends, if nothing says so, and one that has shown no "
        "picture yet was left (s)",
    )
    bearable: Bearable = Bearable()
    subsets: tuple[str, ...] = SUBSETS
    floor: int = Field(5, ge=1)
    usual: Usual = Usual()
    alarming: Alarming = Alarming()
    merging: Merging = Merging()
    looks: float = Field(
        20.0,
        ge=1,
        description="as how many tries of chance an hour counts that is looked at while it goes on",
    )
    late: timedelta = Field(
        timedelta(hours=2),
        description="how far behind the newest record a play's second day may end and be remembered",
    )


def configured(jobs: Mapping[str, Mapping[str, Any]]) -> Watching:
    """From the `jobs` section of the configuration: what the batch is told, the watch is told."""
    wanted = {
        "build_qoe_sessions": ("grace_s",),
        "sum_qoe_cells": ("bearable",),
        "roll_up_qoe_cells": ("subsets", "floor"),
        "find_qoe_anomalies": ("usual", "alarming"),
        "track_qoe_incidents": ("merging",),
    }
    told = {
        name: jobs[job][name]
        for job, names in wanted.items()
        for name in names
        if name in jobs.get(job, {})
    }
    return Watching.model_validate(told)
