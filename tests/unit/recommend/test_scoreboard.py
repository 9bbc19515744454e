"""The leaderboard is read on a terminal of eighty columns."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from cinelake.recommend.scoreboard import LABELS, scoreboard

MODELS = ("challenger", "als", "blend", "ease", "item_item", "popular")


def test_six_models_fit_into_eighty_columns_with_nothing_cut() -> None:
    metrics = {f"{model}.{measure}_at_10": 0.12345 for model in MODELS for measure in LABELS}
    metrics |= {"als.novelty_at_10": 12.3456, "als.serendipity_at_10": 1.6e-5}
    metrics |= {"als.ndcg_at_10.low": 0.1, "als.ndcg_at_10.high": 0.2}
    del metrics["popular.gini_at_10"]
    console = Console(file=StringIO(), width=80, record=True)
    console.print(scoreboard(metrics, MODELS, 10))
    lines = console.export_text().splitlines()

    heading, *rows = [line.split() for line in lines[: 1 + len(LABELS)]]
    assert heading == ["@10", *MODELS]
    measured = dict(zip(LABELS, rows, strict=True))
    assert measured["miscalibration"] == ["miscalibration", *["0.1235"] * 6]
    assert measured["novelty"][:4] == ["novelty,", "bits", "0.1235", "12.35"]
    assert measured["serendipity"][2] == "0.0000"
    assert measured["gini"] == ["Gini", *["0.1235"] * 5]
    assert lines[-2:] == ["nDCG@10 with 95 % intervals", "  als: 0.1235 [0.1000, 0.2000]"]
