"""A store with a run that is open in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.windows import Window

MONDAY = Window.of_day(date(2026, 3, 2))


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """One SQLite store for all tests; each test registers models under a name of its own."""
    return Tracking.beside_lake(str(tmp_path_factory.mktemp("tracking") / "lake"))


@pytest.fixture
def tracker(tracking: Tracking) -> Iterator[Tracker]:
    tracker = tracking.start(
        "recommend", "train_recommender", MONDAY, "run-1", {"code_version": "abc"}
    )
    yield tracker
    tracker.finish()
