"""A landing area that is gone is told from one where nothing has landed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.intake.inlet import Folder


def test_a_landing_area_that_is_gone_is_no_source_at_which_nothing_lands(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    storage = SimpleNamespace(exists=lambda path: Path(path).exists())
    lake: Any = SimpleNamespace(root=str(tmp_path), landing=str(landing), storage=storage)
    ratings = Folder(lake, "ratings", 10)
    # A new lake, to which nobody has delivered yet, or whose landing area was mistyped.
    ratings.refuse_absence(None)
    assert ratings.missing() == (
        f"the landing area {landing} is not there: let records land in it, or correct lake.landing"
    )
    with pytest.raises(LakeError, match="landing is not there, and ratings came in from it before"):
        ratings.refuse_absence("3:1200")
    # A source that is delivered no more, in an area that is there.
    landing.mkdir()
    ratings.refuse_absence("3:1200")
    assert ratings.missing() is None
