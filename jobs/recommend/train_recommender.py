"""Train the recommender on everything before the day, and let it through the gate if it earns it.

The setting is what the newest search chose (search_recipe), or as configured. Measured on temporal
holdouts against popularity and the champion's setting; then fitted on everything, registered and
judged. A rerun takes up where the last one broke off.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from statistics import fmean
from typing import Any

from pydantic import Field, field_validator

from cinelake.behaviour.history import latest
from cinelake.persisted import persisted
from cinelake.recommend import gate, hidden_titles, pictures
from cinelake.recommend.cold_titles import ContentRecipe
from cinelake.recommend.content import SAID
from cinelake.recommend.drift import moved
from cinelake.recommend.eligibility import Limits
from cinelake.recommend.evaluation import named
from cinelake.recommend.health import Watch, trained
from cinelake.recommend.hidden_titles import Hiding
from cinelake.recommend.holdout import Holdout, temporal_holdouts
from cinelake.recommend.keeping import kept, known_by
from cinelake.recommend.model import NothingLiked, Recipe, kinds
from cinelake.recommend.model_card import Training, data_of, model_card
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.popular_here import Popularity, circles
from cinelake.recommend.protocols import Split
from cinelake.recommend.registration import Shown, Started, registrable
from cinelake.recommend.search import Setting, UnknownSetting
from cinelake.recommend.service import TOLD, Records
from cinelake.recommend.strengths import LEARNED, Weights
from cinelake.recommend.training import (
    Comparison,
    compare,
    indexed,
    interactions,
    rivals,
)
from cinelake.recommend.validation import chosen
from cinelake.recommend.viewers import viewers
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, history, job
from cinelake.runtime.tracking.versions import ModelVersion, proposed
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import (
    PROFILE_INDEX,
    RECIPES,
    RECOMMENDER,
    TITLE_INDEX,
    TRAINING_HEALTH,
)

# Trainings that passed that a new one is compared with, and where it stands on a version how it fared beside them.
TRAININGS, HEALTH = 4, "health"
# The job that looks for a better setting then.
SEARCH = "search_recipe"


class TrainRecommenderParams(JobParams):
    top: int = Field(10, ge=1, le=100, description="length of the lists that are judged")
    holdout_share: float = Field(0.1, gt=0, lt=1, description="share of the signals in a holdout")
    holdouts: int = Field(3, ge=1, le=9, description="how many holdouts, one before the other")
    recipe: HybridRecipe = HybridRecipe()
    weights: Weights = Field(
        Weights(), description="they say what is wanted, and so what is measured"
    )
    learned: Weights = Field(LEARNED, description="they say what is learned from")
    searched: bool = Field(
        True, description="whether what the newest search chose goes before recipe and learned"
    )
    limits: Limits = Limits()
    popularity: Popularity = Field(Popularity(), description="as the model is served by itself")
    least_households: int = Field(
        50,
        ge=2,
        description="accounts of a market from which on the model that is served knows what is popular there",
    )
    content: ContentRecipe = ContentRecipe()
    hiding: Hiding = Hiding()
    ks: tuple[int, ...] = Field((5, 20, 50), description="other lengths that are measured")
    rivals: tuple[str, ...] = Field(
        ("als", "blend", "ease", "item_item"), description="kinds of model that are measured beside"
    )
    tolerances: gate.Tolerances = gate.Tolerances()
    search_after_fall: bool = Field(
        True, description="whether a fall starts search_recipe, once the other jobs are done"
    )
    fall: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="fall below the trainings that passed before that is warned of (share of their nDCG)",
    )

    @field_validator("rivals")
    @classmethod
    def _rivals_are_known(cls, rivals: tuple[str, ...]) -> tuple[str, ...]:
        strangers = sorted(set(rivals) - set(kinds()))
        if strangers:
            raise ValueError(f"there is no kind {strangers[0]!r}; there are {', '.join(kinds())}")
        return rivals


def _before(table: Table) -> Reading:
    return Reading(table, lookback=ALL, lookahead=-1)


@job(
    reads=[
        _before(TITLE_SIGNALS),
        _before(PROFILE_INDEX),
        _before(TITLE_INDEX),
        *map(_before, TOLD),
        # A search for the day saw nothing of it.
        history(RECIPES),
    ],
    writes=[RECOMMENDER, TRAINING_HEALTH],
    params=TrainRecommenderParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
    version=8,
    remedies=[SEARCH],
)
def train_recommender(run: Run[TrainRecommenderParams]) -> None:
    version = run.tracker.settled(
        RECOMMENDER, run.inputs_fingerprint, lambda: _trained(run), NothingLiked
    )
    # It rides along, too: a rerun of a training says the same of it.
    rows = json.loads(version.tags.get(HEALTH, "[]")) if version is not None else []
    told = [
        tuple((row | {"day": run.start})[name] for name in TRAINING_HEALTH.names) for row in rows
    ]
    session = run.read(TITLE_SIGNALS).sparkSession
    run.write(TRAINING_HEALTH, session.createDataFrame(told, TRAINING_HEALTH.schema))
    for row in rows:
        if row["is_alarm"]:
            run.warn(row["message"], SEARCH if run.params.search_after_fall else None)


def _trained(run: Run[TrainRecommenderParams]) -> ModelVersion:
    """Measure, fit and register; the gate's decision rides along, so that a rerun need not measure again."""
    params, tracker = run.params, run.tracker
    people = viewers(*map(run.read, (PROFILES, ACCOUNTS, DEVICES)))
    told = indexed(*map(run.read, (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX)), people)
    holdouts = temporal_holdouts(run.read(TITLE_SIGNALS), params.holdout_share, params.holdouts)
    configured = Setting(params.recipe, params.learned)
    setting, origin = configured, "configuration"
    if params.searched:
        setting, origin = chosen(run.read(RECIPES), configured, holdouts)
    recipe = setting.recipe
    others = _rivals(run, setting, holdouts)
    settled: dict[str, Recipe] = {"als": recipe.als, "mixture": recipe.mixture}
    settled |= {kind: other.recipe for kind, other in others.items()}
    recipes: dict[str, Recipe] = {gate.CHALLENGER: recipe}
    learned = dict.fromkeys((gate.CHALLENGER, *params.rivals), setting.weights)
    learned |= {kind: other.weights for kind, other in others.items() if kind in params.rivals}
    incumbent = "there is no champion yet"
    champion = tracker.tracking.newest_approved(RECOMMENDER, run.end - timedelta(days=1))
    if champion is not None:
        incumbent = f"the champion, version {champion.version}, has the same recipe on older data"
        try:
            theirs = configured.of_tags(champion.tags)
        except UnknownSetting as unknown:
            incumbent = (
                f"the champion, version {champion.version}, cannot be fitted anew: {unknown}"
            )
        else:
            if theirs != setting:
                recipes[gate.CHAMPION], learned[gate.CHAMPION] = theirs.recipe, theirs.weights
    with persisted(told) as signals:
        comparison = compare(
            [Split.at(signals, holdout) for holdout in holdouts],
            recipes | rivals(params.rivals, settled),
            weights=params.weights,
            k=params.top,
            ks=params.ks,
            genres=latest(run.read(TITLES), ["title_id"], "genres"),
            groups=people.select("profile_id", "market", "kind", "device_kind"),
            learned=learned,
            service_at=Records(*map(run.read, TOLD)).at_cuts(params.limits, params.popularity),
        )
        decision = gate.decide(comparison, params.tolerances, incumbent)
        tracker.log_params(setting.flat)
        tracker.set_tags({"recipe.from": origin})
        tracker.log_metrics(comparison.metrics() | _drift(run))
        tracker.flush()
        if comparison.measures:
            tracker.log_figure(pictures.quality(comparison), "quality.png")
        if comparison.trade_off:
            tracker.log_figure(pictures.trade_off(comparison), "trade_off.png")
        through = run.end - timedelta(days=1)
        proposal = proposed(passed=decision.passed, reason=decision.reason) | {
            HEALTH: json.dumps(_health(run, comparison), default=str)
        }
        titles = latest(run.read(TITLES), ["title_id"], *SAID)
        with persisted(interactions(signals, setting.weights, run.end)) as known:
            tracker.log_metrics(
                hidden_titles.measured(
                    known, titles, recipe, params.content, params.hiding, through
                )
            )
            fitted = recipe.fit(known)
            tracker.log_params(fitted.bounded)
            tracker.flush()
            training = Training(
                RECOMMENDER,
                through,
                data_of(signals),
                run.input_versions,
                setting.flat | fitted.bounded,
            )
            tracker.log_card(model_card(training, comparison, params.tolerances, decision))
            found = kept(fitted, known, params.content, titles, through)
            tags = setting.tags | found.tags
            return tracker.register(
                RECOMMENDER,
                trained_through=through,
                fingerprint=run.inputs_fingerprint,
                tags=proposal | tags | {"recipe.from": origin},
                **registrable(
                    fitted,
                    known,
                    known_by(tags, found.frames.__getitem__, titles, through).titles,
                    found.frames,
                    *_served(run),
                ),
            )


