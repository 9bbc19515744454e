"""How near clusters come to the archetypes that the simulator hides, what they are good for, and what they cost.

The simulator gives each viewer a mixture of archetypes and a part of its own; the archetype of greatest weight of who
watches most is what a profile *is*. Clusters are trained as the job does, on plays alone. By adjusted mutual
information with these (AMI; Vinh, Epps and Bailey 2010), over adults, for kids share three archetypes:

- at least .75 of what k-means on the *true* taste vectors reaches, the ceiling,
- at least 1.3 times the AMI of k-means on genre shares of watching alone.

Both have the true number of clusters told to them; the job has to find it. Six weeks of plays do not tell all of a
taste: k-means on what would be expected of profiles by who knew all of titles and of how choices are made, but tastes
(means of the posterior under the simulator's own model, tastes being drawn as it draws them), comes to .80 of the
ceiling over eight seeds of 600 accounts, from .74 to .87. There are services, then, on which the first goal is out of
reach; expected tastes and shares as the job takes them, rebuilt in numpy, came to .75 (.67 to .81) with eight clusters,
or .90 to .96 of that bound, and to 1.6 times genre shares (1.3 to 1.9). The seed that is measured here is among these.

A model that is trained again a day later, without a single new play, puts at least .9 of pairs alike (adjusted Rand
index), adults and kids apart. What is watched in their clusters
foretells the next week of profiles with a short history better than what is popular. Scoring costs at most 1.5 times
one pass of MLlib's own `transform`, and grows with the number of profiles.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from benchmarks.conftest import in_turn
from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import PCA, ElementwiseProduct
from pyspark.ml.functions import array_to_vector
from pyspark.ml.linalg import Vectors as Linalg
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window
from sklearn.cluster import KMeans as LocalKMeans
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from unit.tables.rows import rows

from cinelake.audience import cells as told_cells
from cinelake.audience import clustering, portraits
from cinelake.audience.assigning import members_of
from cinelake.audience.cells import ASPECTS, Told
from cinelake.audience.choice import Candidate, ClusterRecipe
from cinelake.audience.clustering import Population, Vectors, axes_of
from cinelake.audience.factors import RECIPE, Behind, fitted
from cinelake.audience.features import FeatureRecipe, Vocabulary, mapped, told_of
from cinelake.audience.identity import Fate
from cinelake.audience.mixture import round_ones
from cinelake.audience.reduction import Reduction
from cinelake.audience.training import Day, Kept, choose, fit
from cinelake.persisted import persisted
from cinelake.recommend import evaluation
from cinelake.recommend.also_watched import also_watched
from cinelake.recommend.fold_in import FoldedIn
from cinelake.recommend.lists import histories
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.strengths import LEARNED
from cinelake.recommend.training import indexed, interactions
from cinelake.simulate.calendar import midnight, to_local
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, DEVICE_KINDS, Offender
from cinelake.simulate.viewers.service_side import batch_of, generate
from cinelake.simulate.viewers.tastes import ARCHETYPES, mixtures, taste_vectors
from cinelake.simulate.world.catalogue import Catalogue, catalogue
from cinelake.simulate.world.devices import kinds
from cinelake.simulate.world.markets import geography
from cinelake.simulate.world.wording import GENRES, MOODS, THEMES
from cinelake.tables.behaviour import ACCOUNTS, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import PROFILE_DAYS, TITLE_SIGNALS, WATCH_HOURS

ACCOUNTS_SIMULATED = int(os.environ.get("CINELAKE_BENCH_ACCOUNTS", "600"))
WEEKS = int(os.environ.get("CINELAKE_BENCH_WEEKS", "6"))
SCORED = int(os.environ.get("CINELAKE_BENCH_PROFILES", "200000"))
FIRST = date(2026, 1, 5)
END = FIRST + timedelta(weeks=WEEKS)
LAST_WEEK = END - timedelta(days=7)
FEATURES, CLUSTERS = FeatureRecipe(), ClusterRecipe()
K, LIGHT = 10, 5


@dataclass(frozen=True)
class World:
    """Plays of honest viewers, and all that the simulator knows of those who watch most on each profile."""

    plays: pd.DataFrame
    titles: Catalogue
    profiles: np.ndarray
    archetype: np.ndarray
    taste: np.ndarray
    told: Told
    settings: Settings


@pytest.fixture(scope="module")
def world(spark: SparkSession) -> World:
    settings = Settings()
    made, _, _ = generate(settings, np.arange(ACCOUNTS_SIMULATED), midnight(FIRST), midnight(END))
    told = made.rows.take(made.rows.offender == Offender.HONEST)
    names = (
        "account",
        "profile",
        "viewer",
        "device",
        "title",
        "pressed_at",
        "runtime",
        "leave_position",
        "binge_position",
    )
    plays = pd.DataFrame({name: np.asarray(getattr(told, name)) for name in names})
    plays["finished"] = told.leave_position >= told.credits_start
    homes = batch_of(settings, np.arange(ACCOUNTS_SIMULATED)).homes
    zones = geography(settings.world.markets).zones
    plays["local"] = to_local(zones, homes.zone[plays["account"]], plays["pressed_at"].to_numpy())
    plays["device_kind"] = np.array(DEVICE_KINDS)[kinds(settings, plays["device"].to_numpy())]
    most = plays.groupby(["profile", "viewer"]).size().reset_index(name="n")
    main = most.sort_values("n").drop_duplicates("profile", keep="last").sort_values("profile")
    viewer = main["viewer"].to_numpy()
    age = homes.age[main["profile"].to_numpy() // 8, np.minimum(viewer % 16, 5)]
    at = np.full(len(viewer), midnight(END))
    countries = np.array(geography(settings.world.markets).countries)
    market = countries[homes.market[main["profile"].to_numpy() // 8]]
    titles, archetype = catalogue(settings), mixtures(settings, viewer, age).argmax(axis=1)
    return World(
        plays, titles, main["profile"].to_numpy(), archetype, taste_vectors(settings, viewer, age, at),
        told_by(spark, plays, titles, main, archetype, market), settings,
    )  # fmt: skip


def table(spark: SparkSession, of: Table, frame: pd.DataFrame) -> DataFrame:
    """Rows of a table from columns of its names; the others hold what `rows` would give them."""
    blank = rows(spark, of, {})
    (filler,) = blank.take(1)
    made = spark.createDataFrame(frame)
    columns = [
        (F.col(field.name) if field.name in frame.columns else F.lit(filler[field.name]))
        .cast(field.dataType)
        .alias(field.name)
        for field in blank.schema
    ]
    return made.select(*columns).localCheckpoint()


def told_by(
    spark: SparkSession, plays: pd.DataFrame, titles: Catalogue, main: pd.DataFrame, archetype: np.ndarray,
    market: np.ndarray,
) -> Told:  # fmt: skip
    """What the feature tables would tell of the plays."""
    days = plays.assign(
        profile_id="p" + plays["profile"].astype(str),
        title_id="t" + plays["title"].astype(str),
        day=pd.to_datetime(plays["pressed_at"], unit="us").dt.date,
        completion=(plays["leave_position"] / plays["runtime"]).clip(0, 1),
        seconds=plays["leave_position"],
        binged=plays["binge_position"] > 0,
        local_hour=(plays["local"] // 3_600_000_000 % 24).astype(int),
        local_weekday=((plays["local"] // DAY + 3) % 7 + 1).astype(int),
    )
    by_title = days.groupby(["profile_id", "title_id", "day"], as_index=False)
    signals = by_title.agg(
        plays=("finished", "size"), finished=("finished", "sum"), completion=("completion", "max"),
        seconds_watched=("seconds", "sum"),
    )  # fmt: skip
    hours = days.groupby(
        ["profile_id", "day", "device_kind", "local_weekday", "local_hour"], as_index=False
    ).agg(starts=("finished", "size"))
    habits = days.groupby(["profile_id", "day"], as_index=False).agg(
        starts=("finished", "size"), finished=("finished", "sum"), binged=("binged", "sum")
    )
    numbers = np.arange(len(titles))
    change = {
        "effective_from": pd.Timestamp(FIRST) - pd.Timedelta(days=1),
        "effective_date": FIRST - timedelta(days=1),
    }
    catalogued = pd.DataFrame(
        {
            "title_id": [f"t{n}" for n in numbers], "name": titles.name,
            "genres": [
                list(dict.fromkeys((GENRES[a], GENRES[b])))
                for a, b in zip(titles.genre, titles.second_genre, strict=True)
            ],
            "moods": [[MOODS[m] for m in own] for own in titles.moods],
            "themes": [[THEMES[t] for t in own] for own in titles.themes],
            "language": [f"l{n}" for n in titles.language],
            "kind": np.where(titles.is_series, "series", "film"),
        } | change
    )  # fmt: skip
    people = pd.DataFrame(
        {
            "profile_id": "p" + main["profile"].astype(str), "account_id": "a" + (main["profile"] // 8).astype(str),
            "kind": np.where(archetype >= ARCHETYPES, "kid", "adult"), "status": "active",
        } | change
    )  # fmt: skip
    accounts = pd.DataFrame({"account_id": people["account_id"], "market": market} | change)
    accounts = accounts.drop_duplicates("account_id")
    return Told(
        table(spark, TITLE_SIGNALS, signals.rename(columns={"day": "signal_date"})),
        table(spark, WATCH_HOURS, hours.rename(columns={"day": "play_date"})),
        table(spark, PROFILE_DAYS, habits.rename(columns={"day": "profile_date"})),
        table(spark, TITLES, catalogued), table(spark, PROFILES, people), table(spark, ACCOUNTS, accounts),
    )  # fmt: skip


def model_of(world: World, until: date) -> Behind:
    """The recommender's tastes on the days before."""
    signals = world.told.title_signals
    maps = []
    for name in ("profile_id", "title_id"):
        idx = F.row_number().over(Window.orderBy(name)) - 1
        maps.append(signals.select(name).distinct().select(name, idx.alias("idx")))
    people = told_cells.people(world.told)
    with persisted(interactions(indexed(signals, *maps, people), LEARNED, until)) as known:
        return fitted(HybridRecipe(mixture=RECIPE), LEARNED, known, fits=3)


