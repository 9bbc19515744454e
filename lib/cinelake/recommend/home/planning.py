"""What pages of a day are made from: titles, rows, circumstances, and what is known of profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend import also_watched
from cinelake.recommend.eligibility import Limits, Offer, offer
from cinelake.recommend.fold_in import FoldedIn
from cinelake.recommend.home.attention import Attention
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.context import DAYPARTS, DEVICE_CLASSES, Circumstances, holidays_of
from cinelake.recommend.home.known_titles import known_titles, trends_of
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.pages import gathered
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.resume import FEATURES, ResumeRecipe, at_visits, not_given_up
from cinelake.recommend.home.rules import BrandRules
from cinelake.recommend.home.taste import Tastes, tastes
from cinelake.recommend.home.tiles import in_vain
from cinelake.recommend.home.unfinished import episodes_in_order, on_day, unfinished
from cinelake.recommend.home.worth import Worth, holds, of_titles, title_terms
from cinelake.recommend.lists import Known as Approved
from cinelake.recommend.lists import histories, numbered, of_viewers, popular_around, still_seen
from cinelake.recommend.popular_here import CircledScoring, Popularity
from cinelake.recommend.rows.kind import Known, RowKind, Titles
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.service import TOLD, Records, Service
from cinelake.recommend.similar import newest
from cinelake.recommend.strengths import Weights, refused, strengths
from cinelake.tables.audience import CLUSTER_MEMBERS, CLUSTER_TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import STOPPING_POINTS, TITLE_EXPOSURES
from cinelake.tables.recommend import SIMILAR_TITLES

# What pages are made from, in the order of `Told`; and with what the service tells.
OF_PAGES = (
    TITLE_SIGNALS,
    STOPPING_POINTS,
    TITLE_EXPOSURES,
    SIMILAR_TITLES,
    CLUSTER_MEMBERS,
    CLUSTER_TITLES,
)
READ = (*OF_PAGES, *TOLD)
# What is read of the catalogue beside what the recommender reads of it.
SAID = ("name", "is_original", "genres", "moods", "kind", "runtime_s", "maturity")


@dataclass(frozen=True)
class Behind:
    """What decides pages beside the data: what was learned, and what the service's people set."""

    worth: Logit
    attention: Attention
    grid: Grid
    rules: BrandRules
    kinds: Sequence[RowKind]


def circumstances_after(day: date) -> list[Circumstances]:
    """Those that pages are made for when a day ends: the night that belongs to it, and the day that follows."""
    return [
        Circumstances(device_class, daypart, day if daypart == "night" else day + timedelta(days=1))
        for device_class in DEVICE_CLASSES
        for daypart in DAYPARTS
    ]


@dataclass(frozen=True)
class Audience:
    """Whom pages are for: `profiles` as `pages` reads them, but for their own rows; `numbers (title_id, title_idx)`."""

    profiles: DataFrame
    numbers: DataFrame


def everybody(interactions: DataFrame, service: Service) -> DataFrame:
    """`profile_id` of all that lists are made for (lists.py), each once."""
    people = interactions if service.viewers is None else service.viewers
    return people.select("profile_id").distinct()


def _only(frame: DataFrame, whom: DataFrame | None) -> DataFrame:
    """The rows of these profiles; None: of all."""
    return frame if whom is None else frame.join(whom, on="profile_id", how="left_semi")


def audience(
    interactions: DataFrame,
    service: Service,
    approved: Approved | None,
    exposures: DataFrame,
    whom: DataFrame | None = None,
    no_more: DataFrame | None = None,
) -> Audience:
    """Those of `whom (profile_id)`, or everybody, with what each saw, liked and was shown.

    `exposures` are `profile_id, title_id, pages` that came to nothing. What a profile wants to see no more of, rows of
    `no_more (profile_id, title_id)`, counts as seen even where titles may be watched again.
    """
    known_of = [approved.titles] if approved else []
    numbers = numbered(interactions, service.shown, *known_of).localCheckpoint()
    told = still_seen(_only(interactions, whom), service)
    if no_more is not None and service.rewatchable:
        said = no_more.select("*", F.lit(True).alias("_no_more"))
        is_seen = F.col("is_seen") | F.col("_no_more").isNotNull()
        told = told.join(said, on=["profile_id", "title_id"], how="left").select(
            "profile_id", "title_id", "strength", is_seen.alias("is_seen")
        )
    viewers = service.viewers if service.viewers is None else _only(service.viewers, whom)
    history = of_viewers(histories(told, numbers), numbers, viewers)
    shown = (
        exposures.join(F.broadcast(numbers), on="title_id", how="inner")
        .groupBy("profile_id")
        .agg(F.sort_array(F.collect_list(F.struct("title_idx", "pages"))).alias("shown"))
    )
    return Audience(history.join(shown, on="profile_id", how="left"), numbers)


