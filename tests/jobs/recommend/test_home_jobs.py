"""From what was shown and played to home pages: for everybody, of what each may be shown, the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.home.approved import PLAIN, Models
from cinelake.recommend.home.context import DAYPARTS, DEVICE_CLASSES
from cinelake.recommend.home.worth import NUMBERS
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import RehearsalTracker, rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.windows import Window
from cinelake.tables.audience import CLUSTER_MEMBERS, CLUSTER_TITLES
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, DEVICES, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import (
    HOME_PAGES,
    HOME_RANKER,
    HOME_SCORES,
    RESUME,
    SHOWN_TILES,
    STOPPING_POINTS,
    TITLE_EXPOSURES,
)
from cinelake.tables.recommend import PROFILE_INDEX, RECOMMENDER, SIMILAR_TITLES, TITLE_INDEX
from cinelake.tables.tastes import TITLE_AUDIENCES
from cinelake.tables.viewing import VIEWING_SESSIONS

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
MONDAY = date(2026, 3, 16)
LONG_AGO = datetime(2026, 1, 1)
GENRES = ("Drama", "Comedy", "Family")
Inputs = dict[Table, DataFrame]


def change(day: datetime = LONG_AGO, **told: Any) -> dict[str, Any]:
    return {"effective_from": day, "effective_date": day.date()} | told


def title(number: int) -> dict[str, Any]:
    return change(
        title_id=f"t{number:02}", name=f"Title {number}", kind="film", genres=[GENRES[number % 3]],
        maturity=6 if number % 3 == 2 else 16, runtime_s=6000.0, release_date=date(2026, 3, 1 + number % 9),
    )  # fmt: skip


def signal(profile: str, title: int, ago: int, **more: Any) -> dict[str, Any]:
    day = MONDAY - timedelta(days=ago)
    told = {"profile_id": profile, "title_id": f"t{title:02}", "signal_date": day, "plays": 1}
    return told | {"completion": 1.0, "finished": 1} | more


def stop(profile: str, title: int, ago: int, **more: Any) -> dict[str, Any]:
    day = MONDAY - timedelta(days=ago)
    told = {
        "profile_id": profile,
        "title_id": f"t{title:02}",
        "play_date": day,
        "plays": 1,
        "completion": 0.4,
    }
    told |= {
        "stopped_at": datetime(day.year, day.month, day.day, 20),
        "device_class": "tv",
        "daypart": "evening",
    }
    return told | more


def session(profile: str, title: int, ago: int) -> dict[str, Any]:
    """A play in the evening, where the clock shows UTC."""
    day = MONDAY - timedelta(days=ago)
    return {
        "profile_id": profile, "title_id": f"t{title:02}", "session_date": day, "local_date": day, "local_hour": 20,
        "device_kind": "tv", "first_frame_at": datetime(day.year, day.month, day.day, 20),
    }  # fmt: skip


@pytest.fixture(scope="module")
def inputs(spark: SparkSession) -> Inputs:
    """Thirty films in one market, of which one was never on offer; an adult, a child, one who is new and one whose
    account nobody knows.
    """
    people = {
        "ann": ("adult", 18, "a"),
        "kid": ("kid", 12, "a"),
        "new": ("adult", 18, "b"),
        "lost": ("adult", 18, "c"),
    }
    told: dict[Table, list[dict[str, Any]]] = {
        TITLES: [title(n) for n in range(30)],
        AVAILABILITY: [
            change(title_id=f"t{n:02}", market="DE", available_from=LONG_AGO) for n in range(29)
        ],
        PROFILES: [
            change(profile_id=name, account_id=account, kind=kind, maturity_limit=age, status="active")
            for name, (kind, age, account) in people.items()
        ],
        ACCOUNTS: [change(account_id=account, market="DE", status="active") for account in "ab"],
        TITLE_AUDIENCES: [
            {
                "title_id": f"t{n:02}", "play_date": MONDAY - timedelta(days=ago), "country": "DE", "starts": n,
                "daypart": "evening", "profile_kind": "adult", "device_kind": "tv",
            }
            for n in range(1, 29) for ago in (1, 8)
        ],
        TITLE_SIGNALS: [
            signal("ann", 0, 20), signal("ann", 3, 2), signal("ann", 6, 2, plays=0, finished=0, added_to_list=1),
            signal("ann", 9, 1, completion=0.4, finished=0), signal("kid", 2, 3),
        ],
        STOPPING_POINTS: [stop("ann", 9, 1, position_s=2400.0), stop("ann", 3, 2, is_finished=True)],
        TITLE_EXPOSURES: [
            {"profile_id": "new", "title_id": "t28", "shown_date": MONDAY - timedelta(days=1), "pages": 60}
        ],
    }  # fmt: skip
    empty: list[Table] = [DEVICES, SIMILAR_TITLES, CLUSTER_MEMBERS, CLUSTER_TITLES, HOME_PAGES]
    return {table: rows(spark, table, *own).localCheckpoint() for table, own in told.items()} | {
        table: spark.createDataFrame([], table.schema) for table in empty
    }


GRID = {"rows": 8, "titles": 5, "exploration": 0.0}


def composed(inputs: Inputs, tracker: Any = None, **more: Any) -> DataFrame:
    job = JOBS["compose_home"]
    params = job.params.model_validate({"pages": {"grid": GRID}} | more.pop("params", {}))
    outputs = rehearse(job, inputs, more.pop("day", MONDAY), params=params, tracker=tracker, **more)
    return outputs[HOME_PAGES]


def test_everybody_has_a_page_for_each_screen_and_part_of_the_day(inputs: Inputs) -> None:
    tracker = RehearsalTracker("recommend")
    told = [row.asDict() for row in composed(inputs, tracker).collect()]
    assert {(t["profile_id"], t["device_class"], t["daypart"]) for t in told} == {
        (name, device, part) for name in ("ann", "kid", "new") for device in DEVICE_CLASSES for part in DAYPARTS
    }  # fmt: skip
    assert tracker.tags["left_out.because_you_watched"] == "there is no similar"
    assert tracker.tags["left_out.people_like_you"] == "there is no clusters"
    assert {t["as_of"] for t in told} == {MONDAY}
    evening = [t for t in told if (t["device_class"], t["daypart"]) == ("tv", "evening")]
    own = {name: [t for t in evening if t["profile_id"] == name] for name in ("ann", "kid", "new")}
    for tiles in own.values():
        shown = [t["title_id"] for t in tiles]
        assert len(shown) == len(set(shown))
        assert "t29" not in shown
    assert {t["title_id"] for t in own["kid"]} <= {f"t{n:02}" for n in range(2, 29, 3)} - {"t02"}
    by_kind = {t["row_kind"]: t for t in own["ann"]}
    begun = by_kind["continue_watching"]
    assert (begun["title_id"], begun["position_s"]) == ("t09", 2400.0)
    assert by_kind["my_list"]["title_id"] == "t06"
    # Seen lately, so not again; and what was shown in vain sixty times is worth less.
    assert "t03" not in {t["title_id"] for t in own["ann"]}
    worth = {name: {t["title_id"]: t["score"] for t in tiles} for name, tiles in own.items()}
    assert worth["new"].get("t28", 0.0) < 0.5 * worth["ann"]["t28"]


@pytest.mark.thorough
def test_what_a_profile_is_not_interested_in_leaves_all_rows(
    spark: SparkSession, inputs: Inputs
) -> None:
    # Begun or put on the list, so that each would stand in a row of the profile's own.
    later = [
        stop("ann", 12, 2, completion=0.3),
        stop("ann", 15, 2, completion=0.3),
        stop("ann", 18, 5, completion=0.3),
    ]
    signals = [
        signal("ann", 12, 2, completion=0.3, finished=0), signal("ann", 15, 2, completion=0.3, finished=0),
        signal("ann", 18, 3, completion=0.3, finished=0), signal("ann", 21, 2, plays=0, added_to_list=1),
        # What was said is taken back by a play that follows.
        signal("ann", 12, 1, plays=0, not_interested=1), signal("ann", 15, 1, plays=0, thumbs_down=1),
        signal("ann", 18, 4, plays=0, not_interested=1), signal("ann", 21, 1, plays=0, not_interested=1),
    ]  # fmt: skip
    more = {STOPPING_POINTS: later, TITLE_SIGNALS: signals}
    told = inputs | {t: inputs[t].unionByName(rows(spark, t, *own)) for t, own in more.items()}
    again = {"settings": {"limits": {"rewatchable": ["film"]}}}
    for params in ({}, again):
        found = composed(told, params=params).where("profile_id = 'ann'").collect()
        begun = {row.title_id for row in found if row.row_kind == "continue_watching"}
        assert begun == {"t09", "t18"}
        assert {"t12", "t15", "t21"}.isdisjoint({row.title_id for row in found})


@pytest.mark.thorough
def test_pages_are_the_same_in_every_run(inputs: Inputs) -> None:
    once = composed(
        inputs, params={"pages": {"grid": GRID | {"exploration": 0.2}}}
    ).localCheckpoint()
    again = composed(inputs, params={"pages": {"grid": GRID | {"exploration": 0.2}}})
    assert not once.where("propensity IS NOT NULL").isEmpty()
    assert_df_equality(again, once, ignore_row_order=True, ignore_nullable=True)


@pytest.mark.thorough
def test_who_stayed_away_keeps_its_page_and_all_others_have_those_of_a_full_recomputation(
    inputs: Inputs,
) -> None:
    day_before, grid = MONDAY - timedelta(days=1), GRID | {"exploration": 0.2}
    turns = {"lively_days": 1, "turn_days": 27}
    tracker = RehearsalTracker("recommend")
    first = composed(
        inputs, params={"pages": {"grid": grid}, "turns": turns}, day=day_before
    ).localCheckpoint()
    later = inputs | {HOME_PAGES: first}
    found = composed(
        later, tracker, params={"pages": {"grid": grid}, "turns": turns}
    ).localCheckpoint()
    again = composed(later, params={"pages": {"grid": grid}, "turns": turns})
    assert_df_equality(again, found, ignore_row_order=True, ignore_nullable=True)

    def who(pages: DataFrame) -> set[str]:
        return {row.profile_id for row in pages.select("profile_id").distinct().collect()}

    assert who(first) == {"ann", "kid", "new"}
    # On the day itself nobody did anything: all keep their pages but who has other settings, or did something before.
    assert who(found) == set()
    lively = turns | {"lively_days": 2}
    found = composed(later, params={"pages": {"grid": grid}, "turns": lively}).localCheckpoint()
    assert who(found) == {"ann", "new"}
    whole = composed(
        later, params={"pages": {"grid": grid}, "turns": {"turn_days": 1}}
    ).localCheckpoint()
    assert who(whole) == {"ann", "kid", "new"}
    due = whole.where("profile_id IN ('ann', 'new')")
    assert_df_equality(found, due, ignore_row_order=True, ignore_nullable=True)
    assert who(composed(later, params={"pages": {"grid": GRID}, "turns": turns})) == {
        "ann",
        "kid",
        "new",
    }


@pytest.mark.thorough
def test_settings_choose_kinds_of_row_and_brand_rules(inputs: Inputs) -> None:
    brand = {
        "groups": {"out": ["t27", "t28"]},
        "rules": [
            {"name": "not these", "rule": "block", "group": "out"},
            {"name": "lists first", "rule": "first", "kind": "my_list"},
        ],
    }
    kinds = ["my_list", "genre", "popular"]
    told = composed(
        inputs, params={"pages": {"grid": GRID, "rows": kinds, "brand": brand}}
    ).collect()
    assert {row.row_kind for row in told} <= set(kinds)
    assert not {"t27", "t28"} & {row.title_id for row in told}
    assert {row.row_kind for row in told if row.profile_id == "ann" and row.row == 0} == {"my_list"}


def test_a_kind_of_row_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no kind of row 'gnere'; there are because_you_watched"):
        JOBS["compose_home"].params.model_validate({"pages": {"rows": ["gnere"]}})


@pytest.mark.thorough
def test_a_service_that_tells_of_no_viewers_has_pages_for_whoever_did_something(
    spark: SparkSession, inputs: Inputs
) -> None:
    untold = {
        table: spark.createDataFrame([], table.schema)
        for table in (
            AVAILABILITY,
            PROFILES,
            ACCOUNTS,
            TITLE_AUDIENCES,
            STOPPING_POINTS,
            TITLE_EXPOSURES,
        )
    }
    told = composed(inputs | untold, params={"pages": {"grid": GRID | {"rows": 2}}}).collect()
    assert {row.profile_id for row in told} == {"ann", "kid"}
    assert {row.row_text for row in told if row.row_kind == "popular"} <= {"Popular now"}


@pytest.mark.thorough
def test_how_likely_profiles_go_on_is_learned_and_used(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    # Every other day a profile goes on with a film, and between it tastes another, which it leaves for ever.
    points = [
        stop(f"p{n}", 1, ago, completion=0.5)
        if ago % 2
        else stop(f"p{n}", 1 + ago, ago, completion=0.02)
        for n in range(8)
        for ago in range(1, 25)
    ]
    tracking = Tracking.beside_lake(str(tmp_path))
    job = JOBS["train_resume"]
    given = {
        STOPPING_POINTS: rows(spark, STOPPING_POINTS, *points),
        SHOWN_TILES: spark.createDataFrame([], SHOWN_TILES.schema),
        TITLES: inputs[TITLES],
    }

    def train() -> None:
        tracker = tracking.start("recommend", job.name, Window.of_day(MONDAY), "run")
        rehearse(job, given, MONDAY, tracker=tracker)
        tracker.finish()

    train()
    train()
    (version,) = tracking.versions(RESUME)
    assert version.approved
    assert "mean reciprocal rank" in version.reason
    pictures = [file.path for file in tracking.client.list_artifacts(version.run_id)]
    assert "reliability.png" in pictures

    tracker = tracking.start("recommend", "compose_home", Window.of_day(MONDAY), "run")
    told = composed(inputs, tracker, models={RESUME.name: version}).collect()
    assert {row.resume_version for row in told} == {1}
    begun = {row.score for row in told if row.row_kind == "continue_watching"}
    assert begun
    assert all(0 < score < 1 for score in begun)

    # Pages made without the model are those of nobody any more, though nobody did anything.
    turns = {"turns": {"lively_days": 1, "turn_days": 27}}
    day_before = composed(inputs, params=turns, day=MONDAY - timedelta(days=1)).localCheckpoint()
    later = inputs | {HOME_PAGES: day_before}
    assert composed(later, params=turns).isEmpty()
    tracker = tracking.start("recommend", "compose_home", Window.of_day(MONDAY), "run")
    made = composed(later, tracker, models={RESUME.name: version}, params=turns)
    assert {row.profile_id for row in made.select("profile_id").distinct().collect()} == {
        "ann", "kid", "new",
    }  # fmt: skip


@pytest.mark.thorough
def test_pages_are_judged_by_what_was_played_on_days_that_they_do_not_know(
    spark: SparkSession, inputs: Inputs
) -> None:
    # What was begun before, two films that are new to whom plays them, and a day that no page is judged by.
    plays = [("ann", 9, 0), ("ann", 22, 0), ("kid", 20, 0), ("new", 4, -1)]
    more = {
        STOPPING_POINTS: [stop(*play) for play in plays],
        TITLE_SIGNALS: [signal(*play) for play in plays],
    }
    told = inputs | {t: inputs[t].unionByName(rows(spark, t, *own)) for t, own in more.items()}
    told[VIEWING_SESSIONS] = rows(spark, VIEWING_SESSIONS, *(session(*play) for play in plays))
    job, tracker = JOBS["judge_home"], RehearsalTracker("recommend")
    params = job.params.model_validate({"pages": {"grid": GRID}, "days": 1})
    # By viewers' clocks Monday is over everywhere when Tuesday ends.
    tuesday = MONDAY + timedelta(days=1)
    found = rehearse(job, told, tuesday, params=params, tracker=tracker)[HOME_SCORES].collect()
    assert {(row.day, row.days) for row in found} == {(tuesday, 1)}
    means = {(row.policy, row.measure): (row.mean, row.profiles) for row in found}
    for policy in ("page", "without_circumstances", "popular"):
        # Had pages known of the day, none would hold what was seen on it.
        assert means[policy, "recall_new"] == (1.0, 2)
        # What was begun stands above lists, too, for nobody would call it popular.
        assert means[policy, "recall_all"] == (1.0, 2)
        assert 0 < means[policy, "ndcg_new"][0] < 1
    leads = {(row.policy, row.measure): (row.lead, row.lead_low, row.lead_high) for row in found}
    assert leads["page", "recall_all"] == (None, None, None)
    assert leads["popular", "recall_all"] == (0.0, 0.0, 0.0)
    apart = means["page", "ndcg_new"][0] - means["popular", "ndcg_new"][0]
    assert leads["popular", "ndcg_new"][0] == pytest.approx(apart)
    assert tracker.metrics["page.recall_all"] == 1.0
    assert tracker.metrics["page.recall_new.daypart.evening"] == 1.0
    assert tracker.metrics["popular.ndcg_all.weekday.1"] == means["popular", "ndcg_all"][0]
    assert tracker.pictures == ["leaderboard.png"]


@pytest.mark.thorough
def test_pages_are_judged_with_the_rules_that_they_have(
    spark: SparkSession, inputs: Inputs
) -> None:
    told = inputs | {
        VIEWING_SESSIONS: rows(
            spark, VIEWING_SESSIONS, session("ann", 22, 0), session("kid", 20, 0)
        )
    }
    job = JOBS["judge_home"]
    brand = {
        "groups": {"out": ["t22"]},
        "rules": [{"name": "not this", "rule": "block", "group": "out"}],
    }
    params = job.params.model_validate({"pages": {"grid": GRID, "brand": brand}, "days": 1})
    found = rehearse(job, told, MONDAY + timedelta(days=1), params=params)[HOME_SCORES].collect()
    means = {row.policy: row.mean for row in found if row.measure == "recall_new"}
    assert (means["page"], means["popular"]) == (0.5, 1.0)
    with pytest.raises(ValueError, match="no kind of row 'gnere'"):
        job.params.model_validate({"pages": {"rows": ["gnere"]}})


def adult(name: str) -> dict[str, Any]:
    return change(profile_id=name, account_id="a", kind="adult", maturity_limit=18, status="active")


def indexed(name: str, ids: list[str]) -> list[dict[str, Any]]:
    return [{name: one, "idx": n, "first_seen": LONG_AGO.date()} for n, one in enumerate(ids)]


@pytest.mark.thorough
def test_what_makes_tiles_be_chosen_is_learned_and_used(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    def chosen(n: int, ago: int, number: int) -> bool:
        """On some days a profile chooses what is of its genre, on others drama on televisions and else comedies."""
        of_screen = 0 if screen(n, ago) == "tv" else 1
        return number % 3 == (n % 3 if ago % 3 == 0 else of_screen)

    tracking = Tracking.beside_lake(str(tmp_path))
    for _ in range(2):
        trained(spark, inputs, tracking, chosen)
    (version,) = tracking.versions(HOME_RANKER)
    report = tracking.report(version)
    assert "circumstances stay" in version.reason
    assert report.metrics["weight.taste"] > 0
    assert report.metrics["ranker.ndcg"] > report.metrics["fame.ndcg"]
    assert version.approved, version.reason
    assert '"origin"' in version.tags["attention"]
    terms = {row.name for row in tracking.read_frame(version, "weights").collect()}
    assert "genre Drama @ device tv" in terms
    assert "genre Late @ device tv" not in terms
    # Without circumstances it has a level of its own, for they are worth something on average.
    models = Models(None, version, None, tracking.read_frame)
    assert models.plain is not None
    assert models.plain.weights.keys() == set(NUMBERS)
    assert abs(models.plain.intercept - models.worth.intercept) > 0.01

    tracker = tracking.start("recommend", "compose_home", Window.of_day(MONDAY), "run")
    pages = composed(inputs, tracker, models={HOME_RANKER.name: version})
    assert {row.ranker_version for row in pages.select("ranker_version").distinct().collect()} == {
        1
    }
    assert {
        row.recommender_version for row in pages.select("recommender_version").distinct().collect()
    } == {None}
    assert RECOMMENDER.name not in version.tags

    # Judged beside what it tells of itself without circumstances; of a version that does not tell, beside all else.
    untold = replace(version, tags={n: t for n, t in version.tags.items() if n != PLAIN})
    job = JOBS["judge_home"]
    params = job.params.model_validate({"pages": {"grid": GRID}, "days": 1})
    played = inputs | {VIEWING_SESSIONS: rows(spark, VIEWING_SESSIONS, session("ann", 22, 0))}
    for known, told in ((version, True), (untold, False)):
        tracker = tracking.start("recommend", job.name, Window.of_day(MONDAY), "run")
        judged = rehearse(
            job,
            played,
            MONDAY + timedelta(days=1),
            params=params,
            models={HOME_RANKER.name: known},
            tracker=tracker,
        )[HOME_SCORES]
        policies = {row.policy for row in judged.collect()}
        assert policies == {"page", "list", "popular"} | ({PLAIN} if told else set())


@pytest.mark.thorough
def test_circumstances_that_make_a_ranker_worse_are_left_out_of_it(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    def chosen(n: int, ago: int, number: int) -> bool:
        """Drama on televisions, else comedies, and at times what is for families; on the last day, which judges, the
        other way round.
        """
        if ago > 1 and (n + ago) % 5 == 0:
            return number % 3 == 2
        on_tv = screen(n, ago) == "tv"
        return number % 3 == (0 if on_tv == (ago > 1) else 1)

    tracking = Tracking.beside_lake(str(tmp_path))
    trained(spark, inputs, tracking, chosen, count=36)
    (version,) = tracking.versions(HOME_RANKER)
    assert "circumstances are left out, for with them" in version.reason
    terms = {row.name for row in tracking.read_frame(version, "weights").collect()}
    assert not any(" @ " in term for term in terms)
    models = Models(None, version, None, tracking.read_frame)
    assert models.plain == models.worth


def screen(n: int, ago: int) -> str:
    """On which a profile looked at its page, so many days ago."""
    return "tv" if (n + ago) % 2 else "phone"


def trained(
    spark: SparkSession,
    inputs: Inputs,
    tracking: Tracking,
    is_chosen: Callable[[int, int, int], bool],
    count: int = 12,
) -> None:
    """Run the training of the ranker on eleven days of pages, by what each of so many profiles chose, so many days ago,
    of titles.
    """
    people = [f"p{n}" for n in range(count)]
    signals = [
        signal(name, number, 30 + n % 5)
        for n, name in enumerate(people)
        for number in range(n % 3, 15, 3)
    ]
    tiles = [
        {
            "profile_id": name, "shown_date": MONDAY - timedelta(days=ago), "page": 1, "row": 1, "rank": rank,
            "title_id": f"t{number:02}", "shown_at": datetime(2026, 3, 1), "device_class": screen(n, ago),
            "daypart": "evening", "page_day": MONDAY - timedelta(days=ago), "was_seen": True,
            "is_chosen": is_chosen(n, ago, number),
        }
        for n, name in enumerate(people)
        for ago in range(1, 12)
        for rank, number in enumerate((15 + ago % 9, 15 + (ago + 1) % 9, 15 + (ago + 2) % 9))
    ]  # fmt: skip
    # When tiles had been shown already, the catalogue came to say something else.
    since = change(datetime(2026, 3, 14), genres=["Late"])
    later = rows(spark, TITLES, *(title(number) | since for number in range(30)))
    told = inputs | {
        TITLES: inputs[TITLES].unionByName(later),
        TITLE_SIGNALS: rows(spark, TITLE_SIGNALS, *signals),
        SHOWN_TILES: rows(spark, SHOWN_TILES, *tiles),
        TITLE_EXPOSURES: spark.createDataFrame([], TITLE_EXPOSURES.schema),
        PROFILES: rows(spark, PROFILES, *map(adult, people)),
        PROFILE_INDEX: rows(spark, PROFILE_INDEX, *indexed("profile_id", people)),
        TITLE_INDEX: rows(
            spark, TITLE_INDEX, *indexed("title_id", [f"t{n:02}" for n in range(30)])
        ),
    }
    job = JOBS["train_home_ranker"]
    params = job.params.model_validate(
        {
            "recipe": {"penalty": 1.0, "tiles_of_a_term": 5},
            "taste": {
                "als": {"rank": 3, "reg_param": 0.05, "iterations": 5, "blocks": 2},
                "mixture": {"classes": 4, "rank": 1, "iterations": 2},
            },
        }
    )
    tracker = tracking.start("recommend", job.name, Window.of_day(MONDAY), "run")
    rehearse(job, told, MONDAY, params=params, tracker=tracker)
    tracker.finish()
