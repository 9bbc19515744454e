"""A search finds better than what is configured, gives up on what is poor, and never does anything twice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import pytest
from pydantic import ValidationError

from cinelake.recommend import pictures
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.search import (
    Between,
    Budget,
    Found,
    Judged,
    Setting,
    Space,
    Unrecorded,
    read_setting,
    records,
    search,
)
from cinelake.recommend.strengths import Weights

START = Setting(AlsRecipe(alpha=30, reg_param=0.03), Weights())


def fortune(setting: Setting[Any]) -> float:
    """Best at alpha 5, regularisation .3 and a half-life of 90 days."""
    off = abs(math.log(setting.recipe.alpha / 5)) + abs(math.log(setting.recipe.reg_param / 0.3))
    return 0.5 - 0.05 * off - 0.05 * (setting.weights.half_life_days != 90)


class Bench:
    """Judges settings by `fortune` on three blocks of 10, 20 and 30 profiles, and counts."""

    def __init__(self) -> None:
        self.settings: list[Setting[Any]] = []
        self.blocks = 0

    def judge(self, setting: Setting[Any]) -> Iterator[Judged]:
        self.settings.append(setting)
        for profiles in (10, 20, 30):
            self.blocks += 1
            yield Judged(fortune(setting) * profiles, profiles)

    def search(self, trials: int, **more: Any) -> Found[AlsRecipe]:
        return search(
            START, Space(), self.judge, more.pop("budget", Budget(trials)), objective="ndcg", **more
        )


class Book(Unrecorded):
    """A record that a test can read."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.steps: list[tuple[int | None, float]] = []
        self.ended: tuple[str, str | None] | None = None

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self.tags |= tags

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.steps.append((step, metrics["ndcg"]))

    def finish(self, status: str = "FINISHED", error: str | None = None) -> None:
        self.ended = status, error


@pytest.fixture(scope="module")
def found() -> Found[AlsRecipe]:
    return Bench().search(40)


def test_what_is_found_is_better_than_what_is_configured(found: Found[AlsRecipe]) -> None:
    assert found.trials[0].values == {name: START.value(name) for name, _ in Space()}
    assert found.trials[0].mean == pytest.approx(fortune(START))
    assert found.best.mean > found.trials[0].mean + 0.1
    assert fortune(found.setting) == pytest.approx(found.best.mean)
    assert found.setting.recipe.iterations == START.recipe.iterations


def test_poor_trials_are_broken_off_after_the_first_blocks() -> None:
    bench = Bench()
    found = bench.search(40)
    pruned = [trial for trial in found.trials if trial.pruned]
    assert 5 < len(pruned) < 30
    assert bench.blocks == sum(len(trial.means) for trial in found.trials) < 40 * 3
    assert found.best not in pruned


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(found: Found[AlsRecipe]) -> None:
    # Ten trials fall into the even draws and the learned ones.
    first = Bench().search(10)
    bench = Bench()
    second = bench.search(40, earlier=reversed(first.trials))
    assert second.trials == found.trials
    assert len(bench.settings) == 30


def test_the_budget_counts_trials_of_earlier_searches_and_ends_with_the_time() -> None:
    earlier = Bench().search(6).trials
    bench, ticks = Bench(), count()
    found = bench.search(6, earlier=earlier)
    assert (len(found.trials), bench.settings) == (6, [])
    found = bench.search(0, budget=Budget(50, lambda: next(ticks) >= 3), earlier=earlier)
    assert (len(found.trials), len(bench.settings)) == (9, 3)
    # However late it is, there is something to choose.
    assert len(Bench().search(0, budget=Budget(50, lambda: True)).trials) == 1


def test_each_trial_is_written_down_and_read_again() -> None:
    books: dict[str, Book] = {}
    found = Bench().search(6, record=lambda name: books.setdefault(name, Book()))
    assert list(books) == [f"trial {number}" for number in range(6)]
    assert records([book.tags for book in books.values()]) == list(found.trials)
    assert [book.tags["state"] for book in books.values()] == [
        "pruned" if trial.pruned else "finished" for trial in found.trials
    ]
    assert books["trial 0"].steps == list(enumerate(found.trials[0].means, start=1))
    assert books["trial 0"].ended == ("FINISHED", None)
    # Of two of one number, as two searches at once make them, the first counts.
    again = found.trials[1].model_copy(update={"number": 0})
    tags = [books["trial 0"].tags, {"trial": again.model_dump_json()}, {}]
    assert records(tags) == [found.trials[0]]


