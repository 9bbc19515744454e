"""A card shows what a training measured, for everyone and by group, and nothing of anyone."""

from __future__ import annotations

import re
from datetime import date, datetime
from html import unescape

import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows

from cinelake.recommend.gate import CHALLENGER, POPULAR, Decision, Measured, Tolerances
from cinelake.recommend.model_card import Data, Gap, Training, data_of, gap, model_card
from cinelake.recommend.training import Comparison, Row
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDER

TRAINING = Training(
    RECOMMENDER,
    date(2026, 3, 16),
    Data(date(2026, 1, 1), date(2026, 3, 15), 12_345, 600, 400),
    {"title_signals": 7, "titles": 3},
    {"rank": 32, "weights.half_life_days": None},
)
REFUSED = Decision(False, "nDCG@10 of market <b>DE</b> is below; coverage@10 is worse")


def _measured(model: str, measure: str, mean: float, profiles: int = 200) -> Row:
    return {
        "model": model, "measure": measure, "profiles": profiles,
        "mean": mean, "low": mean - 0.03, "high": mean + 0.04,
    }  # fmt: skip


def _comparison() -> Comparison:
    """Kids fare better than adults; nearly nobody is in the market that is spelt like mark-up."""
    means = {CHALLENGER: 0.3, POPULAR: 0.1}
    groups = [
        ("kind", "adult", 0.2, 140),
        ("kind", "kids", 0.5, 60),
        ("market", "<b>DE</b>", 0.3, 4),
    ]
    return Comparison(
        k=10,
        measures=[
            _measured(model, measure, mean if measure != "lead" else 0.3 - mean)
            for model, mean in means.items()
            for measure in ("ndcg_at_10", "recall_at_10", "popularity_at_10", "lead")
        ],
        segments=[
            {"segment": segment, "group": group}
            | _measured(model, measure, value if measure != "lead" else ndcg - value, profiles)
            for segment, group, ndcg, profiles in groups
            for model, value in ((CHALLENGER, ndcg), (POPULAR, 0.1))
            for measure in ("ndcg_at_10", "recall_at_10", "lead")
        ],
        shown=[{"model": model, "coverage": 0.25, "gini": 0.75} for model in means],
        cold=[{"fold": 1, "profiles": 50, "cold_profiles": 5, "titles": 80, "cold_titles": 20}],
    )


def _rows_of(page: str) -> list[list[str]]:
    """The cells of every row of every table."""
    return [
        [
            unescape(cell).replace("\N{NO-BREAK SPACE}", " ")
            for cell in re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", page, re.S)
    ]


@pytest.fixture(scope="module")
def page() -> str:
    return model_card(TRAINING, _comparison(), Tolerances(), REFUSED)


def test_every_model_has_its_measures_with_intervals(page: str) -> None:
    told = _rows_of(page)
    assert ["measure", "this version", "popularity"] in told
    assert ["nDCG@10", "0.300 [0.270, 0.340]", "0.100 [0.070, 0.140]"] in told
    assert ["lead of this version", "", "0.200 [0.170, 0.240]"] in told
    assert ["coverage@10", "0.250", "0.250"] in told


def test_every_group_has_its_figures_and_every_segment_its_gap(page: str) -> None:
    told = _rows_of(page)
    assert [
        "adult", "140", "0.200 [0.170, 0.240]", "0.100 [0.070, 0.140]", "0.100 [0.070, 0.140]",
        "0.200 [0.170, 0.240]",
    ] in told  # fmt: skip
    assert "Largest gap: kids is ahead of adult by +0.3000 [+0.2500, +0.3500] nDCG." in page
    assert "No gap can be told: fewer than two groups have 50 profiles." in page


def test_it_says_what_it_was_made_of_and_what_it_cannot_know(page: str) -> None:
    told = _rows_of(page)
    assert ["days with signals", "2026-01-01 to 2026-03-15"] in told
    assert ["table title_signals", "version 7"] in told
    assert ["rank", "32"] in told
    assert "Of 80 titles with a like in the holdouts, 20 (25%) had none before" in page
    assert "not protected by the gate: market &lt;b&gt;DE&lt;/b&gt; (4)" in page


def test_the_decision_stands_there_point_by_point(page: str) -> None:
    told = _rows_of(page)
    assert ["not passed", "nDCG@10 of market <b>DE</b> is below"] in told
    assert ["", "coverage@10 is worse"] in told
    assert [
        "group_profiles",
        "50",
        "the smallest group that is judged by itself (held-out profiles)",
    ] in told


def test_names_are_no_mark_up_and_nothing_is_fetched(page: str) -> None:
    assert "<b>DE" not in page
    assert not re.search(r"<(?:script|link|img|iframe)\b|url\((?!#)|@import", page)
    assert re.findall(r'(?:src|(?<!xlink:)href)="([^"#][^"]*)"', page) == []


def test_without_a_holdout_there_is_a_card_all_the_same() -> None:
    page = model_card(
        TRAINING, Comparison(10, [], [], [], []), Tolerances(), Decision(False, "nothing")
    )
    assert "How good it is" not in page
    assert "It is not for decisions about people" in page
    assert "It keeps to the ages and licences that were known when it was trained" in page


def test_a_gap_is_told_of_groups_that_are_large_enough() -> None:
    groups = {
        "a": Measured(0.2, 0.17, 0.24, 80),
        "b": Measured(0.5, 0.46, 0.53, 70),
        "tiny": Measured(0.9, 0.1, 1.0, 2),
    }
    # .3 less √(.04² + .04²), and more by √(.03² + .03²).
    found = gap(groups, 50)
    assert found == Gap(
        "b", "a", Measured(pytest.approx(0.3), pytest.approx(0.2434, abs=1e-4), pytest.approx(0.3424, abs=1e-4), 150)
    )  # fmt: skip
    assert gap(groups, 75) is None


def test_what_signals_hold_is_counted(spark: SparkSession) -> None:
    told = [("ann", "jaws", 2), ("ann", "heat", 1), ("bob", "jaws", 3)]
    signals = rows(
        spark,
        TITLE_SIGNALS,
        *(
            {"profile_id": who, "title_id": title, "signal_date": date(2026, 3, day), "rating": 4.0,
             "rated_at": datetime(2026, 3, day)}
            for who, title, day in told
        ),
    )  # fmt: skip
    assert data_of(signals) == Data(date(2026, 3, 1), date(2026, 3, 3), 3, 2, 2)
    assert data_of(signals.limit(0)) == Data(None, None, 0, 0, 0)
