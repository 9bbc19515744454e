"""What a title is worth to a profile in its circumstances: the odds that it is chosen if it is looked at.

The logarithm of the odds is a sum, and that is what makes pages cheap:

    b + w · taste(profile, title) + v · features(title, market) + Σ u(term @ circumstance) − f · log(1 + times shown)

*Taste* is the score of the model, standardised over all titles of the profile, and 0 where it knows nothing of the
profile. The features of a title are the same for all profiles of a market, and what its terms come to in given
circumstances is the same for all profiles: each is one vector a market or circumstance, added to one tile of scores.

A *term* is something that the catalogue says of a title: a genre, two genres together, a mood, the kind, that it is
short, or made for children. A *circumstance* is the part of the day, the weekday, alone or with its evening, the month,
a holiday, or the class of device. Weights of their pairs, as "genre Horror @ month 10", are learned (ranker.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from cinelake.behaviour.titles import words
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.rows.kind import Titles
from cinelake.recommend.scoring import Matrix

OF_TITLES = ("fame", "trend", "newness", "arrival", "neglected")
NUMBERS = ("taste", *OF_TITLES, "shown")
# Where nothing has been learned from tiles: chances in proportion to popularity, and no circumstances.
USUAL = Logit(
    -3.5,
    {
        "taste": 0.6,
        "fame": 1.0,
        "trend": 0.5,
        "newness": 0.3,
        "arrival": 0.5,
        "neglected": 0.0,
        "shown": -0.3,
    },
)
AT = " @ "
# What is new is sought most in its first days, and more than old titles for weeks.
HALF_LIFE_DAYS, ARRIVAL_DAYS = 30.0, 4.0
SHORT_S, CHILDREN = 35 * 60, 7
EVENING = ("evening", "night")


def title_terms(said: dict[str, Column] | None = None) -> Column:
    """`terms array<string>` of a title, from columns `genres, moods, kind, runtime_s, maturity` of the catalogue."""
    column = said or {n: F.col(n) for n in ("genres", "moods", "kind", "runtime_s", "maturity")}
    genres = F.sort_array(words(column["genres"]))
    pairs = F.flatten(
        F.transform(
            genres,
            lambda one, at: F.transform(
                F.slice(genres, at + 2, F.size(genres)),
                lambda other: F.concat(F.lit("genres "), one, F.lit(" + "), other),
            ),
        )
    )
    return F.concat(
        F.transform(genres, lambda genre: F.concat(F.lit("genre "), genre)),
        pairs,
        F.transform(words(column["moods"]), lambda mood: F.concat(F.lit("mood "), mood)),
        F.array_compact(
            F.array(
                F.concat(F.lit("kind "), column["kind"]),
                F.when(column["runtime_s"] < SHORT_S, "short"),
                F.when(column["maturity"] <= CHILDREN, "for children"),
            )
        ),
    ).alias("terms")


def circumstance_terms(
    device_class: Column, daypart: Column, day: Column, holiday: Column
) -> Column:
    """`array<string>` of what holds then."""
    weekday = (F.weekday(day) + 1).cast("string")
    evening = daypart.isin(*EVENING)
    of_days = F.array_compact(
        F.array(
            F.concat(F.lit("device "), device_class),
            F.concat(F.lit("daypart "), daypart),
            F.concat(F.lit("weekday "), weekday),
            F.when(evening, F.concat(F.lit("evening of weekday "), weekday)),
        )
    )
    return F.concat(of_days, season_terms(day, holiday))


def season_terms(day: Column, holiday: Column) -> Column:
    """Those of them that come back within a year, and not within weeks."""
    month = F.concat(F.lit("month "), F.month(day).cast("string"))
    return F.array_compact(F.array(month, F.when(holiday, "holiday")))


def of_season(term: Column) -> Column:
    """Whether a crossed term is of a season."""
    return term.rlike(f"{AT}(month |holiday)")


def holds(circumstances: Circumstances, *, holiday: bool) -> list[str]:
    """The same, of one value."""
    weekday, month = circumstances.day.isoweekday(), circumstances.day.month
    found = [
        f"device {circumstances.device_class}",
        f"daypart {circumstances.daypart}",
        f"weekday {weekday}",
        f"month {month}",
    ]
    if circumstances.daypart in EVENING:
        found.append(f"evening of weekday {weekday}")
    return [*found, "holiday"] if holiday else found


def crossed(terms: Column, circumstances: Column) -> Column:
    """Each term at each circumstance."""
    return F.flatten(
        F.transform(
            terms,
            lambda term: F.transform(circumstances, lambda at: F.concat(term, F.lit(AT), at)),
        )
    )


def of_titles(titles: Titles, is_cold: Matrix, market: str | None) -> Matrix:
    """`OF_TITLES (titles, 5)`: *fame* is the logarithm of the popularity against that of a title of the middle of
    the market's, cut off where nobody starts it; *newness* halves in thirty days, and *arrival* in four; *neglected*
    is what nobody had liked when the model behind taste was fitted, the less so the newer it is.
    """
    shares = titles.popularity[market or ""]
    # Against even shares; a title that nobody starts is not less than nothing.
    fame = np.maximum(np.log(np.maximum(shares * len(titles), 1e-9)), -3.0)
    age = np.where(np.isnan(titles.age_days), np.inf, np.maximum(titles.age_days, 0.0))
    newness, arrival = (2.0 ** (-age / days) for days in (HALF_LIFE_DAYS, ARRIVAL_DAYS))
    trend = titles.trend[market or ""]
    return np.stack([fame, trend, newness, arrival, is_cold * (1 - newness)], axis=1)


@dataclass(frozen=True)
class Worth:
    """A regression applied: `logit` over `NUMBERS` and crossed terms; `terms` of each title, by position."""

    logit: Logit
    terms: Sequence[Sequence[str]]

    @property
    def taste(self) -> float:
        return self.logit.weights["taste"]

    @property
    def shown(self) -> float:
        return self.logit.weights["shown"]

    def of_market(self, features: Matrix) -> Matrix:
        """What titles are worth to everybody: log odds of each, from `of_titles`."""
        weights = np.array([self.logit.weights[name] for name in OF_TITLES])
        found: Matrix = self.logit.intercept + features @ weights
        return found

    def at(self, circumstances: Iterable[Sequence[str]]) -> Matrix:
        """What circumstances add to each title: `(circumstances, titles)`; each is told by what holds."""
        names = sorted({term for terms in self.terms for term in terms})
        number = {term: at for at, term in enumerate(names)}
        row = np.repeat(np.arange(len(self.terms)), [len(terms) for terms in self.terms])
        column = np.array([number[term] for terms in self.terms for term in terms], np.int64)
        design = csr_array((np.ones(len(row)), (row, column)), shape=(len(self.terms), len(names)))
        each = list(circumstances)
        weights = np.zeros((len(each), len(names)))
        for at, told in enumerate(each):
            weights[at] = [
                sum(self.logit.weights.get(f"{term}{AT}{then}", 0.0) for then in told)
                for term in names
            ]
        found: Matrix = (design @ weights.T).T
        return found