def folded(people: Audience, approved: Approved | None) -> tuple[DataFrame, FoldedIn | None]:
    """The profiles with `factors`, null where the model knows nothing of one; and the model."""
    if approved is None:
        return people.profiles, None
    listed = approved.titles.join(people.numbers, on="title_id", how="inner")
    model = FoldedIn(listed, approved.fold, of_fit=listed.where(~F.col("is_cold")))
    factors = model.profiles(people.profiles.select("profile_id", "liked", "market")).select(
        "profile_id", "factors"
    )
    return people.profiles.join(factors, on="profile_id", how="left"), model


@dataclass(frozen=True)
class Basis:
    """Titles as pages know them on a day, in the order of their ids; `idx` are the numbers under which histories name
    them, `features`, by market, what `of_titles` tells.
    """

    ids: pa.Array
    idx: Matrix
    names: Sequence[str]
    terms: Sequence[Sequence[str]]
    is_original: Matrix
    titles: Titles
    tastes: Tastes | None
    features: Mapping[str, Matrix]
    offer: Offer | None


def basis(
    interactions: DataFrame,
    service: Service,
    people: Audience,
    model: FoldedIn | None,
    catalogue: DataFrame,
    trends: DataFrame,
) -> Basis:
    """Of the titles that may be shown. `catalogue` has the newest `title_id, SAID`, `trends` as of known_titles.py."""
    shown = service.shown.select("title_id").join(people.numbers, on="title_id", how="inner")
    rows = shown.toArrow().sort_by("title_id")
    ids = rows.column("title_id").combine_chunks()
    told = catalogue.select("title_id", "name", "is_original", title_terms()).toArrow()
    at = pa.compute.index_in(ids, value_set=told.column("title_id").combine_chunks())
    said = {name: told.column(name).take(at).to_pylist() for name in told.column_names}
    popular = popular_around(interactions, shown.select("title_id", "title_idx"), service)
    scoring = popular.catalogue().scoring
    assert isinstance(scoring, CircledScoring)
    names = ids.to_pylist()
    titles = known_titles(names, service, scoring, trends)
    is_cold, held = np.ones(len(ids), bool), None
    if model is not None:
        held = tastes(model, ids)
        warm = model.titles if model.of_fit is None else model.of_fit
        liked = set(warm.select("title_id").toArrow().column("title_id").to_pylist())
        is_cold = np.array([title not in liked for title in names], bool)
    offered = offer(service.shown, service.rules)
    return Basis(
        ids=ids,
        idx=rows.column("title_idx").to_numpy().astype(np.int64),
        names=[name or f"title {title}" for name, title in zip(said["name"], names, strict=True)],
        terms=[terms or () for terms in said["terms"]],
        is_original=np.array([bool(own) for own in said["is_original"]], bool),
        titles=titles,
        tastes=held,
        features={
            market: of_titles(titles, is_cold, market or None) for market in titles.popularity
        },
        offer=offered and offered.among(ids),
    )


def planned(given: Basis, behind: Behind, day: date) -> Plan:
    """For the pages made when `day` ends."""
    worth, then = Worth(behind.worth, given.terms), circumstances_after(day)
    off = holidays_of([name for name in given.features if name], day, day + timedelta(days=1))
    return Plan(
        ids=given.ids,
        idx=given.idx,
        names=given.names,
        genres=given.titles.shares(),
        offer=given.offer,
        tastes=given.tastes,
        taste=worth.taste,
        shown=worth.shown,
        circumstances=then,
        worth={market: worth.of_market(told) for market, told in given.features.items()},
        at={
            market: worth.at([holds(one, holiday=one.day in off.get(market, ())) for one in then])
            for market in given.features
        },
        kinds=behind.kinds,
        shelves=[shelf for kind in behind.kinds for shelf in kind.shelves(given.titles)],
        attention=behind.attention,
        rules=behind.rules,
        groups=behind.rules.members(given.ids.to_pylist(), given.is_original),
        grid=behind.grid,
    )


