"""Profiles are checked before anything is written."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cinelake.simulate.profile import ProfileError, differences, settings_of
from cinelake.simulate.settings import Settings

PROFILES = Path(__file__).parents[3] / "conf" / "simulate"
INCIDENT = {"kind": "congestion", "start": "2026-01-02T18:00:00Z", "hours": 3, "severity": 0.8}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"player": {"heartbeats_s": 30}}, "player.heartbeats_s is not a setting; did you mean player.heartbeat_s"),
        ({"delivry": {"late_share": 0.1}}, "did you mean delivery.late_share"),
        ({"late_share": 0.1}, "did you mean delivery.late_share"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"delivery": {"late_share": 2}}, "delivery.late_share: .*less than or equal to 1"),
        ({"world": {"markets": ["XX"]}}, "XX is not a known market"),
        ({"player": {"incidents": [INCIDENT | {"cdn": "akamei"}]}}, "cdn 'akamei', which does not exist"),
        ({"player": {"incidents": [INCIDENT | {"cdm": "aurora"}]}}, "did you mean player.incidents.cdn"),
        ({"player": {"incidents": [INCIDENT]}}, "names at least one of cdn"),
        ({"player": {"cdns": ["a", "b"]}}, "cdn_shares has 4 values for 2 cdns"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_explained(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        settings_of(content, "profile x")


def test_an_incident_can_be_wanted() -> None:
    content = {"player": {"incidents": [INCIDENT | {"cdn": "aurora", "isp": None}]}}
    [incident] = settings_of(content, "profile x").player.incidents
    assert incident.cdn == "aurora"


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_profiles_that_come_along_are_good(path: Path) -> None:
    settings_of(tomllib.loads(path.read_text("utf-8")), path.name)


def test_the_default_profile_says_what_holds_without_it() -> None:
    content = tomllib.loads((PROFILES / "default.toml").read_text("utf-8"))
    assert differences(settings_of(content, "default"), Settings()) == []


def test_what_differs_is_named() -> None:
    assert differences(Settings(seed=7), Settings(seed=8)) == ["seed: 7, 8"]
