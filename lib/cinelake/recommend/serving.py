"""The registered model as others load it: titles for a history, whether its profile is known or not.

The history is folded in: with the factors `Y` of the titles fixed, the profile's factors of ALS are one ridge
regression, `(YᵀY + α Σ y yᵀ + λ·n·I) x = (1 + α) Σ y` over the `n` titles of the history, which is the step that MLlib
takes for every profile; and its taste is the mean of the classes that it may be of, by Bayes' rule. A score is the
weighted sum of both, each over its deviation among the titles of the fit: those that are *cold*, known by their
content alone, are on lists and change no other score. A history of unknown titles gets what is popular in its market,
and where that is not known, what is popular on the whole service.

So it answers as the day's lists do (lists.py), but for what these are told besides: changes of the catalogue since the
training, popular titles that the model does not know, after all those that it does, another order (rerank.py), and on
which device somebody is of whom nothing else is known.

Nobody's history is in the artefact, only what is known of titles: their factors, how popular each is, on the service
and in markets of many households, for which age each is meant, and from when until when each is on offer in which
market, as far as that was known when the model was trained. Where there are such limits they fail closed, as in the
day's lists: a request without a market or an age is answered with no titles, and one that does not say that the profile
is an adult's with titles for kids.

MLflow keeps a copy of this file as the model's code, so it imports nothing of this package.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

FILE = "titles.npz"
Vector = npt.NDArray[Any]

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(Array(DataType.string), "history"),  # ids of titles that the profile liked
            ColSpec(Array(DataType.string), "seen", required=False),  # others that it has seen
            # Those of the history that may be recommended all the same, as it has not seen them.
            ColSpec(Array(DataType.string), "unseen", required=False),
            ColSpec(DataType.string, "market", required=False),  # ISO 3166-1
            ColSpec(DataType.long, "age_limit", required=False),  # years
            ColSpec(DataType.string, "kind", required=False),  # of profile: adult, kid
        ]
    ),
    outputs=Schema(
        [ColSpec(Array(DataType.string), "titles"), ColSpec(Array(DataType.double), "scores")]
    ),
    params=ParamSchema(
        [
            ParamSpec("k", DataType.long, 10),  # length of the list, from 1
            ParamSpec("at", DataType.string, ""),  # moment, ISO 8601; now, if empty
        ]
    ),
)


@dataclass(frozen=True)
class Windows:
    """From when until when titles are on offer where: one entry a title and market, times in seconds since 1970, UTC.

    `title` is the position among the model's titles.
    """

    title: Vector
    market: Vector
    since: Vector
    until: Vector


@dataclass(frozen=True)
class Tastes:
    """Classes of taste `(C, r)`, logarithms of their shares `(C)` and of what they choose from, by market
    `(markets + 1, C)`, the last for who is elsewhere; and what tastes count, ALS the rest.
    """

    classes: Vector
    prior: Vector
    norms: Vector
    markets: Vector
    share: Vector


@dataclass(frozen=True)
class Ages:
    """For which age titles are meant, NaN where nobody knows, and up to which age one who is no adult is shown them."""

    least: Vector
    kids_up_to: int


@dataclass(frozen=True)
class Starts:
    """How often titles were started where, sums of many households: one entry a title and market, with those of all
    titles there as `total`. `title` is the position among the model's titles; the whole service counts as `prior`
    starts more.
    """

    title: Vector
    market: Vector
    starts: Vector
    total: Vector
    prior: float


def pack(
    ids: Vector,
    factors: Vector,
    shares: Vector,
    *,
    alpha: float,
    reg_param: float,
    is_cold: Vector | None = None,
    tastes: Tastes | None = None,
    ages: Ages | None = None,
    windows: Windows | None = None,
    starts: Starts | None = None,
) -> bytes:
    """The content of the artefact `titles.npz`.

    `factors` are those of ALS and, where there are tastes, after these those of tastes, with the offset last; `shares`
    are what titles have of all likes. The fit knew the titles that are not cold. Without ages, or without windows, that
    limit does not hold.
    """
    held: dict[str, Any] = {
        "ids": np.asarray(ids, dtype=np.str_),
        "factors": np.asarray(factors, dtype=np.float32),
        "shares": np.asarray(shares, dtype=np.float64),
        "is_cold": np.zeros(len(ids), bool) if is_cold is None else np.asarray(is_cold, bool),
        "weights": np.array([alpha, reg_param]),
    }
    if ages is not None:
        held |= {"least_age": ages.least, "kids_up_to": np.array(ages.kids_up_to)}
    if starts is not None:
        held |= {f"starts_{name}": np.asarray(values) for name, values in vars(starts).items()}
        held["starts_market"] = starts.market.astype(np.str_)
    if tastes is not None:
        held |= {f"taste_{name}": values for name, values in vars(tastes).items()}
    if windows is not None:
        held |= {f"offer_{name}": values for name, values in vars(windows).items()}
        held["offer_market"] = windows.market.astype(np.str_)
    content = io.BytesIO()
    np.savez(content, **held)
    return content.getvalue()


@dataclass(frozen=True)
class Asked:
    """A request: titles liked, others seen, those of the liked ones that are not, and what limits what may be shown;
    `at` in seconds since 1970, UTC.
    """

    history: Sequence[str]
    seen: Sequence[str] = ()
    unseen: Sequence[str] = ()
    market: str | None = None
    age_limit: float | None = None
    kind: str | None = None
    at: float = 0.0

    @property
    def kept_back(self) -> Sequence[str]:
        """Titles that are not recommended, being known to the profile."""
        again = set(self.unseen)
        return [*(title for title in self.history if title not in again), *self.seen]


class FoldIn:
    """The best titles for any history."""

    def __init__(self, content: Any) -> None:
        with np.load(content, allow_pickle=False) as packed:
            held: Mapping[str, Vector] = {name: packed[name] for name in packed.files}
        self.ids = held["ids"]
        self.factors = held["factors"].astype(np.float64)
        self.shares = held["shares"]
        self.alpha, self.reg_param = held["weights"]
        self.ages: Ages | None = None
        if "least_age" in held:
            self.ages = Ages(held["least_age"], int(held["kids_up_to"]))
        self.starts: Starts | None = None
        if "starts_title" in held:
            self.starts = Starts(
                title=held["starts_title"],
                market=held["starts_market"],
                starts=held["starts_starts"],
                total=held["starts_total"],
                prior=float(held["starts_prior"]),
            )
        self.windows: Windows | None = None
        if "offer_title" in held:
            self.windows = Windows(
                *(held[f"offer_{name}"] for name in ("title", "market", "since", "until"))
            )
        self.tastes: Tastes | None = None
        width = self.factors.shape[1]
        if "taste_classes" in held:
            names = ("classes", "prior", "norms", "markets", "share")
            self.tastes = Tastes(*(held[f"taste_{name}"] for name in names))
            width -= self.tastes.classes.shape[1] + 1
        self.of_als, self.of_tastes = self.factors[:, :width], self.factors[:, width:]
        self.position = {title: at for at, title in enumerate(self.ids.tolist())}
        # What follows from all titles follows from those of the fit, as it did there.
        self.warm = ~held["is_cold"]
        self.gram = self.of_als[self.warm].T @ self.of_als[self.warm]

    def factors_of(self, history: Sequence[str], market: str | None = None) -> Vector | None:
        """The factors of a profile that liked these titles; None where none of them is known."""
        known = self._positions(history)
        if not known:
            return None
        by_als = self._by_als(self.of_als[known])
        if self.tastes is None:
            return by_als
        share = float(self.tastes.share)
        by_tastes = self._by_tastes(self.of_tastes[known], self.tastes, market)
        both: Vector = np.concatenate(
            [
                (1 - share) * _standardised(by_als, self.of_als[self.warm]),
                share * _standardised(by_tastes, self.of_tastes[self.warm]),
            ]
        )
        return both

    def _by_als(self, liked: Vector) -> Vector:
        ridge = self.reg_param * len(liked) * np.eye(liked.shape[1])
        solution: Vector = np.linalg.solve(
            self.gram + self.alpha * liked.T @ liked + ridge, (1 + self.alpha) * liked.sum(axis=0)
        )
        return solution

    def _by_tastes(self, liked: Vector, tastes: Tastes, market: str | None) -> Vector:
        """The mean taste of the classes that the profile may be of, by Bayes' rule, and a 1."""
        here = np.flatnonzero(tastes.markets == ("unknown" if market is None else market))
        norms = tastes.norms[here[0] if len(here) else -1]
        design = np.column_stack([tastes.classes, np.ones(len(tastes.classes))])
        told = tastes.prior + (design @ liked.T - norms[:, None]).sum(axis=1)
        odds = np.exp(told - told.max())
        mean: Vector = np.append(odds @ tastes.classes / odds.sum(), 1.0)
        return mean

    def popular(self, market: str | None) -> Vector:
        """What titles have of the starts in a market, smoothed by what they have of the service's likes."""
        if self.starts is None:
            return self.shares.copy()
        here = self.starts.market == market
        if not here.any():
            return self.shares.copy()
        counted = self.starts.prior * self.shares
        counted[self.starts.title[here]] += self.starts.starts[here]
        found: Vector = counted / (self.starts.total[here][0] + self.starts.prior)
        return found

    def may_be_shown(self, asked: Asked) -> Vector:
        """Which titles are on offer there and then, and meant for that age."""
        is_shown: Vector = np.ones(len(self.ids), bool)
        if self.ages is not None:
            limit = np.nan if asked.age_limit is None else asked.age_limit
            # Whose kind is not known may be a kid.
            if asked.kind != "adult":
                limit = np.minimum(limit, self.ages.kids_up_to)
            # Comparisons with what is not known are false.
            is_shown &= self.ages.least <= limit
        if self.windows is not None:
            own = (
                (self.windows.market == asked.market)
                & (self.windows.since <= asked.at)
                & (asked.at < self.windows.until)
            )
            here = np.zeros(len(self.ids), bool)
            here[self.windows.title[own]] = True
            is_shown &= here
        return is_shown

    def top(self, asked: Asked, k: int) -> tuple[list[str], list[float]]:
        """The k best titles for a request, of those it does not know, with their scores; ties in the order of ids.

        Raises MlflowException, of which who asks is told, for a k below 1.
        """
        if k < 1:
            raise MlflowException.invalid_parameter_value(
                f'k = {k}: a list has at least 1 title; ask with params={{"k": 10}}'
            )
        factors = self.factors_of(asked.history, asked.market)
        scores = self.popular(asked.market) if factors is None else self.factors @ factors
        scores[self._positions(asked.kept_back)] = -np.inf
        scores[~self.may_be_shown(asked)] = -np.inf
        best = np.lexsort((self.ids, -scores))[:k]
        best = best[np.isfinite(scores[best])]
        return self.ids[best].tolist(), scores[best].tolist()

    def _positions(self, titles: Sequence[str]) -> list[int]:
        return sorted({self.position[title] for title in titles if title in self.position})


