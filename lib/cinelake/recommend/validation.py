"""How settings fare on days before those that the gate judges by: nDCG alone, block by block.

Lists are those that could be served when a block begins: of what is on offer then where the profile is, and meant for
its age. What was wanted of other titles counts as missed, as it does for the gate (holdout.py).

What is *wanted* is the same for all settings, for it is told by the configured weights: a setting decides what a
model learns from, not what it is asked for. Whom it leaves without a list counts as zero.

The newest signals, as many as the gate holds out, are left alone: a model chosen by the days that it is judged by
would look better than it is (Cawley and Talbot 2010, "On over-fitting in model selection").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.persisted import persisted
from cinelake.recommend import evaluation
from cinelake.recommend.eligibility import Offer, offer
from cinelake.recommend.holdout import Holdout, relevant, temporal_holdouts
from cinelake.recommend.lists import histories
from cinelake.recommend.model import Fits, NothingLiked, Recipe
from cinelake.recommend.protocols import Split
from cinelake.recommend.search import Judged, Outcome, R, Setting, read_setting
from cinelake.recommend.service import ServiceAt
from cinelake.recommend.strengths import Weights, strengths
from cinelake.recommend.training import interactions
from cinelake.tables.recommend import RECIPES


class NothingToSearchOn(ValueError):
    """No days are left on which settings could be told apart; the message says what to do."""


def blocks_before_the_gate(
    signals: DataFrame, gate_share: float, gate_holdouts: int, share: float, blocks: int
) -> list[Holdout]:
    """Holdouts of the signals that are older than all that the gate would hold out today; newest first."""
    judged_by = temporal_holdouts(signals, gate_share, gate_holdouts)
    if not judged_by:
        return []
    older = signals.where(F.col("signal_date") < F.lit(judged_by[-1].cut))
    return temporal_holdouts(older, share, blocks)


@dataclass(frozen=True)
class Block:
    """A block of days: what profiles went on to want, `profile_id, title_id`, and whom lists are for: `people
    (profile_id)`, with `market, age_limit` where something limits what they are shown.
    """

    split: Split
    wanted: DataFrame
    people: DataFrame
    offered: Offer | None


@dataclass(frozen=True)
class Blocks:
    """Blocks of days on which settings are told apart; lists of `k`."""

    asked: Sequence[Block]
    k: int

    @property
    def objective(self) -> str:
        """The measure by its name."""
        return evaluation.named("ndcg", self.k)

    def judge(self, setting: Setting[Any]) -> Iterator[Judged]:
        """How a setting fares, block by block."""
        for (judged,) in self.together([setting.recipe], setting.weights):
            yield judged

    def together(self, recipes: Sequence[Recipe], weights: Weights) -> Iterator[list[Judged]]:
        """How several fare, block by block, fitted to the same strengths; what they share is fitted once."""
        for block in self.asked:
            known = interactions(block.split.train, weights, block.split.train_until)
            with persisted(known) as train:
                judged = _judged(recipes, train, block, self.k)
            yield judged


@contextmanager
def validation(
    splits: Sequence[Split], wanted_by: Weights, k: int, service_at: ServiceAt | None = None
) -> Iterator[Blocks]:
    """What settings can be judged on, for as long as the context lasts; splits are of rows of `title_signals` with
    `profile_idx, title_idx`.

    `wanted_by` are the weights that say what profiles wanted; `service_at` tells what may be shown to whom on the day
    that a block begins, None: everything to everyone. Raises NothingToSearchOn.
    """
    with ExitStack() as stack:
        asked: list[Block] = []
        for split in splits:
            known = strengths(split.train, wanted_by, split.train_until)
            came = strengths(split.test, wanted_by, split.test_until)
            wanted = stack.enter_context(persisted(relevant(known, came)))
            if wanted.isEmpty():
                continue
            people, offered = wanted.select("profile_id").distinct(), None
            if service_at is not None:
                service = service_at(split.train_until)
                offered = offer(service.shown, service.rules)
                people = people if offered is None else service.with_limits(people)
            asked.append(Block(split, wanted, stack.enter_context(persisted(people)), offered))
        if not asked:
            raise NothingToSearchOn(
                "on no days before those that the gate judges by did a profile like something new after it had liked "
                "something else, so settings cannot be told apart; wait for more data, or lower `gate_share`, "
                "`gate_holdouts` or `share`. Until then the configured setting is used"
            )
        yield Blocks(asked, k)


def _judged(recipes: Sequence[Recipe], train: DataFrame, block: Block, k: int) -> list[Judged]:
    wanted, limits = block.wanted, [name for name in block.people.columns if name != "profile_id"]
    numbers = train.select("title_id", "title_idx").distinct()
    # Only who is judged needs a list.
    told = train.join(block.people, on="profile_id", how="left_semi").drop("title_idx")
    history = histories(told, numbers)
    if limits:
        history = history.drop(*limits).join(block.people, on="profile_id", how="left")
    fits, found = Fits(train), []
    with persisted(history) as asking:
        for recipe in recipes:
            try:
                lists = fits.of(recipe).lists(asking, k, block.offered)
            except NothingLiked:
                # A setting under which nobody wants anything leaves all of them without a list.
                lists = wanted.select("*", F.lit(1).alias("rank")).where("false")
            (row,) = evaluation.ndcg(lists, wanted, k).toArrow().to_pylist()
            found.append(Judged(float(row["total"]), row["profiles"]))
    return found


def chosen_row(
    setting: Setting[Any], outcome: Outcome, as_of: date, measured_until: date, search: str
) -> dict[str, Any]:
    """The row of `recipes` that a search ends in."""
    return {
        "as_of": as_of,
        "kind": setting.recipe.kind,
        "recipe": setting.recipe.model_dump_json(),
        "weights": setting.weights.model_dump_json(),
        **outcome._asdict(),
        "measured_until": measured_until,
        "search": search,
    }


def as_recipes(signals: DataFrame, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Rows of the table `recipes`, made in the session of `signals`."""
    values = [tuple(row[name] for name in RECIPES.names) for row in rows]
    return signals.sparkSession.createDataFrame(values, RECIPES.schema)


def chosen(
    recipes: DataFrame, start: Setting[R], judged_by: Sequence[Holdout]
) -> tuple[Setting[R], str]:
    """The setting that the newest search chose for models of the kind of `start`, or `start`; and in words which.

    Of searches that measured on days of `judged_by` nothing is taken. Raises ValueError for a setting that the code
    does not know any more.
    """
    kind = start.recipe.kind
    usable = recipes.where(F.col("kind") == kind)
    if judged_by:
        usable = usable.where(F.col("measured_until") <= F.lit(min(each.cut for each in judged_by)))
    newest = usable.orderBy(F.desc("as_of")).limit(1).toArrow().to_pylist()
    if not newest:
        return start, "configuration"
    row = newest[0]
    words = f"search of {row['as_of']}: {row['objective']} {row['mean']:.4f} after {row['trials']} trials"
    return read_setting(type(start.recipe), row["recipe"], row["weights"]), words
