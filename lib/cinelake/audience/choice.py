"""Which kind of clusters, and how many: by how compact, how stable and how useful each choice is.

Each *candidate*, a kind of model and a number of clusters, is fitted to the days before a cut and measured by

- its *silhouette* (Rousseeuw 1987), by squared Euclidean distances: how much nearer members are to their own cluster,
- its *stability*: mean adjusted Rand index with clusterings of bootstrap samples (stability.py),
- its *gain*: how much better the genres of the days after the cut are foretold by it (usefulness.py).

Each measure is taken relative to the best of the candidates, and the greatest geometric mean of the three is chosen:
a candidate has to be good at all. Silhouettes and stabilities are of the data that was fitted to; they describe.

What the champion has is left only for what is better by a margin and beyond noise, lest clusters come and go with the
noise of measures: it must not foretell worse, profile by profile, and has to foretell better, or to be more stable in
every sample than the champion's in any (of three each, that comes by chance once in twenty).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.audience import stability, usefulness
from cinelake.audience.mixture import KINDS, Kind, Mixture, fitted
from cinelake.audience.stability import adjusted_rand, contingencies, jaccard
from cinelake.audience.usefulness import Gain
from cinelake.persisted import persisted

NO_GAIN = Gain(0.0, 0.0, 0)


class ClusterRecipe(BaseModel):
    """Which candidates there are, and how they are measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = Field(KINDS, min_length=1)
    numbers: tuple[int, ...] = Field(
        (2, 4, 6, 8, 10, 12, 16, 24), min_length=1, description="of clusters that are tried"
    )
    profiles_per_cluster: int = Field(
        6, ge=2, description="profiles that there have to be for each cluster on average"
    )
    bootstraps: int = Field(3, ge=2, le=50, description="samples by which stability is measured")
    rivals_from: int = Field(
        500,
        ge=2,
        description="profiles from which on other kinds than the first are tried, at its best number",
    )
    days_held_out: int = Field(7, ge=1, le=60, description="days by which usefulness is judged")
    margin: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="by which a choice has to beat what the champion has (share); of two days without a play between "
        "them measures differ by as much",
    )
    other_start: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="by which the cost of another start has to be below that of the champion's clusters (share); the "
        "best of some starts differs by as much from the best of others, and nobody is better off by less",
    )
    seed: int = 7

    def numbers_for(self, profiles: int, champion: Candidate | None) -> list[int]:
        """Those that are not too many for so many profiles; 1 where all are."""
        wanted = {*self.numbers, *([champion.k] if champion else [])}
        return sorted(k for k in wanted if k > 1 and k * self.profiles_per_cluster <= profiles) or [
            1
        ]


@dataclass(frozen=True)
class Candidate:
    """A kind of model and a number of clusters."""

    kind: Kind
    k: int

    def __str__(self) -> str:
        return f"{self.k} by {self.kind}"


@dataclass(frozen=True)
class Measures:
    """How a candidate fares; `agreements` with the clusterings of samples, `jaccards` of each cluster; `found` clusters
    came of it, of which the largest holds the share `largest` of all profiles.
    """

    candidate: Candidate
    found: int
    silhouette: float
    agreements: tuple[float, ...]
    jaccards: tuple[float, ...]
    gain: Gain
    largest: float

    @property
    def stability(self) -> float:
        """The mean agreement."""
        return fmean(self.agreements)


@dataclass(frozen=True)
class Choice:
    """All candidates, which of them is taken, and how far it gains more than the champion itself, where that can be
    told.
    """

    measured: tuple[Measures, ...]
    taken: Measures
    champion: Candidate | None = None
    lead: Gain | None = None


def chosen(
    points: DataFrame,
    before: DataFrame,
    after: DataFrame,
    recipe: ClusterRecipe,
    champion: Candidate | None = None,
    held: DataFrame | None = None,
) -> Choice:
    """The choice for `profile_id, reduced array<double>`, which the caller has materialised in a fixed order.

    `before` and `after` are cells on either side of the cut; `held (profile_id, component)` is where the champion
    itself puts profiles by what was known before the cut, if it has seen nothing of what came after.
    """
    profiles = points.count()
    numbers = recipe.numbers_for(profiles, champion)
    if numbers == [1]:
        return alone(before, after, held)
    with persisted(points.select("*", array_to_vector(F.col("reduced")).alias("features"))) as rows:
        first = [Candidate(recipe.kinds[0], k) for k in numbers]
        measured, gained = _measured(rows, before, after, first, recipe)
        others = []
        if profiles >= recipe.rivals_from:
            best = _best(measured).candidate.k
            (told,) = rows.select(F.size("reduced").alias("size")).take(1)
            others = [
                Candidate(kind, best)
                for kind in recipe.kinds[1:]
                # A Gaussian with fewer members than numbers in a point is flat in some direction.
                if kind != "gaussian" or profiles >= 2 * best * (told["size"] + 1)
            ]
        if champion is not None and champion.k in numbers and champion not in [*first, *others]:
            others.append(champion)
        if others:
            more, also = _measured(rows, before, after, others, recipe, len(first))
            measured, gained = [*measured, *more], gained.unionByName(also)
        places = {one.candidate: place for place, one in enumerate(measured)}

        def leads(one: Candidate, other: Candidate) -> Gain:
            return usefulness.lead(gained, places[one], places[other])

        taken = _taken(measured, champion, recipe.margin, leads)
        lead = None
        if held is not None:
            both = gained.unionByName(_of_itself(held, before, after))
            lead = usefulness.lead(both, places[taken.candidate], ITSELF)
        return Choice(tuple(measured), taken, champion if champion in places else None, _told(lead))