def _standardised(factors: Vector, titles: Vector) -> Vector:
    """Over the standard deviation of the scores of all titles."""
    spread = (titles @ factors).std()
    found: Vector = factors / spread if spread > 0 else 0.0 * factors
    return found


def seconds(moment: str) -> float:
    """A moment in ISO 8601, UTC where it names no zone, as seconds since 1970. Raises ValueError on anything else."""
    told = datetime.fromisoformat(moment)
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


class TitlesForHistory(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """`history, seen, unseen, market, age_limit, kind` in each row → `titles` and `scores`; `params={"k": 10}`.

    A list is for the moment `at`, or for that at which it is asked for, in seconds since 1970 by `now`.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now

    def load_context(self, context: Any) -> None:
        self.model = FoldIn(context.artifacts[FILE])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        del context
        wish = params or {}
        moment = str(wish.get("at") or "")
        at = seconds(moment) if moment else self.now()
        k = int(wish.get("k", 10))
        lists = [self.model.top(_asked(row, at), k) for row in model_input.to_dict("records")]
        return pd.DataFrame(lists, columns=["titles", "scores"])


def _asked(row: Mapping[Any, Any], at: float) -> Asked:
    """A row of the request; what is missing there, or null, is not known."""
    limit = row.get("age_limit")
    return Asked(
        history=list(row["history"]),
        seen=_titles(row.get("seen")),
        unseen=_titles(row.get("unseen")),
        market=_text(row.get("market")),
        age_limit=None if limit is None or pd.isna(limit) else float(limit),
        kind=_text(row.get("kind")),
        at=at,
    )


def _titles(told: Any) -> list[str]:
    # What is missing comes as NaN, too.
    return [] if told is None or isinstance(told, float) else list(told)


def _text(told: Any) -> str | None:
    return told if isinstance(told, str) else None


# Whoever loads this asks now; all else is a function of what is asked.
mlflow.models.set_model(TitlesForHistory(time.time))
