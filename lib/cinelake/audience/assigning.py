"""A day of clusters: who belongs where, and what became of each cluster since the day before.

What is counted of clusters is a few rows, so that states are made on the driver; members stay in Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.audience import naming
from cinelake.audience.cells import KID
from cinelake.audience.clustering import Population
from cinelake.audience.identity import Fate, fates, new_id, total_variation
from cinelake.audience.portraits import NEIGHBOUR

Row = dict[str, Any]
ENDED = ("merged", "ended")
NEIGHBOURS = 3
PREFIXES = {KID: "Kids: "}


class Identity(BaseModel):
    """When a cluster of today is one of yesterday's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_overlap: float = Field(
        0.25, gt=0, le=1, description="Jaccard index of members from which on it is the same"
    )
    drifts_from: float = Field(
        0.25,
        gt=0,
        le=1,
        description="total variation distance of genres from those it was born with that is worth a word",
    )


@dataclass(frozen=True)
class Yesterday:
    """The newest day before: `states` are its rows of clusters that had not ended, `members` its members."""

    states: Sequence[Row]
    members: DataFrame

    @classmethod
    def of(cls, states: DataFrame, members: DataFrame) -> Yesterday:
        """From the rows of all days before."""
        newest = states.agg(F.max("as_of").alias("as_of"))
        rows = states.join(newest, on="as_of", how="left_semi").toArrow().to_pylist()
        live = [row for row in rows if row["event"] not in ENDED]
        day = max((row["as_of"] for row in live), default=date.min)
        return cls(live, members.where(F.col("as_of").cast("string") == day.isoformat()))


def moved(scored: DataFrame, members: DataFrame) -> dict[str, dict[tuple[str, int], int]]:
    """By population: profiles by their cluster before and their number today, of those that were there before."""
    before = members.select("profile_id", "cluster_id")
    counted = (
        scored.join(before, on="profile_id", how="inner")
        .groupBy("population", "cluster_id", "component")
        .count()
    )
    found: dict[str, dict[tuple[str, int], int]] = {}
    for row in counted.toArrow().to_pylist():
        own = found.setdefault(row["population"], {})
        own[row["cluster_id"], row["component"]] = row["count"]
    return found


def recognised(
    populations: Mapping[str, Population],
    yesterday: Yesterday,
    moves: Mapping[str, Mapping[tuple[str, int], int]],
    identity: Identity,
    *,
    day: date,
    trained_through: date,
    version: int,
) -> dict[str, list[Fate]]:
    """What became of the clusters of each population; also of one that the model knows no more."""
    found = {}
    lived = {row["population"] for row in yesterday.states}
    for population in sorted({*populations, *lived}):
        rows = [row for row in yesterday.states if row["population"] == population]
        k = len(populations[population].mixture) if population in populations else 0
        same_model = bool(rows) and all(row["model_version"] == version for row in rows)
        found[population] = fates(
            [row["cluster_id"] for row in rows],
            moves.get(population, {}),
            k,
            [new_id(population, day, trained_through, number) for number in range(k)],
            least_overlap=identity.least_overlap,
            numbers={row["cluster_id"]: row["component"] for row in rows} if same_model else None,
        )
    return found


def members_of(
    scored: DataFrame, found: Mapping[str, Sequence[Fate]], least_share: float
) -> DataFrame:
    """`profile_id, population, household, market, x, y, component, cluster_id, share, shares` of scored profiles."""
    ids: Column = F.lit(None).cast("array<string>")
    for population, fated in found.items():
        names = [fate.cluster_id for fate in fated if fate.component is not None]
        own = F.array(*map(F.lit, names)).cast("array<string>")
        ids = F.when(F.col("population") == population, own).otherwise(ids)
    each = F.zip_with(
        F.col("_ids"),
        F.col("memberships"),
        lambda cluster, share: F.struct(cluster.alias("cluster_id"), share.alias("share")),
    )
    first = F.element_at("_ids", F.col("component") + 1)
    # The first is the cluster itself; equals come in the order of their ids.
    rest = F.filter(each, lambda one: (one["share"] >= least_share) & (one["cluster_id"] != first))
    ordered = F.array_sort(
        rest,
        lambda one, other: (
            F.when(one["share"] > other["share"], -1)
            .when(one["share"] < other["share"], 1)
            .when(one["cluster_id"] < other["cluster_id"], -1)
            .otherwise(1)
        ),
    )
    own_share = F.element_at("memberships", F.col("component") + 1)
    head = F.array(F.struct(first.alias("cluster_id"), own_share.alias("share")))
    kept = ("profile_id", "population", "household", "market", "x", "y", "component")
    return scored.select("*", ids.alias("_ids")).select(
        *kept,
        first.alias("cluster_id"),
        own_share.alias("share"),
        F.concat(head, ordered).alias("shares"),
    )


def counted(members: DataFrame, genres: DataFrame) -> dict[str, Row]:
    """By cluster with members: `members, households, x, y, genres`."""
    summed = members.groupBy("cluster_id").agg(
        F.count(F.lit(1)).alias("members"),
        F.count_distinct("household").alias("households"),
        # Rounded and exact, for sums of floats depend on their order.
        *(
            (F.sum(F.col(axis).cast("decimal(26,12)")) / F.count(F.lit(1)))
            .cast("double")
            .alias(axis)
            for axis in ("x", "y")
        ),
    )
    rows = summed.join(genres, on="cluster_id", how="left").toArrow().to_pylist()
    return {row["cluster_id"]: row for row in rows}