@dataclass(frozen=True)
class Told:
    """Rows of tables: days of `title_signals`, `stopping_points` and `title_exposures`, lists of `similar_titles`, of
    clusters `cluster_members` and `cluster_titles`, and what the service tells of itself.
    """

    signals: DataFrame
    stops: DataFrame
    exposures: DataFrame
    similar: DataFrame
    members: DataFrame
    cluster_titles: DataFrame
    records: Records

    @classmethod
    def of(cls, read: Callable[[Table], DataFrame]) -> Told:
        """From the tables of `READ`."""
        signals, stops, exposures, similar, members, cluster_titles = map(read, OF_PAGES)
        records = Records(*map(read, TOLD))
        return cls(signals, stops, exposures, similar, members, cluster_titles, records)


class Settings(BaseModel):
    """How what is known is weighed before pages are made of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Weights = Weights()
    limits: Limits = Limits()
    popularity: Popularity = Popularity()
    resume: ResumeRecipe = ResumeRecipe()
    shown_days: int = Field(
        28, ge=1, le=365, description="days in which what was shown in vain is remembered"
    )


@dataclass(frozen=True)
class Prepared:
    """All that pages are made from when the day before `until` ends, but for what a plan decides.

    `profiles` are as `pages` reads them, `model` is that behind taste; `left_out` says by kind of row what it misses.
    """

    interactions: DataFrame
    service: Service
    people: Audience
    model: FoldedIn | None
    basis: Basis
    profiles: DataFrame
    left_out: Mapping[str, str]


def prepared(
    told: Told,
    until: date,
    settings: Settings,
    taste: Callable[[Service], Approved | None],
    resume: Logit,
    kinds: Sequence[RowKind],
    among: Callable[[DataFrame, Service], DataFrame] | None = None,
) -> Prepared:
    """`taste` is the model behind taste, for a service as it is then; `resume` tells who goes on with what.

    `among` says, of all that pages could be made for (`profile_id`) by the service as it is then, for whom they are;
    None: for all.
    """
    records = told.records.before(until)
    service = records.describe(until, settings.limits, settings.popularity)
    known = strengths(told.signals, settings.weights, until).localCheckpoint()
    approved = taste(service)
    whom = among and among(everybody(known, service), service).localCheckpoint()
    age = F.date_diff(F.lit(until), "shown_date")
    shown = in_vain(_only(told.exposures.where(age.between(1, settings.shown_days)), whom))
    signals = _only(told.signals.where(F.col("signal_date") < F.lit(until)), whom)
    people = audience(known, service, approved, shown, whom, refused(signals))
    profiles, model = folded(people, approved)
    catalogue = latest(records.titles, ["title_id"], *SAID)
    found = basis(
        known, service, people, model, catalogue, trends_of(records.title_audiences, until)
    )
    before = F.col("as_of") < F.lit(until)
    facts = Known(
        until=until,
        signals=signals,
        liked=_only(known.where("strength > 0").select("profile_id", "title_id"), whom),
        similar=newest(told.similar.where(before)),
        clusters=also_watched.newest(told.members.where(before), told.cluster_titles.where(before)),
        begun=_begun(_only(told.stops, whom), records.titles, until, settings.resume, resume),
    )
    missing = {kind.kind: kind.missing(facts) for kind in kinds}
    own = gathered([kind for kind in kinds if not missing[kind.kind]], facts, people.numbers)
    return Prepared(
        known,
        service,
        people,
        model,
        found,
        profiles.join(own, on="profile_id", how="left"),
        {kind: f"there is no {', '.join(names)}" for kind, names in missing.items() if names},
    )


def _begun(
    stops: DataFrame, titles: DataFrame, until: date, recipe: ResumeRecipe, logit: Logit
) -> DataFrame:
    """What could be gone on with in the circumstances that pages are made for, with the odds of it; without what is
    given up.
    """
    moments = on_day(stops, until)
    then = stops.sparkSession.createDataFrame(
        [(one.device_class, one.daypart) for one in circumstances_after(until - timedelta(days=1))],
        "device_class string, daypart string",
    )
    begun = unfinished(stops, episodes_in_order(titles), moments, recipe.keep_days)
    visits = moments.crossJoin(F.broadcast(then))
    told = at_visits(begun, visits, recipe).select("*", logit.odds(*FEATURES).alias("odds"))
    return told.where(not_given_up(F.col("odds"), recipe))