@dataclass(frozen=True)
class Clustered:
    """What training makes of the days before a day."""

    populations: dict[str, Population]
    members: DataFrame
    cells: DataFrame
    taken: dict[str, Candidate]
    kept: Kept


def clustered(
    world: World, until: date, clusters: ClusterRecipe = CLUSTERS, champion: Clustered | None = None
) -> Clustered:
    """A champion has seen the days that judge, so that it is not compared."""
    cut = until - timedelta(days=clusters.days_held_out)
    earlier, model = model_of(world, cut), model_of(world, until)
    before = Day.at(world.told, cut, FEATURES, earlier)
    lately = world.told.title_signals.where(
        (F.col("signal_date") >= F.lit(cut)) & (F.col("signal_date") < F.lit(until))
    )
    after = told_cells.of_titles(lately, world.told.titles, until)
    known = champion.taken if champion else {}
    choices = choose(before, after, FEATURES, clusters, known, earlier.rank)
    for name, choice in choices.items():
        for one in choice.measured:
            mark = "*" if one is choice.taken else " "
            print(
                f"  {mark} {name}: {one.candidate!s:16} silhouette {one.silhouette:.3f} stability {one.stability:.3f} "
                f"gain {one.gain}"
            )
    day = Day.at(world.told, until, FEATURES, model)
    cells = day.cells.localCheckpoint()
    day = Day(cells, day.people, day.factors)
    held = None
    if champion:
        theirs = champion.kept.day(world.told, until)
        held = champion.kept.placed(theirs).localCheckpoint()
    populations = fit(day, choices, FEATURES, clusters, model.rank, held)
    placed = clustering.scored(told_of(cells, day.people, day.factors), populations)
    fates = {
        name: [Fate(f"{name} {n}", n, "born") for n in range(len(own.mixture))]
        for name, own in populations.items()
    }
    taken = {name: choice.taken.candidate for name, choice in choices.items()}
    members = members_of(placed, fates, 0.02).localCheckpoint()
    return Clustered(populations, members, cells, taken, Kept(populations, FEATURES, model))


