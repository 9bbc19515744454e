"""What people ask of a lake that the commands have filled: `cinelake recommend`, `leaderboard`, `plan`, `run` again."""

from __future__ import annotations

import json
from pathlib import Path

from soak.conftest import Service


def told(service: Service, *words: str) -> str:
    process = service.command(*words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return out


def test_recommend_shows_lists_of_the_profiles_that_are_asked_for(
    undisturbed: tuple[Service, float],
) -> None:
    service, _ = undisturbed
    page = told(service, "recommend", "1", "42", "--titles", "3")
    assert page.index("Profile 1") < page.index("Profile 42")
    # Each title of the folder is called Film; three stand on either side of both pages.
    assert page.count("Film ") == 12
    nobody = service.command("recommend", "4711")
    _, err = nobody.communicate(timeout=300)
    assert nobody.returncode != 0
    assert "no profile '4711' has a list" in " ".join(err.split())


def test_leaderboard_shows_the_model_beside_popularity(
    undisturbed: tuple[Service, float],
) -> None:
    page = told(undisturbed[0], "leaderboard")
    assert "popularity" in page
    assert "nDCG" in page
    assert "gate: " in page


def test_a_second_run_finds_nothing_to_do(undisturbed: tuple[Service, float]) -> None:
    service, _ = undisturbed
    again = service.run("run")
    assert again["status"] == "succeeded"
    assert again["rows_out"] == 0
    assert "nothing is stale" in told(service, "plan", "--stale")


def test_the_report_shows_jobs_tables_and_the_model(
    undisturbed: tuple[Service, float], tmp_path: Path
) -> None:
    service, _ = undisturbed
    told(service, "report", "--out", str(tmp_path / "of" / "today.html"))
    page = (tmp_path / "of" / "today.html").read_text("utf-8")
    for heading in ("Recommender", "Pipeline", "Tables", "Data quality"):
        assert f"<h2>{heading}</h2>" in page
    assert '<td class="">title_signals</td>' in page


def test_similar_titles_are_shown_with_their_reasons(undisturbed: tuple[Service, float]) -> None:
    page = told(undisturbed[0], "similar", "film 4")
    assert "Film 4" in page
    assert "genre Drama" in page


def test_every_kind_of_model_is_evaluated_on_a_folder(
    undisturbed: tuple[Service, float], folder: Path
) -> None:
    how = ["--protocol", "random", "--test", "0.25", "--json"]
    page = told(undisturbed[0], "evaluate", "movielens", str(folder), *how)
    models = json.loads(page.strip().splitlines()[-1])["models"]
    assert models.keys() == {"als", "blend", "ease", "item_item", "popular"}
    # The four tastes are there to be found.
    assert models["blend"]["ndcg_at_10"]["low"] > models["popular"]["ndcg_at_10"]["high"]
