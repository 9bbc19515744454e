"""The report says how the newest training did, and how lists fared on the newest day."""

from __future__ import annotations

from datetime import date

from cinelake.recommend.report import recommender
from cinelake.report.page import Cell, Grid
from cinelake.runtime.tracking.versions import ModelRun, ModelVersion

DAY = date(2026, 3, 16)
VERSION = ModelVersion(
    "cinelake.recommend.recommender", 3, "", DAY, "", {"gate": "passed", "gate.reason": "good"}
)
RUN = ModelRun(VERSION, {"challenger.ndcg_at_10": 0.3, "popular.ndcg_at_10": 0.1}, {})


def test_alarms_of_the_newest_day_stand_out() -> None:
    health = [
        {"day": DAY, "measure": "hit_rate", "is_alarm": True, "message": "it fell"},
        {"day": DAY, "measure": "overlap", "is_alarm": False, "message": "it is as ever"},
    ]
    training = [{"day": date(2026, 3, 9), "measure": "ndcg", "is_alarm": True, "message": "worse"}]
    parts = recommender([RUN], [], training, health).parts
    grids = [part for part in parts if isinstance(part, Grid)]
    assert grids[-2].headings == ("on 2026-03-09", "what was measured")
    assert grids[-2].rows == [(Cell("alarm", "bad"), "worse")]
    assert grids[-1].headings == ("on 2026-03-16", "what was measured")
    assert grids[-1].rows == [
        (Cell("alarm", "bad"), "it fell"),
        (Cell("no alarm"), "it is as ever"),
    ]


def test_it_says_what_the_gate_asks_for() -> None:
    assert recommender([RUN]).lead == (
        "A version is approved only if, on the same held-out days, it beats plain popularity and is no worse than the "
        "champion's recipe beyond noise; the same recipe on newer data has only popularity to beat."
    )


def test_a_lake_in_which_nothing_was_watched_has_no_such_table() -> None:
    grids = [part for part in recommender([RUN]).parts if isinstance(part, Grid)]
    assert [grid.headings for grid in grids] == [("version", "trained through", "gate", "why")]
