"""Search for the setting of ALS that does best, and for those of its rivals, on days before those of their gate.

A row a kind for the day, which `train_recommender` takes up from then on. Runs when it is named:
`cinelake run --only search_recipe`. Trials are runs of MLflow below that of the job; a search that was killed, or is
given more trials, goes on from those that its inputs and its space have in common with it. So do the lines on which
other kinds are tuned after ALS, each of which is a run, too. A limit in minutes holds for each run of it, and makes
what is chosen depend on how quick the machine is; a kind that it leaves out gets no row.
"""

from pydantic import Field

from cinelake.persisted import persisted
from cinelake.recommend import pictures
from cinelake.recommend.beside_als import BESIDE, SHARE_OF_ALS, beside, chosen_values, measured
from cinelake.recommend.eligibility import Limits
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.popular_here import Popularity
from cinelake.recommend.protocols import Split
from cinelake.recommend.search import Budget, Setting, Space, records, search
from cinelake.recommend.service import TOLD, Records
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
    minutes: float = Field(
        120,
        gt=0,
        description="after half of which no trial begins, and after all of which no other kind is tuned",
    )
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
    limits: Limits = Limits()
    seed: int = Field(42, description="of what is drawn")


@job(
    reads=[
        Reading(table, lookback=ALL, lookahead=-1)
        for table in (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX, *TOLD)
    ],
    writes=[RECIPES],
    params=SearchRecipeParams,
    cadence=Cadence.ON_DEMAND,
    catchup=False,
    version=6,
)
def search_recipe(run: Run[SearchRecipeParams]) -> None:
    params, tracker = run.params, run.tracker
    same = params.model_dump(mode="json", exclude={"trials", "minutes"})
    key = hash_of_content([run.inputs_digest, run.job.version, same])
    tracker.set_tags({f"{SEARCH}.key": key})
    people = viewers(*map(run.read, (PROFILES, ACCOUNTS, DEVICES)))
    told = indexed(*map(run.read, (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX)), people)
    # How popularity fades is no matter here: of the service only what it may show to whom is looked at.
    service_at = Records(*map(run.read, TOLD)).at_cuts(params.limits, Popularity())

    def has_spent(share: float) -> bool:
        return run.seconds > share * params.minutes * 60

    with persisted(told) as signals:
        blocks = blocks_before_the_gate(
            signals, params.gate_share, params.gate_holdouts, params.share, params.blocks
        )
        splits = [Split.at(signals, block) for block in blocks]
        try:
            with validation(splits, params.weights, params.top, service_at) as judged_on:
                earlier, all_told = tracker.finished(SEARCH, key), params.trials + len(BESIDE)
                found = search(
                    Setting(params.recipe.als, params.learned),
                    params.space,
                    judged_on.judge,
                    Budget(params.trials, lambda: has_spent(SHARE_OF_ALS)),
                    objective=judged_on.objective,
                    seed=params.seed,
                    earlier=records(earlier),
                    record=lambda name: tracker.child(name, {SEARCH: key}),
                    tell=lambda done, _, said: run.tell(done, all_told, f"als, {said}"),
                )
                tuned = beside(
                    params.recipe,
                    found,
                    judged_on,
                    is_over=lambda: has_spent(1),
                    earlier=measured(earlier),
                    record=lambda kind: tracker.child(kind, {SEARCH: key}),
                    tell=lambda done, said: run.tell(params.trials + done, all_told, said),
                )
        except NothingToSearchOn as nothing:
            tracker.set_tags({"skipped": nothing})
            run.write(RECIPES, as_recipes(signals, []))
            return
    if tuned.left_out:
        left_out = ", ".join(tuned.left_out)
        tracker.set_tags({"left_out": left_out})
        run.warn(
            f"time was up before these were tuned: {left_out}; they stay as they were. Give search_recipe more "
            "`minutes`: it goes on where it was"
        )
    chosen = {"": (found.setting, found.outcome)}
    chosen |= {f"{kind}.": (each.setting, each.outcome) for kind, each in tuned.found.items()}
    rows = [
        chosen_row(setting, fared, run.start, blocks[0].end, key)
        for setting, fared in chosen.values()
    ]
    tracker.log_params(found.best.values)
    for each in tuned.found.values():
        tracker.log_params(chosen_values(each.setting.recipe))
    for prefix, row in zip(chosen, rows, strict=True):
        told = ("mean", "configured_mean", "trials", "pruned")
        tracker.log_metrics({f"{prefix}{name}": row[name] for name in told})
    tracker.log_figure(pictures.search(found), "search.png")
    run.write(RECIPES, as_recipes(signals, rows))


if __name__ == "__main__":
    search_recipe.main()