def alone(before: DataFrame, after: DataFrame, held: DataFrame | None = None) -> Choice:
    """One cluster for all, from which nothing is gained but what the champion would have."""
    if held is None:
        return Choice((ONE,), ONE)
    own = usefulness.means(_of_itself(held, before, after)).get(ITSELF, NO_GAIN)
    return Choice((ONE,), ONE, None, _told(Gain(-own.mean, own.error, own.profiles)))


def _of_itself(held: DataFrame, before: DataFrame, after: DataFrame) -> DataFrame:
    """The gains of the champion itself."""
    own = held.select("profile_id", F.array("component").alias("labels"))
    return usefulness.gains(own, before, after, [0]).withColumn("candidate", F.lit(ITSELF))


def _told(lead: Gain | None) -> Gain | None:
    return lead if lead is not None and lead.profiles else None


# The place of the champion itself among candidates.
ITSELF = -1
# Of too few, or of profiles that are all the same, there is nothing to choose.
ONE = Measures(Candidate("k_means", 1), 1, 0.0, (1.0,), (1.0,), NO_GAIN, 1.0)


def utilities(measured: Sequence[Measures]) -> list[float]:
    """Of each, the geometric mean of its measures relative to the best; a measure in which nobody is above 0 tells
    nothing.
    """
    columns = [
        [max(value, 0.0) for value in values]
        for values in (
            [one.silhouette for one in measured],
            [one.stability for one in measured],
            [one.gain.mean for one in measured],
        )
    ]
    told = [column for column in columns if max(column) > 0]
    if not told:
        return [0.0] * len(measured)
    found = []
    for place in range(len(measured)):
        product = 1.0
        for column in told:
            product *= column[place] / max(column)
        found.append(product ** (1 / len(told)))
    return found


def _best(measured: Sequence[Measures]) -> Measures:
    """Of equals the one with fewer clusters."""
    useful = utilities(measured)
    place = max(range(len(measured)), key=lambda n: (useful[n], -measured[n].candidate.k, -n))
    return measured[place]


def _taken(
    measured: Sequence[Measures],
    champion: Candidate | None,
    margin: float,
    leads: Callable[[Candidate, Candidate], Gain],
) -> Measures:
    best = _best(measured)
    useful = dict(zip([one.candidate for one in measured], utilities(measured), strict=True))
    own = next((one for one in measured if one.candidate == champion), None)
    if own is None or own is best:
        return best
    if useful[best.candidate] <= useful[own.candidate] * (1 + margin):
        return own
    return best if _surely(best, own, leads(best.candidate, own.candidate)) else own


def _surely(best: Measures, own: Measures, lead: Gain) -> bool:
    """Whether it is better beyond noise."""
    noise = 1.96 * lead.error
    is_stabler = min(best.agreements) > max(own.agreements)
    return lead.mean > noise or (lead.mean + noise >= 0 and is_stabler)


def _measured(
    rows: DataFrame,
    before: DataFrame,
    after: DataFrame,
    candidates: Sequence[Candidate],
    recipe: ClusterRecipe,
    number: int = 0,
) -> tuple[list[Measures], DataFrame]:
    """The measures, and the gains of profiles; the candidates are numbered from `number` on in these."""
    mixtures: list[Mixture] = []
    groups = recipe.bootstraps + 1
    for one in candidates:
        samples = [
            rows,
            *(rows.sample(True, 1.0, recipe.seed + n) for n in range(recipe.bootstraps)),
        ]
        mixtures += [_fitted(sample, one, recipe.seed) for sample in samples]
    wholes = range(0, len(mixtures), groups)
    with persisted(stability.labelled(rows, mixtures)) as labels:
        pairs = [(whole, whole + n) for whole in wholes for n in range(1, groups)]
        tables = contingencies(labels, pairs)
        gained = usefulness.gains(labels, before, after, list(wholes)).localCheckpoint()
        means = usefulness.means(gained)
        # Of the clusters that were found, some may be nobody's.
        held = [
            int((tables[n * recipe.bootstraps].sum(axis=1) > 0).sum())
            for n in range(len(candidates))
        ]
        silhouettes = [
            _silhouette(labels, whole, own) for whole, own in zip(wholes, held, strict=True)
        ]
    measured = []
    for n, (one, whole) in enumerate(zip(candidates, wholes, strict=True)):
        own = tables[n * recipe.bootstraps : (n + 1) * recipe.bootstraps]
        k = len(mixtures[whole])
        dissolved = [[*jaccard(table), *[0.0] * k][:k] for table in own]
        measured.append(
            Measures(
                one,
                k,
                silhouettes[n],
                tuple(adjusted_rand(table) for table in own),
                tuple(fmean(each) for each in zip(*dissolved, strict=True)),
                means.get(whole, NO_GAIN),
                float(own[0].sum(axis=1).max() / max(own[0].sum(), 1)),
            )
        )
    renumbered = gained.select(
        (F.col("candidate") / groups + number).cast("int").alias("candidate"), "profile_id", "gain"
    )
    return measured, renumbered


def _fitted(sample: DataFrame, candidate: Candidate, seed: int) -> Mixture:
    return fitted(sample, candidate.kind, candidate.k, seed)


def _silhouette(labels: DataFrame, place: int, found: int) -> float:
    """0 where all are in one cluster."""
    if found < 2:
        return 0.0
    told = labels.select(
        array_to_vector(F.col("reduced")).alias("features"),
        F.col("labels")[place].cast("double").alias("prediction"),
    )
    return float(ClusteringEvaluator().evaluate(told))
