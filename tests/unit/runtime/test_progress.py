"""How far a long run is can be seen on a terminal and read in a log."""

from __future__ import annotations

from rich.console import Console

from cinelake.runtime.runs.pipeline import JobReport
from cinelake.runtime.runs.progress import LiveProgress, PlainProgress, bar


def test_a_step_is_a_bar_on_a_terminal_and_a_line_in_a_log() -> None:
    report = JobReport("search_recipe", "recommend")
    log = Console(width=120, record=True)
    with log.capture() as lines:
        PlainProgress(log).stepped(report, 3, 12, "ndcg_at_10 0.2500 [best]")
    assert lines.get().split() == [
        "search_recipe",
        "3",
        "of",
        "12:",
        "ndcg_at_10",
        "0.2500",
        "[best]",
    ]

    terminal = Console(force_terminal=True, width=200, color_system=None)
    with terminal.capture() as drawn, LiveProgress(terminal) as live:
        live.stepped(report, 3, 12, "ndcg_at_10 0.2500 [best]")
    assert "running ━━━╌╌╌╌╌╌╌╌╌ 3 of 12: ndcg_at_10 0.2500 [best]" in drawn.get()


def test_the_bar_fills_from_none_to_all() -> None:
    assert [bar(done, 3, width=4).count("━") for done in range(4)] == [0, 1, 2, 4]
