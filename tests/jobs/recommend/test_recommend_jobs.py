"""From ratings to lists: ids, a model that earns its place or does not, and the day's lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows

from cinelake.recommend import model
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.service import TOLD
from cinelake.recommend.strengths import Weights
from cinelake.recommend.top_n import top_n
from cinelake.recommend.training import Comparison
from cinelake.recommend.validation import as_recipes
from cinelake.runtime.job import Job, JobParams
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import RehearsalTracker, rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.tracking.versions import CHALLENGER, CHAMPION, ModelVersion
from cinelake.runtime.windows import Window
from cinelake.tables.behaviour import TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import (
    PROFILE_INDEX,
    RECIPES,
    RECOMMENDATIONS,
    RECOMMENDER,
    SIMILAR_TITLES,
    TITLE_INDEX,
    TRAINING_HEALTH,
)

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONDAY = date(2026, 3, 16)
SMALL: dict[str, Any] = {
    "holdouts": 1,
    "holdout_share": 0.3,
    "top": 4,
    "ks": [2],
    "rivals": [],
    # One fit more, which one of the tests makes.
    "hiding": {"share": 0.0},
    "recipe": {
        "als": {"rank": 2, "reg_param": 0.1, "iterations": 3, "blocks": 2},
        "mixture": {"classes": 4, "rank": 1, "iterations": 2},
    },
}
SEARCH: dict[str, Any] = {
    "trials": 3, "top": 4, "gate_holdouts": 1, "gate_share": 0.3, "blocks": 1, "share": 0.3,
    # Regularised until nothing is left but popularity, and better anywhere else.
    "recipe": {
        "als": {"rank": 1, "reg_param": 50.0, "iterations": 1, "blocks": 2},
        "mixture": {"classes": 2, "rank": 1, "iterations": 1},
    },
    "space": {
        "rank": [2], "reg_param": {"low": 0.01, "high": 0.1}, "alpha": {"low": 5, "high": 5},
        "half_life_days": [], "like_from": [], "wanted_from": {"low": 0.5, "high": 0.5},
        "on_list": {"low": 0.5, "high": 0.5}, "abandoned": {"low": -0.3, "high": -0.3},
        # There is nothing but ratings, which count as they are configured.
        "rating": {"low": 1, "high": 1},
    },
}  # fmt: skip
Rating = tuple[str, str, float, datetime]


def _frame(spark: SparkSession, ratings: Iterable[Rating]) -> DataFrame:
    told = (
        {
            "profile_id": profile,
            "title_id": title,
            "signal_date": at.date(),
            "rating": stars,
            "rated_at": at,
        }
        for profile, title, stars, at in ratings
    )
    return rows(spark, TITLE_SIGNALS, *told)


def _two_tastes(stars: float = 5.0) -> list[Rating]:
    """Sixteen profiles rate the even titles and eight the odd ones, one a day for twelve days."""
    return [
        (f"p{profile}", f"t{title:02}", stars, FIRST + timedelta(days=place))
        for profile in range(24)
        for place, title in enumerate(
            sorted(
                range(1 if profile % 3 == 0 else 0, 24, 2), key=lambda t: (t * 7 + profile * 5) % 24
            )
        )
    ]


def _title(number: int, **said: Any) -> dict[str, Any]:
    """A title as the catalogue has had it since the day before the first rating."""
    since = FIRST - timedelta(days=1)
    told = {"title_id": f"t{number:02}", "name": f"Title {number}", "effective_from": since}
    return told | {"effective_date": since.date()} | said


# Two that nobody has watched: one says what it is, the other nothing that is known.
CATALOGUE = [
    *(_title(n, themes=["Even" if n % 2 == 0 else "Odd"]) for n in range(24)),
    _title(50, themes=["Even"]),
    _title(51, themes=["Unheard"]),
]


class Service:
    """The three jobs after one another on one set of ratings, with a real MLflow store."""

    def __init__(
        self,
        spark: SparkSession,
        home: Path,
        ratings: list[Rating],
        titles: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.spark = spark
        self.titles = rows(spark, TITLES, *titles)
        self.tracking = Tracking.beside_lake(str(home))
        self.signals = _frame(spark, ratings)
        self.searched: dict[Table, DataFrame] = {}
        self.maps: dict[Table, DataFrame] = {
            table: spark.createDataFrame([], table.schema) for table in (PROFILE_INDEX, TITLE_INDEX)
        }
        end = MONDAY + timedelta(days=1)
        outputs = rehearse(
            JOBS["index_ids"], {TITLE_SIGNALS: self.signals, **self.maps}, FIRST.date(), end
        )
        self.maps = {
            table: spark.createDataFrame(outputs[table].collect(), table.schema)
            for table in self.maps
        }

    # What the newest training or search warned of, and rows of health of the newest training.
    warnings: Sequence[str] = ()
    health: Sequence[dict[str, Any]] = ()

    def train(self, day: date = MONDAY, **params: Any) -> Tracker:
        tracker = self.tracking.start("recommend", "train_recommender", Window.of_day(day), "run")
        given: JobParams = JOBS["train_recommender"].params.model_validate(SMALL | params)
        nothing = self._untold(*TOLD, RECIPES)
        known = {TITLE_SIGNALS: self.signals, TITLES: self.titles}
        inputs = nothing | known | self.maps | self.searched
        trained = rehearse(JOBS["train_recommender"], inputs, day, params=given, tracker=tracker)
        self.warnings = trained.warnings
        self.health = trained[TRAINING_HEALTH].toArrow().to_pylist()
        tracker.finish()
        return tracker

    def _untold(self, *tables: Table) -> dict[Table, DataFrame]:
        return {table: self.spark.createDataFrame([], table.schema) for table in tables}

    def search(self, day: date = MONDAY, **params: Any) -> RehearsalTracker | Tracker:
        tracker = params.pop("tracker", None) or RehearsalTracker("recommend")
        given: JobParams = JOBS["search_recipe"].params.model_validate(SEARCH | params)
        inputs = {TITLE_SIGNALS: self.signals, **self.maps}
        inputs |= self._untold(*TOLD)
        found = rehearse(JOBS["search_recipe"], inputs, day, params=given, tracker=tracker)
        self.searched = {RECIPES: found[RECIPES].localCheckpoint()}
        self.warnings = found.warnings
        return tracker

    def chosen(self) -> dict[str, Row]:
        """What the newest search chose, by kind."""
        return {row.kind: row for row in self.searched[RECIPES].collect()}

    def lists(
        self,
        day: date = MONDAY,
        said: dict[str, str] | None = None,
        tracker: Tracker | None = None,
    ) -> DataFrame:
        """The day's lists by the newest approved version, as if some of its tags were others."""
        if tracker is None:
            tracker = self.tracking.start(
                "recommend", "recommend_titles", Window.of_day(day), "run"
            )
        approved = self.tracking.newest_approved(RECOMMENDER, day)
        if approved:
            approved = replace(approved, tags=dict(approved.tags) | (said or {}))
        outputs = rehearse(
            JOBS["recommend_titles"],
            {TITLE_SIGNALS: self.signals, **self._untold(*TOLD), TITLES: self.titles},
            day,
            params=JOBS["recommend_titles"].params.model_validate({"titles": 3}),
            models={RECOMMENDER.name: approved} if approved else {},
            tracker=tracker,
        )
        return outputs[RECOMMENDATIONS]

    def relate(self, version: ModelVersion) -> DataFrame:
        """The day's lists of similar titles, by a version as it is given."""
        outputs = rehearse(
            JOBS["relate_titles"],
            {
                TITLE_SIGNALS: self.signals,
                TITLES: self.titles,
                SIMILAR_TITLES: self.spark.createDataFrame([], SIMILAR_TITLES.schema),
            },
            MONDAY,
            models={RECOMMENDER.name: version},
            tracker=self.tracking.start("recommend", "relate_titles", Window.of_day(MONDAY), "run"),
        )
        return outputs[SIMILAR_TITLES]


