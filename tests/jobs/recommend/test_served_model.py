"""The registered model, loaded as others load it, answers as the day's lists do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.strengths import Weights, strengths
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.windows import Window
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, DEVICES, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import (
    PROFILE_INDEX,
    RECIPES,
    RECOMMENDATIONS,
    RECOMMENDER,
    TITLE_INDEX,
)
from cinelake.tables.tastes import TITLE_AUDIENCES

pytestmark = pytest.mark.thorough
JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = FIRST - timedelta(days=1)
MONDAY = date(2026, 3, 16)
# The moment at which the day of the lists ends.
MIDNIGHT = datetime(2026, 3, 17)
SINCE = {"effective_from": BEFORE, "effective_date": BEFORE.date()}
PARAMS: dict[str, Any] = {
    "holdouts": 1,
    "holdout_share": 0.3,
    "top": 4,
    "ks": [2],
    "rivals": [],
    "hiding": {"share": 0.0},
    "least_households": 12,
    "recipe": {
        "als": {"rank": 2, "reg_param": 0.1, "iterations": 3, "blocks": 2},
        "mixture": {"classes": 4, "rank": 1, "iterations": 2},
    },
}
# Two of those who like even titles are kids.
PEOPLE, KIDS, NEWCOMERS = 24, (1, 4), ("new-de", "new-fr")


def _market(profile: int) -> str:
    return "DE" if profile % 2 == 0 else "JP"


def _maturity(title: int) -> int:
    return 16 if title in (2, 5, 52) else 0


def _told() -> Mapping[Table, Sequence[dict[str, Any]]]:
    """Sixteen profiles rate even titles and eight odd ones; of each taste two titles came that nobody has watched, one
    of them for adults.
    """
    signals = [
        {
            "profile_id": f"p{profile}",
            "title_id": f"t{title:02}",
            "signal_date": (FIRST + timedelta(days=place)).date(),
            "rating": 5.0,
            "rated_at": FIRST + timedelta(days=place),
        }
        for profile in range(PEOPLE)
        for place, title in enumerate(
            sorted(
                range(1 if profile % 3 == 0 else 0, 24, 2), key=lambda t: (t * 7 + profile * 5) % 24
            )[:9]
        )
    ]
    # One wants to watch what it has not seen yet.
    seen = {row["title_id"] for row in signals if row["profile_id"] == "p2"}
    listed = next(title for n in range(0, 24, 2) if (title := f"t{n:02}") not in seen)
    signals.append(
        {"profile_id": "p2", "title_id": listed, "signal_date": FIRST.date(), "added_to_list": 1}
    )
    titles = [
        SINCE
        | {
            "title_id": f"t{n:02}",
            "name": f"Title {n}",
            "kind": "film",
            "maturity": _maturity(n),
            "themes": ["Even" if n % 2 == 0 else "Odd"],
        }
        for n in [*range(24), 50, 51, 52, 53]
    ]
    on_offer = [
        SINCE
        | {
            "title_id": title["title_id"],
            "market": market,
            "available_from": BEFORE,
            # One goes as the day ends, and another a day after that.
            "available_until": {"t04": MIDNIGHT, "t06": MIDNIGHT + timedelta(days=1)}.get(
                title["title_id"]
            ),
        }
        for title in titles
        for market in ("DE", "JP", "FR")
        # The catalogues differ.
        if (title["title_id"], market) not in {("t08", "JP"), ("t07", "DE")}
    ]
    profiles = [
        SINCE
        | {
            "profile_id": f"p{n}",
            "account_id": f"a{n}",
            "kind": "kid" if n in KIDS else "adult",
            "maturity_limit": 16,
            "status": "active",
        }
        for n in range(PEOPLE)
    ]
    profiles += [
        profiles[0] | {"profile_id": name, "account_id": name, "maturity_limit": 18}
        for name in NEWCOMERS
    ]
    accounts = [SINCE | {"account_id": f"a{n}", "market": _market(n)} for n in range(PEOPLE)]
    accounts += [SINCE | {"account_id": name, "market": name[-2:].upper()} for name in NEWCOMERS]
    # By nobody knows whom, so that a list of what is popular ends at the market.
    started = [
        {
            "title_id": title,
            "play_date": FIRST.date(),
            "country": market,
            "profile_kind": "unknown",
            "device_kind": "unknown",
            "daypart": "evening",
            "starts": starts,
        }
        for title, market, starts in (("t09", "DE", 40), ("t12", "DE", 70), ("t13", "FR", 5))
    ]
    return {
        TITLE_SIGNALS: signals,
        TITLES: titles,
        AVAILABILITY: on_offer,
        PROFILES: profiles,
        ACCOUNTS: accounts,
        DEVICES: [],
        TITLE_AUDIENCES: started,
        RECIPES: [],
        PROFILE_INDEX: [],
        TITLE_INDEX: [],
    }


class Made:
    """A trained model, and the lists that the day's job made with it."""

    def __init__(self, spark: SparkSession, home: Path) -> None:
        tables = {table: rows(spark, table, *given) for table, given in _told().items()}
        index = JOBS["index_ids"]
        numbered = rehearse(
            index,
            {table: tables[table] for table in (TITLE_SIGNALS, PROFILE_INDEX, TITLE_INDEX)},
            FIRST.date(),
            MONDAY,
        )
        for table in (PROFILE_INDEX, TITLE_INDEX):
            tables[table] = numbered[table].localCheckpoint()
        self.signals: DataFrame = tables[TITLE_SIGNALS]
        self.tracking = Tracking.beside_lake(str(home))
        tracker = self.tracking.start("recommend", "train_recommender", Window.of_day(MONDAY), "r")
        training = JOBS["train_recommender"]
        rehearse(
            training,
            tables,
            MONDAY,
            params=training.params.model_validate(PARAMS),
            tracker=tracker,
        )
        tracker.finish()
        (self.version,) = self.tracking.versions(RECOMMENDER)
        listing = JOBS["recommend_titles"]
        lists = rehearse(
            listing,
            tables,
            MONDAY,
            params=listing.params.model_validate({"titles": 8}),
            models={RECOMMENDER.name: self.version},
            tracker=self.tracking.start(
                "recommend", "recommend_titles", Window.of_day(MONDAY), "r"
            ),
        )
        self.lists: dict[str, list[Row]] = {}
        for row in lists[RECOMMENDATIONS].orderBy("profile_id", "rank").collect():
            self.lists.setdefault(row.profile_id, []).append(row)

    def asked(self) -> pd.DataFrame:
        """What a page would ask for each profile, by what the lists knew of it."""
        weights = Weights.model_validate_json(self.version.tags["weights"])
        known = strengths(self.signals, weights, MIDNIGHT.date()).orderBy("title_id").collect()
        profiles = [*(f"p{n}" for n in range(PEOPLE)), *NEWCOMERS]
        liked = {(row.profile_id, row.title_id) for row in known if row.strength > 0}
        seen = {(row.profile_id, row.title_id) for row in known if row.is_seen}
        return pd.DataFrame(
            [
                {
                    "profile_id": profile,
                    "history": [title for who, title in sorted(liked) if who == profile],
                    "seen": [title for who, title in sorted(seen) if who == profile],
                    "unseen": [title for who, title in sorted(liked - seen) if who == profile],
                    "market": _market(int(profile[1:]))
                    if profile not in NEWCOMERS
                    else profile[-2:].upper(),
                    "age_limit": 18 if profile in NEWCOMERS else 16,
                    "kind": "kid" if profile in {f"p{n}" for n in KIDS} else "adult",
                }
                for profile in profiles
            ]
        ).set_index("profile_id")

    def served(self, asked: pd.DataFrame, k: int) -> pd.DataFrame:
        mlflow.set_tracking_uri(self.tracking.uri)
        loaded = mlflow.pyfunc.load_model(self.version.uri)
        found = loaded.predict(asked.reset_index(drop=True), {"k": k, "at": f"{MIDNIGHT}Z"})
        return found.set_index(asked.index)


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(spark, tmp_path_factory.mktemp("served"))