@pytest.fixture(scope="module")
def found(world: World) -> Clustered:
    return clustered(world, END)


def labels(members: DataFrame, world: World) -> np.ndarray:
    told = {
        row.profile_id: row.cluster_id
        for row in members.select("profile_id", "cluster_id").collect()
    }
    return np.array([told.get(f"p{profile}", "") for profile in world.profiles])


@pytest.mark.timeout(3600)
def test_clusters_are_nearly_as_good_as_true_tastes_allow(
    spark: SparkSession, world: World, found: Clustered
) -> None:
    adult = world.archetype < ARCHETYPES
    own = labels(found.members, world)

    def ami(told: np.ndarray) -> float:
        return float(adjusted_mutual_info_score(world.archetype[adult], told[adult]))

    def local(points: np.ndarray) -> float:
        scores = []
        for seed in range(3):
            told = np.zeros(len(adult), int)
            told[adult] = LocalKMeans(ARCHETYPES, n_init=10, random_state=seed).fit_predict(
                points[adult]
            )
            scores.append(ami(told))
        return float(np.mean(scores))

    ceiling = local(world.taste)
    titles_of = {
        "title": np.arange(len(world.titles)), "a": world.titles.genre, "b": world.titles.second_genre,
    }  # fmt: skip
    watched = world.plays.merge(pd.DataFrame(titles_of), on="title")
    by_watching = np.zeros((len(world.profiles), len(GENRES)))
    by_titles = np.zeros_like(by_watching)
    place = np.searchsorted(world.profiles, watched["profile"])
    once = ~watched.duplicated(["profile", "title"]).to_numpy()
    for genre in ("a", "b"):
        which = watched[genre].to_numpy()
        np.add.at(by_watching, (place, which), watched["leave_position"].to_numpy())
        np.add.at(by_titles, (place[once], which[once]), 1.0)
    shares = local(by_watching / by_watching.sum(axis=1, keepdims=True))
    titles = local(by_titles / by_titles.sum(axis=1, keepdims=True))
    mine = ami(own)
    print(
        f"\n{len(world.profiles):,} profiles, {WEEKS} weeks; AMI {mine:.3f}: {mine / ceiling:.2f} of the ceiling "
        f"{ceiling:.3f}, {mine / shares:.2f} times genre shares of watching {shares:.3f}, {mine / titles:.2f} times "
        f"those of titles {titles:.3f}"
    )
    assert mine >= 0.75 * ceiling
    assert mine >= 1.3 * shares


