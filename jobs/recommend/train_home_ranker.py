"""Learn what makes titles be chosen on home pages, from tiles shown before the day.

What is known of titles and profiles is as it was before the week of a tile. Judged on the last of them,
corrected for places, beside taste alone and fame alone; then fitted on all, registered with the model behind taste as
it is now and, if it is no worse than either, approved. Where circumstances make it worse than it is without them,
beyond noise, what is judged, fitted and registered is the ranker without: to refuse it would leave pages to an older
ranker, whose circumstances may be no better, and to the older taste that came with it.
"""

from datetime import date, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.labels import OneSided
from cinelake.persisted import persisted
from cinelake.recommend.cold_titles import ContentRecipe
from cinelake.recommend.content import SAID as CONTENT
from cinelake.recommend.eligibility import Limits
from cinelake.recommend.evaluation import intervals, with_lead
from cinelake.recommend.home import pictures, ranker
from cinelake.recommend.home.approved import PLAIN
from cinelake.recommend.home.attention import Attention, estimated
from cinelake.recommend.home.judging import decided, found_of, held_out_from, kept_part
from cinelake.recommend.home.known_titles import trends_of
from cinelake.recommend.home.planning import SAID, audience, basis, folded
from cinelake.recommend.home.ranker import CIRCUMSTANCES, MODELS, RankerRecipe
from cinelake.recommend.home.registration import registrable
from cinelake.recommend.home.tiles import in_vain
from cinelake.recommend.home.worth import NUMBERS
from cinelake.recommend.keeping import kept, known_by
from cinelake.recommend.lists import Known as Approved
from cinelake.recommend.model import NothingLiked
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.popular_here import Popularity
from cinelake.recommend.search import Setting
from cinelake.recommend.service import TOLD, Records
from cinelake.recommend.strengths import LEARNED, Weights, strengths
from cinelake.recommend.training import indexed, interactions
from cinelake.recommend.viewers import viewers
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking.versions import ModelVersion, proposed
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import HOME_RANKER, SHOWN_TILES, TITLE_EXPOSURES
from cinelake.tables.recommend import PROFILE_INDEX, RECOMMENDER, TITLE_INDEX


class TrainHomeRankerParams(JobParams):
    recipe: RankerRecipe = RankerRecipe()
    taste: HybridRecipe = HybridRecipe()
    weights: Weights = LEARNED
    limits: Limits = Limits()
    popularity: Popularity = Popularity()
    content: ContentRecipe = ContentRecipe()


READ = (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX, *TOLD, SHOWN_TILES, TITLE_EXPOSURES)


@job(
    reads=[*(Reading(table, lookback=ALL, lookahead=-1) for table in READ), RECOMMENDER],
    writes=[HOME_RANKER],
    params=TrainHomeRankerParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
    version=8,
)
def train_home_ranker(run: Run[TrainHomeRankerParams]) -> None:
    run.tracker.settled(HOME_RANKER, run.inputs_fingerprint, lambda: _trained(run), OneSided)