@pytest.fixture(scope="module")
def service(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Service:
    today = datetime(2026, 3, 16, 12, tzinfo=UTC)
    of_today = [("newcomer", "t00", 1.0, today)]
    ratings = _two_tastes() + of_today
    made = Service(spark, tmp_path_factory.mktemp("service"), ratings, CATALOGUE)
    recipe = HybridRecipe.model_validate(SMALL["recipe"])
    row = {
        "as_of": MONDAY, "kind": "hybrid", "recipe": recipe.model_dump_json(),
        "weights": Weights(like_from=4.5).model_dump_json(), "objective": "ndcg_at_4", "mean": 0.5,
        "configured_mean": 0.25, "trials": 7, "pruned": 2, "measured_until": FIRST.date(), "search": "s",
    }  # fmt: skip
    made.searched = {RECIPES: as_recipes(made.signals, [row])}
    return made


def test_ids_get_integers_once_and_keep_them(spark: SparkSession, service: Service) -> None:
    late = _frame(spark, [("p99", "t00", 5.0, FIRST), ("p0", "t99", 5.0, FIRST)])

    again = rehearse(JOBS["index_ids"], {TITLE_SIGNALS: late, **service.maps}, FIRST.date())

    expected = spark.createDataFrame([("p99", 25, FIRST.date())], PROFILE_INDEX.schema)
    assert_df_equality(again[PROFILE_INDEX], expected, ignore_nullable=True, ignore_metadata=True)
    expected = spark.createDataFrame([("t99", 24, FIRST.date())], TITLE_INDEX.schema)
    assert_df_equality(again[TITLE_INDEX], expected, ignore_nullable=True, ignore_metadata=True)
    numbers = {row.idx for row in service.maps[PROFILE_INDEX].collect()}
    assert numbers == set(range(25))


@pytest.mark.thorough
def test_a_model_is_trained_judged_and_used_and_training_again_makes_no_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(service.tracking.client, "update_model_version", killed)
        with pytest.raises(ConnectionAbortedError):
            service.train(recipe={"als": {"rank": 3}})
    assert service.tracking.newest_approved(RECOMMENDER, MONDAY) is None

    # Configured is another, but a search has chosen.
    service.train(recipe={"als": {"rank": 3}})

    (version,) = service.tracking.versions(RECOMMENDER)
    assert HybridRecipe.model_validate_json(version.tags["recipe"]).als.rank == 2
    assert Weights.model_validate_json(version.tags["weights"]).like_from == 4.5
    assert version.tags["recipe.from"] == "search of 2026-03-16: ndcg_at_4 0.5000 after 7 trials"
    assert version.approved
    assert version.trained_through == MONDAY
    assert "beats popularity" in version.reason
    assert service.tracking.at_alias(RECOMMENDER, CHALLENGER) == version
    assert service.tracking.at_alias(RECOMMENDER, CHAMPION) == version
    report = service.tracking.report(version)
    assert report.params["als.fitted_rank"] == "2"
    assert report.metrics["challenger.ndcg_at_4"] > report.metrics["popular.ndcg_at_4"]
    # Of the twelve days before there are signals, and all titles were known.
    assert report.metrics["signal_strength_psi"] == pytest.approx(0.0, abs=0.01)
    assert report.metrics["new_title_share"] == 0.0
    pictures = service.tracking.client.list_artifacts(version.run_id)
    assert [picture.path for picture in pictures] == ["model_card.html", "quality.png"]
    assert version.tags["model_card"] == f"runs:/{version.run_id}/model_card.html"

    lists = service.lists()

    by_source = {
        row.source: row.n
        for row in lists.groupBy("source").agg(F.countDistinct("profile_id").alias("n")).collect()
    }
    assert by_source == {"history": 24, "popular": 1}
    seen = service.signals.select("profile_id", "title_id")
    assert lists.join(seen, on=["profile_id", "title_id"], how="left_semi").isEmpty()
    assert {row.model_version for row in lists.where("source = 'history'").collect()} == {1}
    # What nobody has watched comes first for those whose taste it is.
    cold = lists.where("is_cold").select("profile_id", "title_id", "rank").collect()
    assert {(row.profile_id, row.rank) for row in cold if row.title_id == "t50"} >= {
        (f"p{n}", 1) for n in range(24) if n % 3
    }
    assert {row.title_id for row in cold} == {"t50"}
    # Its reasons are other even titles, and that is what they share.
    told = lists.where("title_id = 't50'").select("because", "shared").collect()
    assert all(row.shared == [["theme Even"]] * len(row.because) for row in told)
    assert all(row.because for row in told)
    assert {row.is_cold for row in lists.where("source = 'popular'").collect()} == {None}


@pytest.mark.thorough
def test_lists_that_are_made_again_are_the_same(service: Service) -> None:
    service.train()
    assert_df_equality(service.lists(), service.lists(), ignore_row_order=True)


@pytest.mark.thorough
def test_how_much_the_index_of_a_large_catalogue_finds_is_a_metric(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.train()
    metrics = []
    for titles in (10, 200_000):
        monkeypatch.setattr(model, "top_n", partial(top_n, exact_up_to=titles))
        tracker = service.tracking.start(
            "recommend", "recommend_titles", Window.of_day(MONDAY), "run"
        )
        service.lists(tracker=tracker)
        tracker.finish()
        run = service.tracking.client.get_run(tracker.mlflow_run_id)
        metrics.append(
            {name: run.data.metrics.get(name) for name in ("index_recall", "index_probed")}
        )

    indexed, exact = metrics
    assert exact == {"index_recall": None, "index_probed": None}
    assert 0.98 <= indexed["index_recall"] <= 1
    assert 1 <= indexed["index_probed"] <= 5


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_what_a_search_chose_is_trained_with_and_a_longer_search_repeats_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(spark, tmp_path, _two_tastes(), CATALOGUE)
    tracker = service.search(trials=2)
    assert isinstance(tracker, RehearsalTracker)
    lines = ["hybrid", "ease", "item_item", "blend"]
    assert list(tracker.children) == ["trial 0", "trial 1", *lines]
    two = service.chosen()["als"]
    first = {name: tracker.children[name] for name in ("trial 0", "trial 1")}

    service.search(trials=4, tracker=tracker)

    row, hybrid, blend = (service.chosen()[kind] for kind in ("als", "hybrid", "blend"))
    assert (row.as_of, row.kind, row.trials, row.objective) == (MONDAY, "als", 4, "ndcg_at_4")
    assert (two.trials, two.search, two.configured_mean) == (2, row.search, row.configured_mean)
    assert row.mean > row.configured_mean
    # The gate has the ratings of the newest four days, and none of them is looked at.
    assert row.measured_until == date(2026, 3, 9)
    trials = [name for name in tracker.children if name not in lines]
    assert trials == [f"trial {number}" for number in range(4)]
    assert {name: tracker.children[name] for name in first} == first
    assert tracker.children["trial 0"].params["reg_param"] == 50.0
    assert tracker.children["trial 0"].metrics["ndcg_at_4"] == row.configured_mean
    assert tracker.pictures == ["search.png", "search.png"]
    assert json.loads(blend.recipe)["als"] == json.loads(row.recipe)
    assert json.loads(hybrid.recipe)["als"] == json.loads(row.recipe)
    assert hybrid.mean >= row.mean > hybrid.configured_mean
    assert blend.mean >= blend.configured_mean > 0
    assert service.chosen().keys() == {"als", "hybrid", "ease", "blend", "item_item"}
    assert (blend.weights, blend.measured_until) == (row.weights, row.measured_until)

    # Each rival is what was chosen for it, fitted to what it was tuned on: nobody stands back for weights of others.
    told: dict[str, Any] = {}
    named = JOBS["train_recommender"].function.__globals__
    compare = named["compare"]

    def spied(splits: Any, recipes: Any, **how: Any) -> Any:
        told.update(recipes=recipes, learned=how["learned"])
        return compare(splits, recipes, **how)

    monkeypatch.setitem(named, "compare", spied)
    rivals = {"rivals": ["als", "blend", "ease", "item_item"]}
    trained = service.train(recipe=SEARCH["recipe"], hiding={"share": 0.2, "k": 4}, **rivals)

    assert told["learned"].keys() == {"challenger", *rivals["rivals"]}
    for kind in ("blend", "ease", "item_item"):
        stored = service.chosen()[kind]
        assert told["recipes"][kind].model_dump_json() == stored.recipe, kind
        assert told["learned"][kind].model_dump_json() == stored.weights, kind
    assert told["learned"]["als"] == told["learned"]["challenger"]

    (version,) = service.tracking.versions(RECOMMENDER)
    assert service.tracking.report(version).metrics["cold_titles.lift"] > 1
    assert (version.tags["recipe"], version.tags["weights"]) == (hybrid.recipe, hybrid.weights)
    tags = service.tracking.client.get_run(trained.mlflow_run_id).data.tags
    assert tags["recipe.from"].startswith("search of 2026-03-16: ndcg_at_4 ")
    assert service.tracking.report(version).metrics["blend.ndcg_at_4"] > 0.5


@pytest.mark.thorough
def test_a_search_with_nothing_to_search_on_chooses_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    service = Service(spark, tmp_path, [("ann", f"t{n}", 5.0, FIRST) for n in range(5)])

    tracker = service.search()

    assert service.searched[RECIPES].isEmpty()
    assert isinstance(tracker, RehearsalTracker)
    assert "lower `gate_share`" in str(tracker.tags["skipped"])


@pytest.mark.thorough
def test_a_search_goes_on_from_the_trials_that_mlflow_knows(
    spark: SparkSession, tmp_path: Path
) -> None:
    service = Service(spark, tmp_path, _two_tastes())

    def again(trials: int, **limits: float) -> list[str]:
        tracker = service.tracking.start("recommend", "search_recipe", Window.of_day(MONDAY), "r")
        service.search(trials=trials, tracker=tracker, **limits)
        tracker.finish()
        below = f"tags.`mlflow.parentRunId` = '{tracker.mlflow_run_id}'"
        found = service.tracking.client.search_runs(
            [tracker.tracking.experiment("recommend")], below
        )
        return sorted(run.info.run_name for run in found)

    # Time is up at once: one trial is made all the same, and no other kind is tuned.
    assert again(2, minutes=1e-6) == ["trial 0"]
    assert service.chosen().keys() == {"als"}
    assert "time was up before these were tuned: hybrid, ease" in service.warnings[0]
    assert again(2) == ["blend", "ease", "hybrid", "item_item", "trial 1"]
    two = service.searched[RECIPES].collect()
    assert again(2) == []
    assert service.searched[RECIPES].collect() == two
    assert [name for name in again(3) if name.startswith("trial")] == ["trial 2"]


def test_what_is_usual_is_told_by_trainings_that_passed() -> None:
    def version(number: int, gate: str) -> ModelVersion:
        through = FIRST.date() + timedelta(days=number)
        return ModelVersion("recommender", number, "", through, "run", {"gate": gate})

    gates = {5: "failed", 4: "passed", 3: "failed", 2: "passed"}
    reported = {5: 0.1, 4: 0.5, 3: 0.2, 2: 0.7}
    tracker = RehearsalTracker("recommend")
    tracking = SimpleNamespace(
        versions=lambda _: [version(*each) for each in gates.items()],
        report=lambda one: SimpleNamespace(
            metrics={"challenger.ndcg_at_10": reported[one.version]}
        ),
    )
    run = SimpleNamespace(
        tracker=SimpleNamespace(tracking=tracking, log_metrics=tracker.log_metrics),
        params=JOBS["train_recommender"].params(), start=MONDAY, end=MONDAY + timedelta(days=1),
    )  # fmt: skip
    own = {
        "model": "challenger",
        "measure": "ndcg_at_10",
        "profiles": 40,
        "mean": 0.3,
        "low": 0.2,
        "high": 0.4,
    }

    (row,) = JOBS["train_recommender"].function.__globals__["_health"](
        run, Comparison(10, [own], [], [], cold=[])
    )

    assert tracker.metrics == {"challenger.ndcg_at_10.before": pytest.approx(0.6)}
    assert row["is_alarm"]


@pytest.mark.thorough
def test_a_worse_recipe_is_refused_and_the_champion_stays(service: Service) -> None:
    service.train()
    assert service.warnings == []
    (well,) = service.health
    assert (well["day"], well["measure"], well["value"]) == (MONDAY, "ndcg", pytest.approx(1.0))
    assert (well["counted"], well["is_alarm"]) == (24, False)
    # From where it starts, its one factor tells how popular a title is, and no tastes apart.
    dull = {
        "als": {"rank": 1, "reg_param": 0.1, "iterations": 3, "blocks": 2, "seed": 1},
        "share": 0.0,
    }

    older = sum(version.approved for version in service.tracking.versions(RECOMMENDER))
    # Another day, for a rehearsal knows its inputs by the day only.
    service.train(MONDAY + timedelta(days=7), recipe=dull, searched=False)

    refused, champion, *_ = service.tracking.versions(RECOMMENDER)
    assert not refused.approved
    assert "is below the champion's recipe" in refused.reason
    (warning,) = service.warnings
    assert warning.startswith("nDCG@4 fell to ")
    # Other tests may have trained with other settings before.
    which = "the last training" if older == 1 else f"the mean of the last {older} trainings"
    assert f" from 1.0000, {which} that passed, by more than 20%; " in warning
    metrics = service.tracking.report(refused).metrics
    assert metrics["challenger.ndcg_at_4.before"] == pytest.approx(1.0)
    # A fall is a row, too, of the day of the training, and a rerun writes the same.
    (row,) = service.health
    assert (row["day"], row["is_alarm"]) == (MONDAY + timedelta(days=7), True)
    assert (row["baseline"], row["message"]) == (pytest.approx(1.0), warning)
    service.train(MONDAY + timedelta(days=7), recipe=dull, searched=False)
    assert (service.health, service.warnings) == ([row], [warning])
    # All that came in the week before is one rating, of a title that was not liked.
    assert metrics["signal_strength_psi"] > 1
    assert metrics["signal_kind_psi"] < 0.3
    assert service.tracking.at_alias(RECOMMENDER, CHAMPION) == champion
    assert service.tracking.newest_approved(RECOMMENDER, MONDAY + timedelta(days=7)) == champion


@pytest.mark.thorough
def test_a_model_of_other_features_makes_no_lists_and_stops_no_training(
    spark: SparkSession, tmp_path: Path
) -> None:
    service = Service(spark, tmp_path, _two_tastes(), CATALOGUE)
    service.train()
    (old,) = service.tracking.versions(RECOMMENDER)
    strange = '{"depth": 3}'

    of_this = "cannot be made with version 1 of model 'cinelake.recommend.recommender'"
    for tag, told in (
        ("recipe", "setting of 'hybrid'.*depth"),
        ("weights", "'weights'.*depth"),
        ("content", "'content'.*depth"),
        ("content.newness", "'content.newness'.*slope"),
    ):
        with pytest.raises(ValueError, match=rf"lists {of_this}.*{told}.*train_recommender"):
            service.lists(said={tag: strange})
    with pytest.raises(ValueError, match=rf"titles {of_this}.*content.*depth.*train_recommender"):
        service.relate(replace(old, tags=dict(old.tags) | {"content": strange}))
    untold = {name: text for name, text in old.tags.items() if name != "content"}
    with pytest.raises(ValueError, match=rf"titles {of_this}.*content is missing.*model rollback"):
        service.relate(replace(old, tags=untold))

    service.tracking.client.set_model_version_tag(old.name, str(old.version), "recipe", strange)
    service.train(MONDAY + timedelta(days=7))

    new, _ = service.tracking.versions(RECOMMENDER)
    assert new.approved
    assert "version 1, cannot be fitted anew" in new.reason
    assert "depth" in new.reason


@pytest.mark.thorough
def test_one_title_only_leaves_nothing_to_tell_models_apart_and_nothing_to_list(
    spark: SparkSession, tmp_path: Path
) -> None:
    same = [(f"p{n}", "t00", 5.0, FIRST + timedelta(days=n)) for n in range(12)]
    service = Service(spark, tmp_path, [*same, ("late", "t00", 2.0, FIRST)])

    service.train()

    (version,) = service.tracking.versions(RECOMMENDER)
    assert not version.approved
    assert "nothing could be held out" in version.reason
    tracker = RehearsalTracker("recommend")
    assert service.lists(tracker=tracker).isEmpty()
    assert tracker.metrics["viewers_without_list"] == 13


@pytest.mark.thorough
def test_where_nobody_liked_anything_no_model_is_made_and_lists_are_popular(
    spark: SparkSession, tmp_path: Path
) -> None:
    service = Service(spark, tmp_path, _two_tastes(stars=2.0))

    tracker = service.train()

    assert service.tracking.versions(RECOMMENDER) == []
    tags = service.tracking.client.get_run(tracker.mlflow_run_id).data.tags
    assert "lower `weights.wanted_from`" in tags["skipped"]
    lists = service.lists()
    assert {row.source for row in lists.collect()} == {"popular"}
    assert lists.select("profile_id").distinct().count() == 24


@pytest.mark.thorough
def test_a_single_profile_trains_a_model_that_nothing_speaks_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    alone = [("ann", f"t{n}", 5.0, FIRST) for n in range(5)]
    service = Service(spark, tmp_path, alone)

    service.train()

    (version,) = service.tracking.versions(RECOMMENDER)
    assert not version.approved
    assert "nothing could be held out" in version.reason
    assert service.lists().isEmpty()


@pytest.mark.thorough
def test_titles_are_related_as_of_the_day(service: Service) -> None:
    said = (
        _title(n, genres=["Even" if n % 2 == 0 else "Odd"], synopsis=f"word{n // 6}")
        for n in range(24)
    )
    titles = rows(service.spark, TITLES, *said)
    tracker = service.tracking.start("recommend", "relate_titles", Window.of_day(MONDAY), "run")
    approved = service.tracking.newest_approved(RECOMMENDER, MONDAY)
    before = [
        (MONDAY - timedelta(days=7), one, 1, other, 1.0, 1.0, 1.0, 1.0, [])
        for one, other in (("t00", "t14"), ("t14", "t00"))
    ]
    inputs = {
        TITLE_SIGNALS: service.signals,
        TITLES: titles,
        SIMILAR_TITLES: service.spark.createDataFrame(before, SIMILAR_TITLES.schema),
    }
    out = rehearse(
        JOBS["relate_titles"],
        inputs,
        MONDAY,
        params=JOBS["relate_titles"].params.model_validate({"titles": 4}),
        models={RECOMMENDER.name: approved} if approved else {},
        tracker=tracker,
    )
    tracker.finish()
    metrics = service.tracking.client.get_run(tracker.mlflow_run_id).data.metrics
    # The only two that had lists, of one title each, and both right.
    assert metrics == {"precision_at_10": 0.1, "precision_at_10.at_random": 1, "titles_judged": 2}
    found = out[SIMILAR_TITLES].collect()
    assert {row.as_of for row in found} == {MONDAY}
    assert len(found) == 24 * 4
    # Nobody likes an even title and an odd one.
    assert all(int(row.title_id[1:]) % 2 == int(row.similar_id[1:]) % 2 for row in found)
    assert out.quarantined(SIMILAR_TITLES).isEmpty()
