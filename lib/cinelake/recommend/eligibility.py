"""What may be shown to whom: titles on offer in a profile's market that are meant for its age.

Fails closed: where a service tells of profiles, a profile without a limit and a title without an age are shown to
nobody and nothing; where it tells of availability, so are a profile without a market and a title that was never put on
offer there. A service that never told of either, such as a set of ratings, has no limits to apply, unless
`undelivered = "closed"` says that it should have.

Lists are made for the end of a day. Whoever composes a page or a list from them applies the limits again as they then
are (`may_be_shown`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest

Matrix = npt.NDArray[Any]
# An age that no limit reaches: that of titles of which nobody says whom they are meant for.
FOR_NOBODY = 32_767


class Limits(BaseModel):
    """How titles are kept from profiles: the same for all that shows titles, and so set in one place for all jobs."""

    shared_as: ClassVar[str] = "limits"
    model_config = ConfigDict(extra="forbid", frozen=True)

    kids_up_to: int = Field(
        12, ge=0, le=21, description="age of titles that a kid's profile is shown at most (years)"
    )
    rewatchable: tuple[str, ...] = Field(
        (), description="kinds of title that stay on lists once seen: film, series"
    )
    undelivered: Literal["open", "closed"] = Field(
        "open",
        description="where availability or profiles were never delivered: no limit (open), or nothing is shown",
    )


@dataclass(frozen=True)
class InForce:
    """Which limits hold: those of which the service ever told."""

    market: bool
    age: bool


def in_force(limits: Limits, availability: DataFrame, profiles: DataFrame) -> InForce:
    """From whether there is any change row of availability and of profiles at all."""
    if limits.undelivered == "closed":
        return InForce(market=True, age=True)
    return InForce(market=not availability.isEmpty(), age=not profiles.isEmpty())


def offered(titles: DataFrame, availability: DataFrame, until: date) -> DataFrame:
    """`title_id, kind, least_age int, markets array<string>` of films and series when the day before `until` ends.

    By the newest change rows of titles and of availability: `markets` are those where the newest decision on the title
    has begun then, and not ended.
    """
    moment = F.lit(until).cast("timestamp")
    told = latest(titles, ["title_id"], "kind", "maturity")
    decided = latest(availability, ["title_id", "market"], "available_from", "available_until")
    is_there = (F.col("available_from") <= moment) & (
        F.col("available_until").isNull() | (F.col("available_until") > moment)
    )
    markets = (
        decided.where(is_there)
        .groupBy("title_id")
        .agg(F.sort_array(F.collect_list("market")).alias("markets"))
    )
    # What the catalogue does not call an episode, it recommends.
    return (
        told.where(F.coalesce("kind", F.lit("film")) != "episode")
        .join(markets, on="title_id", how="left")
        .select(
            "title_id",
            "kind",
            F.col("maturity").alias("least_age"),
            F.coalesce("markets", F.array().cast("array<string>")).alias("markets"),
        )
    )


def windows(availability: DataFrame) -> DataFrame:
    """`title_id, market, since double, until double`: the newest decisions, in seconds since 1970; open ends are
    infinite.
    """
    decided = latest(availability, ["title_id", "market"], "available_from", "available_until")
    since, until = (F.unix_micros(f"available_{name}") / 1e6 for name in ("from", "until"))
    never = F.lit(float("inf"))
    return decided.select(
        "title_id", "market", since.alias("since"), F.coalesce(until, never).alias("until")
    )


def age_shown(limits: Limits) -> Column:
    """Age up to which a profile (`kind, age_limit`) is shown titles; null where nobody knows."""
    kids = F.least(F.col("age_limit"), F.lit(limits.kids_up_to))
    return F.when(F.col("kind") == "adult", F.col("age_limit")).when(
        F.col("age_limit").isNotNull(), kids
    )


def may_be_shown(rules: InForce) -> Column:
    """Of a row with `market, age_limit` of a profile beside `markets, least_age` of a title; never null."""
    here = F.array_contains("markets", F.col("market")) if rules.market else F.lit(True)
    of_age = F.col("least_age") <= F.col("age_limit") if rules.age else F.lit(True)
    return F.coalesce(here & of_age, F.lit(False))


@dataclass(frozen=True)
class Offer:
    """The same for scoring: titles in the order of their ids; None where a limit is not in force.

    `here (markets, titles)` says where titles are on offer, `least_age (titles)` for whom they are meant.
    """

    ids: pa.Array
    markets: Mapping[str, int]
    here: Matrix | None
    least_age: Matrix | None

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads of a profile's row."""
        return (
            *(("market",) if self.here is not None else ()),
            *(("age_limit",) if self.least_age is not None else ()),
        )

    def among(self, ids: pa.Array) -> Offer:
        """The offer of these titles alone, in their order; of those it does not know, nothing may be shown."""
        place = pa.compute.index_in(ids.cast(pa.string()), value_set=self.ids)
        known = place.is_valid().to_numpy(zero_copy_only=False)
        at = place.fill_null(-1).to_numpy(zero_copy_only=False)
        here = None if self.here is None else _taken(self.here, at, known, 0)
        ages = None if self.least_age is None else _taken(self.least_age, at, known, FOR_NOBODY)
        return Offer(ids, self.markets, here, ages)

    def kept_from(self, batch: pa.RecordBatch) -> tuple[Matrix, list[Matrix]]:
        """By row of a batch the number of its audience; by audience what is added to its scores, 0 or −inf."""
        market = np.full(batch.num_rows, -1, np.int64)
        limit = np.full(batch.num_rows, -1, np.int64)
        if self.here is not None:
            names = pa.array(list(self.markets), pa.string())
            found = pa.compute.index_in(batch.column("market"), value_set=names)
            numbers = np.array([*self.markets.values(), -1], np.int64)
            market = numbers[found.fill_null(len(names)).to_numpy(zero_copy_only=False)]
        if self.least_age is not None:
            limit = batch.column("age_limit").fill_null(-1).to_numpy(zero_copy_only=False)
        audiences, of_row = np.unique(np.stack([market, limit]), axis=1, return_inverse=True)
        return of_row.reshape(-1), [self._added(*pair) for pair in audiences.T.tolist()]

    def _added(self, market: int, limit: int) -> Matrix:
        is_shown = np.ones(len(self.ids), bool)
        if self.here is not None:
            is_shown &= self.here[market] if market >= 0 else False
        if self.least_age is not None:
            is_shown &= self.least_age <= limit
        return np.where(is_shown, np.float32(0), np.float32(-np.inf))