def test_the_registered_model_answers_as_the_lists_of_the_day(made: Made) -> None:
    # What few households started is not in the artefact.
    served = made.served(made.asked().drop(index="new-fr"), 8)

    assert {*served.index, "new-fr"} == set(made.lists)
    for profile, row in served.iterrows():
        listed = made.lists[str(profile)]
        assert row.titles == [one.title_id for one in listed], profile
        np.testing.assert_allclose(row.scores, [one.score for one in listed], atol=1e-4)


def test_what_is_compared_has_cold_titles_kids_and_what_is_popular_where_somebody_is(
    made: Made,
) -> None:
    """Else the test before would compare less than it says."""
    titles = {who: [row.title_id for row in listed] for who, listed in made.lists.items()}
    first_of_a_kid = made.lists["p1"][0]

    assert (first_of_a_kid.title_id, first_of_a_kid.is_cold) == ("t50", True)
    assert "t52" not in titles["p1"]
    assert "t52" in titles["p2"]
    # What it wants to watch stays on its list.
    assert set(made.asked().loc["p2", "unseen"]) <= set(titles["p2"])
    assert {row.source for row in made.lists["new-de"]} == {"popular"}
    assert titles["new-de"][:2] == ["t12", "t09"]


def test_starts_of_few_households_are_not_in_the_artefact(made: Made) -> None:
    """Germany has twelve households and more, France has one."""
    artefact = mlflow.artifacts.download_artifacts(f"{made.version.uri}/artifacts/titles.npz")
    with np.load(artefact, allow_pickle=False) as packed:
        assert set(packed["starts_market"].tolist()) == {"DE"}


def test_the_registered_model_answers_without_a_moment(made: Made) -> None:
    mlflow.set_tracking_uri(made.tracking.uri)
    loaded = mlflow.pyfunc.load_model(made.version.uri)

    answered = loaded.predict(made.asked().loc[["p2"]].reset_index(drop=True), params={"k": 10})

    # Two have gone from the catalogue since.
    assert len(answered.titles[0]) == 10
    assert not {"t04", "t06"} & set(answered.titles[0])