@pytest.mark.timeout(3600)
def test_a_model_of_the_day_after_puts_profiles_alike(world: World, found: Clustered) -> None:
    """Nobody plays on the day between: another fade, another start of the fit, the same tastes."""
    again = clustered(
        world, END + timedelta(days=1), CLUSTERS.model_copy(update={"seed": 8}), found
    )
    adult = world.archetype < ARCHETYPES
    one, other = labels(found.members, world), labels(again.members, world)
    index = {
        name: adjusted_rand_score(one[who], other[who])
        for name, who in (("adults", adult), ("kids", ~adult))
    }
    print(f"\nday-to-day adjusted Rand index, of two models: {index}")
    assert min(index.values()) >= 0.9


@pytest.mark.timeout(3600)
def test_clusters_tell_light_profiles_more_than_what_is_popular(
    spark: SparkSession, world: World
) -> None:
    made = clustered(world, LAST_WEEK)
    signals = world.told.title_signals
    seen = told_cells.watched(signals, LAST_WEEK, None).localCheckpoint()
    counted = seen.groupBy("profile_id").count()
    light = counted.where(F.col("count") <= LIGHT).select("profile_id").localCheckpoint()
    later = told_cells.watched(signals.where(F.col("signal_date") >= F.lit(LAST_WEEK)), END, None)
    wanted = (
        later.select("profile_id", "title_id")
        .join(seen, on=["profile_id", "title_id"], how="left_anti")
        .join(light, on="profile_id", how="left_semi")
        .localCheckpoint()
    )
    titles = portraits.popular(seen, made.members, 1000)
    asking = made.members.join(light, on="profile_id", how="left_semi")
    lists = {"people like you": also_watched(asking, titles, K, seen)}
    told = seen.join(light, on="profile_id", how="left_semi")
    everyone = made.members.select(
        "profile_id", F.lit("all").alias("cluster_id"), F.lit(1.0).alias("share"), "population",
        F.array(F.struct(F.lit("all").alias("cluster_id"), F.lit(1.0).alias("share"))).alias("shares"),
    )  # fmt: skip
    of_all = portraits.popular(seen, everyone.withColumn("population", F.lit("all")), 1000)
    lists["popular"] = also_watched(
        everyone.join(light, on="profile_id", how="left_semi"), of_all, K, seen
    )
    model = model_of(world, LAST_WEEK)
    numbers = model.titles.select(
        "title_id", (F.row_number().over(Window.orderBy("title_id")) - 1).alias("title_idx")
    )
    history = histories(
        told.select(
            "profile_id", "title_id", F.lit(1.0).alias("strength"), F.lit(True).alias("is_seen")
        ),
        numbers,
    )
    folded = FoldedIn(
        model.titles.join(numbers, on="title_id", how="inner"),
        model.fold,
    )
    lists["tastes"] = folded.lists(history, K)
    print()
    means = {}
    for name, own in lists.items():
        (row,) = evaluation.ndcg(own, wanted, K).collect()
        means[name] = float(row.total) / row.profiles
        print(
            f"  {name:16} nDCG@{K} {means[name]:.4f}, {row.profiles} profiles with {LIGHT} titles or fewer"
        )
    assert means["people like you"] > means["popular"]


