"""Search for the setting of ALS that does best, and for those of its rivals, on days before those of their gate.

A row a kind for the day, which `train_recommender` takes up from then on. Runs when it is named:
`cinelake run --only search_recipe`. Trials are runs of MLflow below that of the job; a search that was killed, or is
given more trials, goes on from those that its inputs and its space have in common with it. A limit in minutes holds
for each run of it, and makes what is chosen depend on how quick the machine is.
"""

from pydantic import Field

from cinelake.persisted import persisted
from cinelake.recommend import pictures
from cinelake.recommend.blending import blended, penalised, shrunk, with_tastes
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.protocols import Split
from cinelake.recommend.search import Budget, Setting, Space, records, search
from cinelake.recommend.strengths import LEARNED, Weights
from cinelake.recommend.training import indexed
from cinelake.recommend.validation import (
    NothingToSearchOn,
    as_recipes,
    blocks_before_the_gate,
    chosen_row,
    validation,
)
from cinelake.recommend.viewers import viewers
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, hash_of_content, job
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, PROFILES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import PROFILE_INDEX, RECIPES, TITLE_INDEX

SEARCH = "search"


class SearchRecipeParams(JobParams):
    trials: int = Field(40, ge=1, description="settings to try, those of earlier runs among them")
    minutes: float = Field(120, gt=0, description="after which no trial begins")
    top: int = Field(10, ge=1, le=100, description="length of the lists that are judged")
    share: float = Field(0.1, gt=0, lt=1, description="share of the older signals in a block")
    blocks: int = Field(3, ge=1, le=9, description="how many blocks, one before the other")
    gate_share: float = Field(0.1, gt=0, lt=1, description="as holdout_share of train_recommender")
    gate_holdouts: int = Field(3, ge=1, le=9, description="as holdouts of train_recommender")
    recipe: HybridRecipe = Field(HybridRecipe(), description="as of train_recommender; tried first")
    weights: Weights = Field(
        Weights(), description="as of train_recommender; they say what is wanted"
    )
    learned: Weights = Field(LEARNED, description="as of train_recommender; tried first")
    space: Space = Space()
    seed: int = Field(42, description="of what is drawn")


@job(
    reads=[
        Reading(table, lookback=ALL, lookahead=-1)
        for table in (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX, PROFILES, ACCOUNTS, DEVICES)
    ],
    writes=[RECIPES],
    params=SearchRecipeParams,
    cadence=Cadence.ON_DEMAND,
    catchup=False,
    version=5,
)
def search_recipe(run: Run[SearchRecipeParams]) -> None:
    params, tracker = run.params, run.tracker
    same = params.model_dump(mode="json", exclude={"trials", "minutes"})
    key = hash_of_content([run.inputs_digest, run.job.version, same])
    tracker.set_tags({f"{SEARCH}.key": key})
    people = viewers(*map(run.read, (PROFILES, ACCOUNTS, DEVICES)))
    told = indexed(*map(run.read, (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX)), people)
    with persisted(told) as signals:
        blocks = blocks_before_the_gate(
            signals, params.gate_share, params.gate_holdouts, params.share, params.blocks
        )
        splits = [Split.at(signals, block) for block in blocks]
        try:
            with validation(splits, params.weights, params.top) as judged_on:
                found = search(
                    Setting(params.recipe.als, params.learned),
                    params.space,
                    judged_on.judge,
                    Budget(params.trials, lambda: run.seconds > params.minutes * 60),
                    objective=judged_on.objective,
                    seed=params.seed,
                    earlier=records(tracker.finished(SEARCH, key)),
                    record=lambda name: tracker.child(name, {SEARCH: key}),
                    tell=run.tell,
                )
                hybrid, share = with_tastes(params.recipe, found, judged_on)
                start = BlendRecipe(mixture=params.recipe.mixture)
                ease, penalty = penalised(start.ease, found.setting, judged_on)
                blend, weights = blended(start, ease.recipe, found.setting, judged_on)
                near, shrinkage = shrunk(ItemItemRecipe(), found.setting, judged_on)
        except NothingToSearchOn as nothing:
            tracker.set_tags({"skipped": nothing})
            run.write(RECIPES, as_recipes(signals, []))
            return
    chosen = {
        "": (found.setting, found.outcome), "hybrid.": (hybrid, share), "ease.": (ease, penalty),
        "blend.": (blend, weights), "item_item.": (near, shrinkage),
    }  # fmt: skip
    rows = [
        chosen_row(setting, fared, run.start, blocks[0].end, key)
        for setting, fared in chosen.values()
    ]
    tracker.log_params({"share_of_tastes": hybrid.recipe.share})
    tracker.log_params(found.best.values | {"blend.ease.penalty": blend.recipe.ease.penalty})
    tracker.log_params({f"blend.{name}": value for name, value in blend.recipe.weights.items()})
    tracker.log_params({"ease.penalty": ease.recipe.penalty})
    tracker.log_params({"item_item.shrinkage": near.recipe.shrinkage})
    for prefix, row in zip(chosen, rows, strict=True):
        told = ("mean", "configured_mean", "trials", "pruned")
        tracker.log_metrics({f"{prefix}{name}": row[name] for name in told})
    tracker.log_figure(pictures.search(found), "search.png")
    run.write(RECIPES, as_recipes(signals, rows))


if __name__ == "__main__":
    search_recipe.main()