def _served(run: Run[TrainRecommenderParams]) -> tuple[Shown, Started]:
    """What keeps titles from profiles, and what is popular where, as it was known before the day."""
    params, records = run.params, Records(*map(run.read, TOLD))
    around = circles(records.title_audiences, run.end, params.popularity.half_life_days)
    return (
        Shown.by(records, params.limits),
        Started.by(around, params.popularity, records, params.least_households),
    )


def _rivals(
    run: Run[TrainRecommenderParams],
    own: Setting[HybridRecipe],
    holdouts: Sequence[Holdout],
) -> dict[str, Setting[Any]]:
    """The rivals on equal terms: each as the newest search chose it, or else on what the challenger learns from."""
    recipe = own.recipe
    blend = BlendRecipe(als=recipe.als, mixture=recipe.mixture)
    found = [Setting(each, own.weights) for each in (EaseRecipe(), blend, ItemItemRecipe())]
    if run.params.searched:
        found = [chosen(run.read(RECIPES), start, holdouts)[0] for start in found]
    return {setting.recipe.kind: setting for setting in found}


def _drift(run: Run[TrainRecommenderParams]) -> dict[str, float]:
    """How far the newest week of what is learned from is from the weeks before, as `recommender_health` measures it.

    How much lists change from day to day is told there alone: a training makes none.
    """
    newest = run.start - timedelta(days=1)
    values = moved(run.read(TITLE_SIGNALS), run.params.weights, Watch().weeks, newest)
    return {one.measure: one.value for one in values if one.value is not None}


def _health(run: Run[TrainRecommenderParams], comparison: Comparison) -> list[dict[str, Any]]:
    """How the training fared beside those before it that passed; nothing where nothing could be held out."""
    own = comparison.measured("ndcg").get(gate.CHALLENGER)
    if own is None:
        return []
    tracking, metric = run.tracker.tracking, f"{gate.CHALLENGER}.{named('ndcg', comparison.k)}"
    through = run.end - timedelta(days=1)
    # A bad training, refused or taken back, is not what is usual.
    older = [
        v for v in tracking.versions(RECOMMENDER) if v.approved and v.trained_through < through
    ]
    told = [tracking.report(version).metrics.get(metric) for version in older[:TRAININGS]]
    before = [ndcg for ndcg in told if ndcg is not None]
    if before:
        run.tracker.log_metrics({f"{metric}.before": fmean(before)})
    return [trained(own, before, run.params.fall, f"nDCG@{comparison.k}", run.start)]


if __name__ == "__main__":
    train_recommender.main()