def test_a_trial_that_fails_says_so_and_ends_the_search() -> None:
    def broken(setting: Setting[Any]) -> Iterator[Judged]:
        yield Judged(1.0, 10)
        raise ConnectionError("the executor is lost")

    book = Book()
    with pytest.raises(ConnectionError):
        search(START, Space(), broken, Budget(3), objective="ndcg", record=lambda _: book)
    assert book.ended == ("FAILED", "ConnectionError: the executor is lost")
    assert records([book.tags]) == []


def test_what_is_configured_is_always_part_of_the_space() -> None:
    odd = Setting(AlsRecipe(rank=10, alpha=100), Weights(half_life_days=7, like_from=5))
    around = Space(rank=(), abandoned=Between(low=-0.3, high=-0.3)).around(odd)
    assert around["rank"].choices == (10,)  # type: ignore[attr-defined]
    assert around["half_life_days"].choices == (7, 30, 90, 365, 1095, None)  # type: ignore[attr-defined]
    assert (around["alpha"].low, around["alpha"].high) == (1, 100)  # type: ignore[attr-defined]
    assert around["abandoned"].single()


def test_all_that_strengths_are_weighed_by_is_searched() -> None:
    """What a play that broke off is, is no weight but a definition."""
    assert set(Weights.model_fields) - set(Space.model_fields) == {"abandoned_below"}
    apart = Setting(AlsRecipe(), Weights(thumbs_up=3.0, hover=-0.7))
    around = Space().around(apart)
    assert (around["thumbs_up"].low, around["thumbs_up"].high) == (0, 3)  # type: ignore[attr-defined]
    assert (around["hover"].low, around["hover"].high) == (-0.7, 0)  # type: ignore[attr-defined]
    assert not any(values.single() for values in around.values())


@pytest.mark.parametrize("ends", [{"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}])
def test_a_range_that_is_none_is_refused(ends: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is no range"):
        Between.model_validate(ends)


def test_a_value_that_no_setting_may_have_is_refused_before_anything_is_tried() -> None:
    bench = Bench()
    with pytest.raises(
        ValueError, match=r"space.alpha: -1.0 is no value to try: .* greater than 0"
    ):
        search(
            START, Space(alpha=Between(low=-1, high=5)), bench.judge, Budget(3), objective="ndcg"
        )
    assert bench.settings == []


def test_progress_is_told_trial_by_trial() -> None:
    told: list[tuple[int, int, str]] = []
    found = Bench().search(3, tell=lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[0][2] == f"ndcg {fortune(START):.4f}, best {fortune(START):.4f}"
    assert f"best {found.best.mean:.4f}" in told[2][2]


def test_the_picture_shows_every_trial_and_what_mattered(found: Found[AlsRecipe]) -> None:
    assert found.importance.keys() == {name for name, _ in Space()}
    assert sum(found.importance.values()) == pytest.approx(1.0)
    history, importance = pictures.search(found).axes
    assert [len(line.get_xdata()) for line in history.lines[:3]] == [  # type: ignore[arg-type]
        len(found.finished), len(found.finished), len(found.trials) - len(found.finished),
    ]  # fmt: skip
    assert len(importance.patches) == len(found.importance)
    # Two trials tell nothing, and are drawn all the same.
    assert Bench().search(2).importance == {}
    assert pictures.search(Bench().search(2)).axes[1].texts


def test_a_setting_goes_through_tags_and_json_and_a_stale_one_is_refused() -> None:
    setting = START.having({"rank": 32, "half_life_days": 30.0})
    assert START.of_tags(setting.tags) == setting
    assert START.of_tags({"recipe": setting.tags["recipe"]}).weights == START.weights
    assert read_setting(AlsRecipe, setting.tags["recipe"], setting.tags["weights"]) == setting
    with pytest.raises(ValueError, match="of 'als' is not one any more: depth: .*--only search"):
        read_setting(AlsRecipe, '{"depth": 3}', "{}")