def offer(titles: DataFrame, rules: InForce) -> Offer | None:
    """Bring `title_id, least_age, markets` to the driver, from where it is broadcast; None where no limit holds."""
    if not (rules.market or rules.age):
        return None
    rows = titles.select("title_id", "least_age", "markets").toArrow().sort_by("title_id")
    lists = rows.column("markets").combine_chunks()
    markets = sorted(set(lists.flatten().to_pylist()))
    here = least_age = None
    if rules.market:
        here = np.zeros((len(markets), rows.num_rows), bool)
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
        code = pa.compute.index_in(lists.flatten(), value_set=pa.array(markets, pa.string()))
        here[code.to_numpy(zero_copy_only=False), np.repeat(np.arange(len(lengths)), lengths)] = (
            True
        )
    if rules.age:
        ages = rows.column("least_age").fill_null(FOR_NOBODY)
        least_age = ages.to_numpy().astype(np.int64)
    ids = rows.column("title_id").combine_chunks()
    return Offer(ids, {name: n for n, name in enumerate(markets)}, here, least_age)


def _taken(values: Matrix, at: Matrix, known: Matrix, otherwise: int) -> Matrix:
    """Values at places along the last axis; `otherwise` where there is no such place."""
    found = np.full((*values.shape[:-1], len(at)), otherwise, values.dtype)
    found[..., known] = values[..., at[known]]
    return found
