"""Every trace, every misuse and every look-alike of misuse that a simulated service is meant to have is there."""

from __future__ import annotations

import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, Entry, Leaves
from cinelake.simulate.viewers.service_side import generate

from .conftest import START, Service, Watching

CONF = Path(__file__).parents[4] / "conf" / "simulate"


@pytest.mark.parametrize(
    ("source", "column", "values"),
    [
        ("interactions", "action", {"hover", "scroll_past", "click", "details", "thumbs_up", "thumbs_down",
                                    "add_my_list", "remove_my_list", "not_interested"}),
        ("impressions", "row_kind", {"top_picks", "trending", "genre", "continue_watching"}),
        ("impressions", "is_exploration", {"true", "false"}),
        ("searches", "is_zero_results", {"true", "false"}),
        ("accounts", "change", {"sign_up", "plan", "payment", "cancel"}),
        ("log_ins", "event", {"log_in", "log_out"}),
        ("log_ins", "outcome", {"success", "wrong_password", "locked"}),
        ("log_ins", "connection", {"fibre", "mobile", "vpn", "relay", "corporate", "hosting"}),
        ("profiles", "kind", {"adult", "kid"}),
        ("devices", "kind", {"tv", "console", "phone", "tablet", "laptop"}),
    ],
)  # fmt: skip
def test_a_source_holds_each_kind_of_record(
    service: Service, source: str, column: str, values: set[str]
) -> None:
    assert values <= set(service.column(source, column, before=True))


def test_tiles_have_row_rank_and_artwork_and_viewers_rate(service: Service) -> None:
    for column in ("row", "rank"):
        assert len(set(service.column("impressions", column))) > 3
    assert len(set(service.column("impressions", "artwork"))) > 1
    assert len(set(service.column("ratings", "rating"))) > 3


def test_texts_are_typed_taken_back_misspelt_and_typed_anew(service: Service) -> None:
    names = {str(name).lower() for name in service.column("titles", "name", before=True)}
    texts: dict[str, list[tuple[int, str]]] = {}
    columns = [service.column("searches", name) for name in ("search_id", "snapshot", "query")]
    for search, number, text in zip(*columns, strict=True):
        texts.setdefault(search, []).append((int(number), str(text).lower()))
    found: Counter[str] = Counter()
    for steps in texts.values():
        typed = [text for _, text in sorted(steps)]
        for before, after in pairwise(typed):
            if after.startswith(before):
                found["goes on"] += 1
            elif before.startswith(after):
                found["takes back"] += 1
            else:
                found["types anew"] += 1
        found["unknown to the catalogue"] += not any(typed[-1] in name for name in names)
    assert min(found.values()) > 10
    assert len(found) == 4


@pytest.mark.thorough
def test_players_tell_of_each_event(watching: Watching) -> None:
    payload = watching.watched.playback.payload
    events = set(payload["event"].cast("string").to_pylist())
    assert events >= {
        "attempt", "first_frame", "pause", "resume", "seek", "seek_done", "skip_intro", "skip_credits",
        "rebuffer_start", "rebuffer_end", "error", "stop", "end",
    }  # fmt: skip
    assert {"home", "search", "continue", "autoplay", "deep_link"} <= set(
        payload["entry"].cast("string").to_pylist()
    )
    assert "seek" in set(payload["cause"].cast("string").to_pylist())
    beats = watching.watched.heartbeats.payload
    assert {"playing", "paused"} <= set(beats["state"].cast("string").to_pylist())
    for column in ("bitrate_kbps", "buffer_s", "throughput_kbps", "dropped_frames", "cdn", "pop"):
        assert len(set(beats[column].to_pylist())) > 1, column


def test_viewers_binge_go_back_skip_and_walk_away(service: Service) -> None:
    rows, seeks = service.plays.rows, service.plays.seeks
    assert set(np.unique(rows.leaves)) == set(Leaves)
    assert set(np.unique(rows.entry)) == set(Entry)
    assert rows.skips_intro.any()
    assert rows.skips_credits.any()
    assert (rows.binge_position > 1).any()
    assert (seeks.target < seeks.position).any()
    assert (seeks.target > seeks.position).any()


def test_accounts_leave_for_quality_for_content_and_by_chance(service: Service) -> None:
    causes = set(service.truths.tables["accounts"]["cancel_cause"].to_pylist())
    assert causes == {None, "quality", "content", "chance"}


@pytest.mark.thorough
def test_each_misuse_and_each_look_alike_is_there() -> None:
    content = tomllib.loads((CONF / "misuse.toml").read_text("utf-8"))
    settings = Settings.model_validate(content)
    _, _, truths = generate(settings, np.arange(400), START, START + 28 * DAY)
    kinds = {
        name: set(truths.tables[name]["kind"].to_pylist()) for name in ("abuse", "confounders")
    }
    assert kinds["abuse"] >= {
        "sharing_ex_partner", "sharing_friends", "sharing_resale", "takeover_stuffing", "takeover_slow",
        "screens", "piracy",
    }  # fmt: skip
    assert kinds["confounders"] >= {
        "one_home", "carrier_nat", "vpn", "private_relay", "travel", "student_away", "two_homes",
        "corporate_egress", "geo_drift",
    }  # fmt: skip
