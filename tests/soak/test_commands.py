"""What people ask of a lake that the commands have filled: `cinelake recommend`, `leaderboard`, `plan`, `run` again."""

from __future__ import annotations

import json
import re
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
    # Three on either side of both pages, and each of those recommended for a reason.
    for line in (line.split("│") for line in page.splitlines() if line.startswith("│")):
        _, recent, _, place, listed, because, _ = line
        assert recent.split() == [] or recent.split()[0] == "Film"
        assert place.split() == [] or (listed.split()[0], because.split()[0]) == ("Film", "Film")
    assert [page.count(f"│ {place} │") for place in range(5)] == [0, 2, 2, 2, 0]
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
    assert page.startswith("Film 4 (1994), as of ")
    # Those of the same taste; a genre that a quarter of the titles have is no reason.
    near = [int(number) for number in re.findall(r"│ Film (\d+) ", page)]
    assert len(near) == 10
    assert {number % 4 for number in near} == {0}


def test_every_kind_of_model_is_evaluated_on_a_folder(
    undisturbed: tuple[Service, float], folder: Path
) -> None:
    how = ["--protocol", "random", "--test", "0.25", "--tune", "0", "--json"]
    page = told(undisturbed[0], "evaluate", "movielens", str(folder), *how)
    models = json.loads(page.strip().splitlines()[-1])["models"]
    assert models.keys() == {"als", "blend", "ease", "hybrid", "item_item", "mixture", "popular"}
    # The four tastes are there to be found, by few people.
    assert models["blend"]["ndcg_at_10"]["mean"] > models["popular"]["ndcg_at_10"]["mean"]
