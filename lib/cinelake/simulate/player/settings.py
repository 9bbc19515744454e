"""The player, the networks behind it, and what goes wrong in them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
IncidentKind = Literal[
    "congestion", "slow_start", "start_failure", "playback_error", "dropped_frames"
]


class IncidentSettings(BaseModel):
    """`[[player.incidents]]`: an incident that is to happen; what is not said of where it strikes is anywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: IncidentKind
    start: dt.datetime = Field(description="Onset (with zone; UTC without one)")
    hours: float = Field(gt=0, le=24 * 14, description="From onset to end (h)")
    ramp_minutes: float = Field(10, ge=0, le=24 * 60, description="From onset to full strength")
    severity: float = Field(gt=0, le=1, description="Full strength; 1 is an outage")
    cdn: str | None = None
    region: str | None = None
    isp: str | None = None
    model: str | None = None
    app_version: str | None = None

    @model_validator(mode="after")
    def _strikes_somewhere(self) -> IncidentSettings:
        if not any((self.cdn, self.region, self.isp, self.model, self.app_version)):
            raise ValueError(
                "an incident names at least one of cdn, region, isp, model, app_version"
            )
        return self


class PlayerSettings(BaseModel):
    """`[player]`: Streaming quality: the player, the networks behind it, and what goes wrong in them."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    heartbeat_s: float = Field(30, ge=10, le=60, description="Time between heartbeats (s)")
    cdns: tuple[str, ...] = Field(
        ("aurora", "borealis", "cirrus", "drift"),
        min_length=1,
        description="Content delivery networks",
    )
    cdn_shares: tuple[float, ...] = Field(
        (0.40, 0.30, 0.20, 0.10), min_length=1, description="How plays are split between them"
    )
    start_failure_share: Share = Field(
        0.006, description="Attempts that fail to start for no reason but chance"
    )
    errors_an_hour: float = Field(
        0.006, ge=0, le=10, description="Fatal errors per hour watched, by chance"
    )
    hiccups_an_hour: float = Field(
        0.3,
        ge=0,
        le=100,
        description="Lost or broken segments per hour watched: a short stall each",
    )
    outages_an_hour: float = Field(
        0.8,
        ge=0,
        le=100,
        description="Short losses of the network per hour watched, on a fixed line",
    )
    evening_peak: float = Field(
        0.3, ge=0, lt=1, description="Share of throughput lost in the busiest hour of the evening"
    )
    incidents_a_day: float = Field(
        1.5, ge=0, le=100, description="Incidents drawn at random, in the whole service"
    )
    maintenance_share: Share = Field(
        0.06, description="Nights on which an ISP works on its network"
    )
    premiere_load: float = Field(
        0.3, ge=0, lt=1, description="Share of throughput lost in the first evening of a premiere"
    )
    incidents: tuple[IncidentSettings, ...] = Field((), description="Incidents that are to happen")

    @model_validator(mode="after")
    def _shares_match(self) -> PlayerSettings:
        if len(self.cdn_shares) != len(self.cdns):
            raise ValueError(
                f"cdn_shares has {len(self.cdn_shares)} values for {len(self.cdns)} cdns; give one each"
            )
        if len(set(self.cdns)) != len(self.cdns):
            raise ValueError("cdns names one twice")
        if min(self.cdn_shares) < 0 or sum(self.cdn_shares) <= 0:
            raise ValueError("cdn_shares must not be negative, and not all zero")
        return self