def states(
    found: Mapping[str, Sequence[Fate]],
    counts: Mapping[str, Row],
    names: Mapping[str, str],
    readings: Mapping[str, str],
    yesterday: Yesterday,
    identity: Identity,
    *,
    day: date,
    version: int,
) -> list[Row]:
    """The rows of `cluster_states` of a day; `names` are of clusters that are new, `readings` of the others."""
    before = {row["cluster_id"]: row for row in yesterday.states}
    made = []
    for population, fated in found.items():
        live = [counts.get(fate.cluster_id, NOBODY)["members"] for fate in fated if _lives(fate)]
        everyone = sum(live)
        for fate in fated:
            old = before.get(fate.cluster_id)
            own = counts.get(fate.cluster_id, NOBODY) if _lives(fate) else NOBODY
            genres = list(own["genres"] or [])
            founding = list(old["founding"]) if old else genres
            drift = None
            if genres and founding:
                drift = total_variation(
                    *({one["term"]: one["share"] for one in each} for each in (genres, founding))
                )
            drifted = fate.event == "kept" and drift is not None and drift >= identity.drifts_from
            name = old["name"] if old else names[fate.cluster_id]
            reads_as = readings.get(fate.cluster_id) if drifted else None
            made.append(
                {
                    "as_of": day,
                    "cluster_id": fate.cluster_id,
                    "population": population,
                    "name": name,
                    "event": "drifted" if drifted else fate.event,
                    "reads_as": None if reads_as == name else reads_as,
                    "related": list(fate.related),
                    "born_on": old["born_on"] if old else day,
                    "members": own["members"],
                    "households": own["households"],
                    "member_share": own["members"] / everyone if everyone else 0.0,
                    "overlap": fate.overlap,
                    "churn": fate.churn,
                    "drift": drift,
                    "genres": genres,
                    "founding": founding,
                    "x": own["x"],
                    "y": own["y"],
                    "component": fate.component,
                    "model_version": version,
                }
            )
    return made


NOBODY: Row = {"members": 0, "households": 0, "x": None, "y": None, "genres": None}


def _lives(fate: Fate) -> bool:
    return fate.component is not None


def new_names(
    found: Mapping[str, Sequence[Fate]], portraits: Sequence[Row], yesterday: Yesterday
) -> dict[str, str]:
    """Names of the clusters that are new, by their portraits; `name` of a title is what it is called."""
    known = {row["cluster_id"]: row["name"] for row in yesterday.states}
    marks, prefixes, alone = _marks(found, portraits)
    new = {cluster: own for cluster, own in marks.items() if cluster not in known}
    return naming.named(new, list(known.values()), prefixes, alone)


def names_now(
    found: Mapping[str, Sequence[Fate]], portraits: Sequence[Row], yesterday: Yesterday
) -> dict[str, str]:
    """What each of the clusters that were there before would be called now, if it had no name."""
    known = {row["cluster_id"]: row["name"] for row in yesterday.states}
    marks, prefixes, alone = _marks(found, portraits)
    readings: dict[str, str] = {}
    for cluster in sorted(set(known) & set(marks)):
        others = [name for other, name in known.items() if other != cluster]
        readings |= naming.named({cluster: marks[cluster]}, others, prefixes, alone)
    return readings


def _marks(
    found: Mapping[str, Sequence[Fate]], portraits: Sequence[Row]
) -> tuple[dict[str, dict[str, list[Row]]], dict[str, str], list[str]]:
    """Of the clusters that live: rows of their portraits by aspect, prefixes of names, and who is alone."""
    marks: dict[str, dict[str, list[Row]]] = {}
    prefixes, alone = {}, []
    for population, fated in found.items():
        live = [fate.cluster_id for fate in fated if _lives(fate)]
        for cluster in live:
            marks[cluster] = {}
            prefixes[cluster] = PREFIXES.get(population, "")
        alone += live if len(live) == 1 else []
    for row in sorted(portraits, key=lambda row: row["rank"]):
        if row["cluster_id"] in marks:
            marks[row["cluster_id"]].setdefault(row["aspect"], []).append(row)
    return marks, prefixes, alone


def neighbours(
    found: Mapping[str, Sequence[Fate]],
    populations: Mapping[str, Population],
    counts: Mapping[str, Row],
) -> list[Row]:
    """Rows of `cluster_portraits` of the aspect `neighbour`: the clusters whose centres lie in the most similar
    direction.
    """
    made = []
    for population, fated in found.items():
        if population not in populations:
            continue
        centres = populations[population].mixture.centres
        lengths = np.linalg.norm(centres, axis=1, keepdims=True)
        unit = centres / np.where(lengths > 0, lengths, 1.0)
        cosines = unit @ unit.T
        ids = [fate.cluster_id for fate in fated if _lives(fate)]
        for place, cluster in enumerate(ids):
            others = [other for other in range(len(ids)) if other != place]
            others.sort(key=lambda other: (-round(float(cosines[place, other]), 9), ids[other]))
            for rank, other in enumerate(others[:NEIGHBOURS], start=1):
                own = counts.get(ids[other], NOBODY)
                made.append(
                    {
                        "cluster_id": cluster,
                        "aspect": NEIGHBOUR,
                        "rank": rank,
                        "term": ids[other],
                        "profiles": own["members"],
                        "households": own["households"],
                        "share": float(cosines[place, other]),
                        "lift": None,
                        "log_odds": None,
                        "z": None,
                    }
                )
    return made


def churn(rows: Sequence[Row], sizes: Mapping[str, int]) -> float | None:
    """Share of the profiles known before whose cluster is another now; None where nobody was there before.

    `sizes` are members before, by cluster.
    """
    told = [(row["churn"], sizes.get(row["cluster_id"], 0)) for row in rows]
    whole = sum(size for share, size in told if share is not None)
    if not whole:
        return None
    return float(sum(share * size for share, size in told if share is not None) / whole)