def population(random: np.random.Generator, terms: int = 80, rank: int = 64) -> Population:
    aspects = [("genre", f"Genre {n}") for n in range(terms // 2)]
    aspects += [("theme", f"Theme {n}") for n in range(terms - terms // 2)]
    known = Vocabulary(tuple(aspects), np.full(terms, 2 / terms), rank)
    size = terms + rank
    ways, _ = np.linalg.qr(random.normal(size=(size, 20)))
    reduced = Reduction(np.zeros(size), random.uniform(0.5, 2, size), ways, np.full(20, 0.04))
    centres = random.normal(size=(12, 20))
    mixture = round_ones(centres / np.linalg.norm(centres, axis=1, keepdims=True), 0.05)
    return Population(known, reduced, mixture, axes_of(mixture), 2.0)


def profiles(spark: SparkSession, own: Population, n: int) -> DataFrame:
    """Rows of `told_of` with a dozen terms each."""
    names = F.array(*(F.lit(term) for _, term in own.known.terms))
    half = len(own.known.terms) // 2
    term = [
        F.struct(
            F.lit("genre" if each < 6 else "theme").alias("aspect"),
            F.element_at(
                names,
                (F.pmod(F.hash("id", F.lit(each)), F.lit(half)) + (1 if each < 6 else half + 1)).cast("int"),
            ).alias("term"),
            (1 + F.pmod(F.hash("id", F.lit(each), F.lit(1)), F.lit(9))).cast("double").alias("weight"),
        )
        for each in range(12)
    ]  # fmt: skip
    factors = [F.sin(F.col("id") * (0.1 + each)) for each in range(own.known.rank)]
    return (
        spark.range(n, numPartitions=4)
        .select(
            F.col("id").cast("string").alias("profile_id"),
            F.lit("adult").alias("population"),
            F.col("id").cast("string").alias("household"),
            F.lit("DE").alias("market"),
            F.array(*term).alias("terms"),
            F.array(*factors).alias("factors"),
        )
        .localCheckpoint()
    )


@pytest.mark.timeout(3600)
def test_scoring_costs_hardly_more_than_a_pass_of_mllib_and_grows_with_profiles(
    spark: SparkSession,
) -> None:
    assert ASPECTS[0] == "genre"
    own = population(np.random.default_rng(5))
    many, few = profiles(spark, own, SCORED), profiles(spark, own, SCORED // 4)
    vectors = mapped(many, "profile_id", Vectors(own.known, own.prior)).localCheckpoint()
    size = len(own.known.names)
    sample = (
        vectors.limit(2000).select(array_to_vector(F.col("vector")).alias("v")).localCheckpoint()
    )
    scale = ElementwiseProduct(
        scalingVec=Linalg.dense(own.reduction.scale), inputCol="v", outputCol="s"
    )
    pca = PCA(k=20, inputCol="s", outputCol="features").fit(scale.transform(sample))
    means = KMeans(k=12, seed=1, maxIter=5).fit(pca.transform(scale.transform(sample)))

    def mllib() -> None:
        points = vectors.select("profile_id", array_to_vector(F.col("vector")).alias("v"))
        done = means.transform(pca.transform(scale.transform(points)))
        done.select("profile_id", "prediction").write.format("noop").mode("overwrite").save()

    def ours(frame: DataFrame) -> None:
        done = clustering.scored(frame, {"adult": own})
        done.write.format("noop").mode("overwrite").save()

    theirs, mine, quarter = in_turn(mllib, lambda: ours(many), lambda: ours(few), repetitions=3)
    print(
        f"\n{SCORED:,} profiles × {size}: MLlib's transform {theirs}; scored from terms and factors {mine}, "
        f"{mine.median / theirs.median:.2f} times; a quarter of them {quarter}"
    )
    assert mine.median <= 1.5 * theirs.median
    assert mine.median <= 4 * 1.3 * quarter.median
