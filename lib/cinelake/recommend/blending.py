"""What the parts of a model count: what did best on days before those that the gate judges by.

Of the model of lists, which is ALS and tastes, it is the share of tastes. Of a blend of all kinds:

Lines are searched, one after the other, since parts are fitted once for a whole line: the penalty with which EASE does
best alone; then the share of the blend that is ALS, the rest being EASE; and from the best of these the share that is a
mixture of tastes instead. What is configured is on the first two.

Neighbours of titles stand beside them as a rival that is worth beating only if it is tuned, too: the line is that of
their shrinkage. All are fitted to the strengths with which ALS did best.
"""

from __future__ import annotations

from collections.abc import Sequence

from cinelake.recommend.model import Recipe
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.search import Found, Outcome, R, Setting
from cinelake.recommend.validation import Blocks

PENALTIES = (30.0, 100.0, 300.0, 1000.0)
SHRINKAGES = (0.0, 3.0, 10.0, 30.0, 100.0)
SHARES = tuple(n / 10 for n in range(11))
MIXED = (0.3, 0.5, 0.7, 1.0)
OF_TASTES = (0.0, 0.3, 0.5, 0.7)


def with_tastes(
    start: HybridRecipe, als: Found[AlsRecipe], blocks: Blocks
) -> tuple[Setting[HybridRecipe], Outcome]:
    """The best share of tastes beside the setting of ALS that a search found, and how it fared beside `start`, told of
    histories as the search began.
    """
    setting = als.setting
    shares = [start.share, *(share for share in OF_TASTES if share != start.share)]
    recipes = [start.model_copy(update={"als": setting.recipe, "share": s}) for s in shares]
    means = _means(recipes, setting, blocks)
    (configured,) = _means([start], als.start, blocks)
    best = _best(means)
    tried = als.outcome
    outcome = tried._replace(
        mean=max(means[best], configured),
        configured_mean=configured,
        trials=tried.trials + len(shares),
    )
    if means[best] < configured:
        return Setting(start, als.start.weights), outcome
    return Setting(recipes[best], setting.weights), outcome


def penalised(
    start: EaseRecipe, als: Setting[AlsRecipe], blocks: Blocks
) -> tuple[Setting[EaseRecipe], Outcome]:
    """The penalty with which EASE does best on the strengths of this setting of ALS, and how it fared."""
    tried = dict.fromkeys((start.penalty, *PENALTIES))
    return _line([start.model_copy(update={"penalty": each}) for each in tried], als, blocks)


def shrunk(
    start: ItemItemRecipe, als: Setting[AlsRecipe], blocks: Blocks
) -> tuple[Setting[ItemItemRecipe], Outcome]:
    """The shrinkage with which neighbours of titles do best on the same strengths, and how it fared."""
    tried = dict.fromkeys((start.shrinkage, *SHRINKAGES))
    return _line([start.model_copy(update={"shrinkage": each}) for each in tried], als, blocks)


def blended(
    start: BlendRecipe, ease: EaseRecipe, als: Setting[AlsRecipe], blocks: Blocks
) -> tuple[Setting[BlendRecipe], Outcome]:
    """The best blend of this setting of ALS and this EASE, and how it fared beside `start`'s penalty and weights."""
    start = start.model_copy(update={"als": als.recipe})
    weights = [start.weights, *({"als": share, "ease": round(1 - share, 1)} for share in SHARES)]
    blends = [start] + [
        start.model_copy(update={"ease": ease, "weights": each}) for each in weights
    ]
    plain = _means(blends, als, blocks)
    base = blends[_best(plain)]
    mixed = [base.model_copy(update={"weights": _with_mixture(base.weights, s)}) for s in MIXED]
    blends, means = [*blends, *mixed], [*plain, *_means(mixed, als, blocks)]
    best = _best(means)
    outcome = Outcome(blocks.objective, means[best], means[0], len(blends), 0)
    return Setting(blends[best], als.weights), outcome


def _line(
    recipes: Sequence[R], als: Setting[AlsRecipe], blocks: Blocks
) -> tuple[Setting[R], Outcome]:
    """The best of some recipes, of which the first is what is configured."""
    means = _means(recipes, als, blocks)
    best = _best(means)
    outcome = Outcome(blocks.objective, means[best], means[0], len(recipes), 0)
    return Setting(recipes[best], als.weights), outcome


def _with_mixture(weights: dict[str, float], share: float) -> dict[str, float]:
    """The weights, of which the mixture has so much, and the others keep their proportions."""
    others = {name: weight for name, weight in weights.items() if name != "mixture"}
    total = sum(others.values()) or 1.0
    scaled = {name: round((1 - share) * weight / total, 3) for name, weight in others.items()}
    return scaled | {"mixture": share}


def _means(recipes: Sequence[Recipe], als: Setting[AlsRecipe], blocks: Blocks) -> list[float]:
    """Of the measure, over all blocks."""
    totals, profiles = [0.0] * len(recipes), 0
    for judged in blocks.together(recipes, als.weights):
        totals = [total + one.total for total, one in zip(totals, judged, strict=True)]
        profiles += judged[0].profiles
    return [total / profiles for total in totals]


def _best(means: Sequence[float]) -> int:
    """Of equals the first, and so what is configured."""
    return max(range(len(means)), key=lambda n: (means[n], -n))
