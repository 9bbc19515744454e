"""Settings of the simulated service: one section a part, each value with its unit.

A part that has settings declares a `Section` in its own module; `Settings` puts them together. Sections are frozen
and hashable, so that worlds can be cached by them.
"""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from cinelake.simulate.delivery.settings import DeliverySettings
from cinelake.simulate.player.settings import PlayerSettings


class Section(BaseModel):
    """A group of settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class WorldSettings(Section):
    """Markets, catalogue and when the world begins and ends."""

    founded: dt.date = Field(
        dt.date(2025, 1, 6),
        description="First day that can be simulated (a Monday, UTC); older titles are there from the start",
    )
    ends: dt.date = Field(dt.date(2030, 1, 7), description="First day that cannot be simulated")
    reference: dt.date = Field(
        dt.date(2026, 1, 1),
        description="Accounts signed up before this day are not cancelled before it; best near the simulation's start",
    )
    markets: tuple[str, ...] = Field(
        ("US", "GB", "DE", "BR", "IN", "JP"), min_length=1, description="Countries served"
    )
    titles: int = Field(
        800, ge=60, le=20_000, description="Films and series on the service at its foundation"
    )
    new_titles_a_week: float = Field(7.0, ge=0, le=200, description="Films and series that arrive")
    series_share: float = Field(0.42, ge=0, le=1, description="Series among all titles")
    originals_share: float = Field(0.22, ge=0, le=1, description="Titles made by the service")


class ViewerSettings(Section):
    """Who watches how much, and how sure of its taste."""

    sittings_a_day: float = Field(
        0.85, gt=0, le=4, description="Mean times an adult sits down to watch, a day"
    )
    taste: float = Field(1.0, ge=0, description="Weight of taste in choices (1: as tuned)")
    fame: float = Field(1.0, ge=0, description="Weight of a title's fame in choices")
    personal: float = Field(
        1.0, ge=0, description="Spread of tastes around the mixture of archetypes"
    )
    context: float = Field(
        1.0, ge=0, description="Weight of hour, weekday, season and device in choices"
    )
    drift: float = Field(1.0, ge=0, description="Speed at which tastes move")
    sign_ups_a_year: float = Field(
        0.12, ge=0, le=1, description="Accounts that sign up in the year after the reference day"
    )
    churn_a_month: float = Field(
        0.02, ge=0, le=0.5, description="Mean share of accounts cancelled, a month"
    )
    profile_changes_a_year: float = Field(
        0.5,
        ge=0,
        le=12,
        description="Changes that an account makes to its profiles: another language, one more",
    )


class PageSettings(Section):
    """The home page."""

    rows: int = Field(8, ge=3, le=20, description="Rows below the continue-watching row")
    tiles: int = Field(9, ge=4, le=30, description="Tiles of a row that are delivered")
    exploration: float = Field(0.04, ge=0, le=1, description="Share of slots filled at random")
    blur: float = Field(
        1.0, ge=0, description="Error of the recommender behind the page (1: as tuned)"
    )


class AbuseSettings(Section):
    """Shares of accounts with each kind of abuse, and with each confounder (at some time of the world)."""

    ex_partner: float = Field(0.020, ge=0, le=1, description="An ex-partner goes on watching")
    friends: float = Field(0.025, ge=0, le=1, description="Friends in other homes watch along")
    resale: float = Field(0.010, ge=0, le=1, description="The account is sold to strangers")
    stuffing: float = Field(
        0.020, ge=0, le=1, description="Taken over in a burst of credential stuffing"
    )
    slow_takeover: float = Field(0.008, ge=0, le=1, description="Taken over and used quietly")
    meddling: float = Field(
        0.35,
        ge=0,
        le=1,
        description="Takeovers in which the intruder changes plan or profile, some time after coming in",
    )
    other_clock: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Intruders who live by the clock of any of the service's time zones",
    )
    screens: float = Field(0.008, ge=0, le=1, description="More screens than the plan allows")
    piracy: float = Field(0.005, ge=0, le=1, description="Scraping-like viewing")
    confounders: float = Field(
        1.0, ge=0, le=5, description="Factor on the rates of all confounders"
    )


class Settings(Section):
    """Everything that determines a simulated service, beside the accounts and the window."""

    seed: int = Field(7, ge=0, lt=2**62, description="Seed of all random numbers")
    world: WorldSettings = WorldSettings()
    viewers: ViewerSettings = ViewerSettings()
    page: PageSettings = PageSettings()
    abuse: AbuseSettings = AbuseSettings()
    player: PlayerSettings = PlayerSettings()
    delivery: DeliverySettings = DeliverySettings()