def _trained(run: Run[TrainHomeRankerParams]) -> ModelVersion:
    recipe, tracker, through = run.params.recipe, run.tracker, run.end - timedelta(days=1)
    first = through - timedelta(days=recipe.days)
    year = run.read(SHOWN_TILES)
    tiles = year.where(F.col("shown_date") >= F.lit(first))
    begun = tiles.agg(F.min("shown_date")).first()
    if begun is None or begun[0] is None:
        raise OneSided("no tiles have been shown")
    # A young service has to be known a little before its tiles can teach anything.
    first = max(first, begun[0] + (through - begun[0]) // 2)
    tiles = tiles.where(F.col("shown_date") >= F.lit(first))
    cut = held_out_from(first, through)
    is_before = F.col("shown_date") < F.lit(cut)
    blocks = ranker.blocks(first, through, recipe.block_days)
    told = [_examples(run, tiles, block) for block in blocks]
    with persisted(reduce(DataFrame.unionByName, told)) as examples:
        # How places are looked at is part of what is judged, so the days that judge tell nothing of it.
        seen_before = ranker.looked_at_in_view(tiles.where(is_before))
        judging = ranker.weighed(examples, seen_before)
        before, after = judging.where(is_before), judging.where(~is_before)
        with persisted(_seasons(run, year, cut, seen_before)) as known:
            whole, plain = ranker.learned(before, recipe, known), ranker.learned(before, recipe)
        with persisted(ranker.judged(after, whole, plain)) as judged:
            led = with_lead(ranker.by_profile(judged), MODELS[0], "ndcg")
            with persisted(intervals(led, ["ndcg", "lead"])) as told_of:
                found, leads = (found_of(told_of, name) for name in ("ndcg", "lead"))
            tracker.log_metrics({f"{model}.ndcg": one.mean for model, one in found.items()})
            for by in CIRCUMSTANCES:
                rows = (
                    ranker.by_profile(judged, [by])
                    .groupBy("model", by)
                    .agg(F.avg("ndcg").alias("ndcg"))
                )
                tracker.log_metrics(
                    {
                        f"{r['model']}.ndcg.{by}.{r[by]}": r["ndcg"]
                        for r in rows.toArrow().to_pylist()
                    }
                )
        measure = "nDCG of page views, corrected for places,"
        then = kept_part("circumstances", leads.get(MODELS[1]), measure)
        decision = decided(found, MODELS[0 if then.passed else 1], MODELS[2:], measure)
        # A page is looked at with all its tiles, and what is learned from came into view.
        attention, in_view = estimated(tiles), ranker.looked_at_in_view(tiles)
        told = ranker.weighed(examples, in_view)
        # What pages are judged beside is a fit of its own: to drop weights of another would leave its level wrong.
        whole = plain = ranker.learned(told, recipe)
        if then.passed:
            with persisted(_seasons(run, year, through, in_view)) as known:
                whole = ranker.learned(told, recipe, known)
        tracker.log_params(recipe.model_dump())
        tracker.log_metrics({f"weight.{name}": whole.weights[name] for name in NUMBERS})
        tracker.set_tags(
            {
                "attention.from": attention.origin,
                "attention.in_view": in_view.to_json(),
                "circumstances": then.reason,
            }
        )
        tracker.log_figure(pictures.circumstances(whole), "circumstances.png")
        tracker.flush()
        given = registrable(whole, NUMBERS, examples.sparkSession, ("genre Horror @ month 10",))
        tags = {
            "attention": attention.to_json(),
            "ranker": recipe.model_dump_json(),
            PLAIN: plain.to_json(),
        }
        setting = _setting(run)
        titles = latest(run.read(TITLES), ["title_id"], *CONTENT)
        try:
            frames, behind = _fitted(run, setting, through, titles)
        except NothingLiked:
            frames, behind = {}, {}
        return tracker.register(
            HOME_RANKER,
            trained_through=through,
            fingerprint=run.inputs_fingerprint,
            tags=proposed(passed=decision.passed, reason=f"{decision.reason}; {then.reason}")
            | tags
            | behind,
            **given | {"frames": given["frames"] | frames},
        )


def _seasons(
    run: Run[TrainHomeRankerParams], tiles: DataFrame, until: date, attention: Attention
) -> DataFrame:
    """What tells of seasons before a day, by what the catalogue and accounts say then."""
    first = until - timedelta(days=run.params.recipe.season_days)
    records = Records(*map(run.read, TOLD)).before(until)
    people = viewers(records.profiles, records.accounts, records.devices)
    catalogue = latest(records.titles, ["title_id"], *SAID)
    return ranker.seasons(
        tiles.where(F.col("shown_date").between(F.lit(first), F.lit(until - timedelta(days=1)))),
        people, catalogue, attention,
    )  # fmt: skip


def _setting(run: Run[TrainHomeRankerParams]) -> Setting[HybridRecipe]:
    """That of the approved model of lists, or as configured."""
    version = run.approved_or_none(RECOMMENDER)
    setting = Setting(run.params.taste, run.params.weights)
    return setting.of_tags(version.tags) if version else setting


def _examples(
    run: Run[TrainHomeRankerParams], tiles: DataFrame, block: tuple[date, date]
) -> DataFrame:
    """The tiles of a block of days, with what was known before the first of them."""
    first, end = block
    tiles = tiles.where(F.col("shown_date").between(F.lit(first), F.lit(end - timedelta(days=1))))
    params, setting = run.params, _setting(run)
    signals, records = run.read(TITLE_SIGNALS), Records(*map(run.read, TOLD)).before(first)
    service = records.describe(first, params.limits, params.popularity)
    known = strengths(signals, setting.weights, first).localCheckpoint()
    approved = _taste(run, setting, first, service.said)
    exposures = run.read(TITLE_EXPOSURES)
    people = audience(known, service, approved, in_vain(exposures.limit(0)))
    profiles, model = folded(people, approved)
    catalogue = latest(records.titles, ["title_id"], *SAID)
    given = basis(
        known, service, people, model, catalogue, trends_of(records.title_audiences, first)
    )
    shown = ranker.in_view(tiles)
    shown = ranker.with_strangers(shown, given, params.recipe.strangers)
    return ranker.examples(shown, exposures, profiles, given, catalogue, params.recipe)


def _taste(
    run: Run[TrainHomeRankerParams], setting: Setting[HybridRecipe], first: date, said: DataFrame
) -> Approved | None:
    """The model behind taste before a day; None where nobody had liked anything."""
    try:
        frames, tags = _fitted(run, setting, first, said)
    except NothingLiked:
        return None
    return known_by(tags, frames.__getitem__, said, first)


def _fitted(
    run: Run[TrainHomeRankerParams], setting: Setting[HybridRecipe], until: date, said: DataFrame
) -> tuple[dict[str, DataFrame], dict[str, str]]:
    """A fit to what was told before a day, as frames and tags that `known_by` reads. Raises NothingLiked."""
    signals = run.read(TITLE_SIGNALS).where(F.col("signal_date") < F.lit(until))
    records = Records(*map(run.read, TOLD)).before(until)
    people = viewers(records.profiles, records.accounts, records.devices)
    told = indexed(signals, run.read(PROFILE_INDEX), run.read(TITLE_INDEX), people)
    titles, through = said.select("title_id", *CONTENT), until - timedelta(days=1)
    with persisted(interactions(told, setting.weights, until)) as rows:
        found = kept(setting.recipe.fit(rows), rows, run.params.content, titles, through)
        # The rows that the fit was made from are let go of.
        frames = {name: frame.localCheckpoint() for name, frame in found.frames.items()}
    return frames, setting.tags | found.tags


if __name__ == "__main__":
    train_home_ranker.main()
