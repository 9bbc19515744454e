"""The jobs as they are, run after one another on a small folder: from what lands to a model and its lists."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from conftest import Silent, make_settings
from pyspark.sql import DataFrame, Row, SparkSession

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.landing import import_folder, importers
from cinelake.runtime.runs.pipeline import Request
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.versions import CHALLENGER, CHAMPION
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import RATINGS, TITLES
from cinelake.tables.catalog import all_tables
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.ingest import BRONZE_RATINGS
from cinelake.tables.recommend import RECOMMENDATIONS, RECOMMENDER
from cinelake.tables.system import QUARANTINE

JOBS_FOLDER = Path(__file__).parents[2] / "jobs"
# The fourteenth of July 2017, a Friday: models are trained on the Monday after it.
FRIDAY, DAY_S = 1_500_000_000, 86_400
PEOPLE, FILMS, RATED = 20, 24, 9
# A drama that nobody has rated.
NEW = FILMS + 1
# One model of few factors, judged by one look, beside what is popular.
SMALL = {
    "train_recommender": {
        "holdouts": 1,
        "holdout_share": 0.3,
        "top": 4,
        "ks": [],
        "rivals": [],
        "hiding": {"share": 0.0},
        "recipe": {
            "als": {"rank": 2, "reg_param": 0.1, "iterations": 3, "blocks": 1},
            "mixture": {"classes": 4, "rank": 1, "iterations": 2},
        },
    }
}


def rated(user: int) -> list[int]:
    """Nine of the twelve films of one's taste: those of even numbers, or those of odd ones."""
    own = range(1 + user % 2, FILMS + 1, 2)
    return sorted(own, key=lambda film: film * 7 * user % 25)[:RATED]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in the ml-latest layout, of four days, with one line that is torn."""
    path = tmp_path / "ml-latest-small"
    path.mkdir()
    films = [f"{n},Film {n} (1990),{'Drama' if n % 2 else 'Comedy'}" for n in range(1, NEW + 1)]
    ratings = [
        f"{user},{film},{5.0 if place % 3 else 4.0},{FRIDAY + place % 4 * DAY_S + place}"
        for user in range(1, PEOPLE + 1)
        for place, film in enumerate(rated(user))
    ]
    for name, heading, lines in (
        ("movies", "movieId,title,genres", films),
        ("ratings", "userId,movieId,rating,timestamp", [*ratings, "1,2"]),
        ("tags", "userId,movieId,tag,timestamp", []),
        ("links", "movieId,imdbId,tmdbId", []),
    ):
        (path / f"{name}.csv").write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def workspace(spark: SparkSession, tmp_path: Path, tracking: Tracking) -> Workspace:
    plain = make_settings(tmp_path / "lake")
    secret = {"pseudonym_key": "a secret for pseudonyms that is long enough"}
    settings = plain.model_validate(plain.model_dump() | {"secrets": secret, "jobs": SMALL})
    made = Workspace(settings, spark, JOBS_FOLDER)
    made.tracking = tracking
    return made


def versions(lake: Lake) -> dict[str, int | None]:
    return {name: lake.version(table) for name, table in all_tables().items() if lake.exists(table)}


def by_profile(rows: DataFrame) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows.collect():
        found[row["profile_id"]].append(row)
    return found


@pytest.mark.timeout(600)
def test_ratings_become_a_model_and_lists_once(workspace: Workspace, folder: Path) -> None:
    lake, until = workspace.lake, Request(until="recommend_titles")
    landed = import_folder(importers()["movielens"], folder, Path(workspace.settings.landing))
    counts = landed.sources["ratings"]
    assert (counts.good, counts.rejections) == (PEOPLE * RATED, 1)

    summary = workspace.pipeline().run(until, Silent())

    assert summary.succeeded, [report.error for report in summary.reports if report.error]
    assert summary.exit_code == 0
    assert summary.data_through == "2017-07-18T00:00:00+00:00"
    drawn = {balance.source: balance for balance in summary.balances}
    assert {name: balance.missing for name, balance in drawn.items() if balance.missing} == {}
    assert (drawn["landing/ratings"].given, drawn["landing/ratings"].kept) == (counts.landed, 180)
    assert lake.read(BRONZE_RATINGS).count() == 180
    [torn] = lake.read(QUARANTINE).select("target", "reasons").collect()
    why = "malformed_line: 2 fields instead of 4"
    assert torn == Row(target="bronze_ratings", reasons=[why])
    assert (lake.read(RATINGS).count(), lake.read(TITLE_SIGNALS).count()) == (180, 180)
    assert lake.read(TITLES).count() == NEW

    [model] = workspace.tracking.versions(RECOMMENDER)
    assert model.approved, model.reason
    for alias in (CHALLENGER, CHAMPION):
        assert workspace.tracking.at_alias(RECOMMENDER, alias) == model

    seen, lists = by_profile(lake.read(RATINGS)), by_profile(lake.read(RECOMMENDATIONS))
    assert len(seen) == PEOPLE
    assert lists.keys() == seen.keys()
    firsts, cold = 0, set()
    for profile, listed in lists.items():
        known = {int(row["title_id"]) for row in seen[profile]}
        inorder = [int(row["title_id"]) for row in sorted(listed, key=lambda row: row["rank"])]
        # All that it has not seen, and each once.
        assert len(set(inorder)) == len(inorder)
        assert set(inorder) - {NEW} == set(range(1, FILMS + 1)) - known
        [taste] = {film % 2 for film in known}
        firsts += inorder[0] % 2 == taste
        cold |= {int(row["title_id"]) for row in listed if row["is_cold"]}
        told = {(row["source"], row["model_version"]) for row in listed}
        assert told == {("history", model.version)}
    # Most lists begin with what is left of a taste; a fifth would by chance.
    assert firsts > PEOPLE / 2
    assert cold == {NEW}

    before = versions(lake)
    again = workspace.pipeline().run(until, Silent())
    assert {report.status for report in again.reports} <= {"up to date", "nothing landed"}
    assert versions(lake) == before
    assert workspace.tracking.versions(RECOMMENDER) == [model]
