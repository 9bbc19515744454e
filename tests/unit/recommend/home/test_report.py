"""The report shows pages as rows of tiles, and what the ranker learned of genres."""

from __future__ import annotations

from typing import Any

from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.report import home_pages
from cinelake.report.page import Picture, Shelves


def tile(
    profile: str, row: int, position: int, title: str, device: str = "tv", part: str = "evening"
) -> dict[str, Any]:
    return {
        "profile_id": profile, "device_class": device, "daypart": part, "row": row, "position": position,
        "title_id": title, "name": title.upper(), "row_text": f"Row {row}",
    }  # fmt: skip


def test_pages_are_rows_of_tiles_in_their_order() -> None:
    tiles = [
        tile("ann", 0, 0, "b"), tile("ann", 0, 1, "a"), tile("ann", 1, 0, "c"),
        tile("ann", 0, 0, "d", "phone"), tile("bob", 0, 0, "e"), tile("ann", 0, 0, "x", "tv", "night"),
        tile("ann", 0, 0, "f", "tv", "morning"),
    ]  # fmt: skip
    section = home_pages(tiles, ["ann", "bob"], {"b": "Drama"}, None)
    assert section.parts == [
        Shelves("Profile ann, tv, evening", [("Row 0", [("B", "Drama"), ("A", "")]), ("Row 1", [("C", "")])]),
        Shelves("Profile ann, tv, morning", [("Row 0", [("F", "")])]),
        Shelves("Profile ann, phone, evening", [("Row 0", [("D", "")])]),
        Shelves("Profile bob, tv, evening", [("Row 0", [("E", "")])]),
    ]  # fmt: skip


def test_what_circumstances_do_to_genres_is_a_picture_where_it_was_learned() -> None:
    learned = Logit(
        0.0, {"taste": 1.0, "genre Horror @ month 10": 0.5, "kind film @ month 10": 1.0}
    )
    assert isinstance(home_pages([], ["ann"], {}, learned).parts[-1], Picture)
    parts = home_pages([], ["ann"], {}, Logit(0.0, {"taste": 1.0})).parts
    assert not any(isinstance(part, Picture) for part in parts)


def test_a_name_is_a_text_and_a_group_has_its_colour() -> None:
    html = Shelves("A <page>", [("Row", [("<b>", "Drama"), ("C", "Drama"), ("D", "Crime")])]).html()
    assert "A &lt;page&gt;" in html
    assert "&lt;b&gt;" in html
    colours = [part.split(")")[0] for part in html.split("hsl(")[1:]]
    assert colours[0] == colours[1] != colours[2]
