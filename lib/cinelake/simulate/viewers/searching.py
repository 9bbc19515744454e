"""Searches: what is typed, keystroke by keystroke, what it finds, and what comes of it.

Viewers who have a title in mind type the beginning of its name; some mistype, some begin with something else that
the service does not have, and begin again. Others search and find nothing that they want. That one query in seven is
misspelt is this project's choice.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from cinelake.simulate import randomness as rnd
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, SECOND, Entry, Records
from cinelake.simulate.viewers.choices import PageDraft, PlayDraft, page_number
from cinelake.simulate.viewers.encoding import flags, id_column, title_column, whole
from cinelake.simulate.viewers.lanes import Lanes
from cinelake.simulate.viewers.watching import Seats
from cinelake.simulate.world.catalogue import catalogue

SHOWN = 6
# Names that people ask for and the service does not have.
_WANTED = (
    "harbour nine",
    "the glass monarch",
    "zero kelvin",
    "house of sparrows",
    "big brother",
    "football live",
    "news",
    "my uncle the spy",
    "quantum bakery",
    "lost in oslo",
    "christmas in july",
    "monsters",
)
_NEAR = {"a": "s", "e": "r", "i": "o", "o": "p", "r": "t", "n": "m", "t": "y", "s": "d", "l": "k"}


@lru_cache(maxsize=4)
def _prefixes(settings: Settings) -> dict[str, tuple[int, ...]]:
    """Titles by each beginning of each word of their names, up to eight letters; famous ones first."""
    titles = catalogue(settings)
    found: dict[str, list[int]] = {}
    for title in np.argsort(-titles.fame, kind="stable"):
        name = titles.name[title].lower()
        parts = name.split()
        for start in range(len(parts)):
            rest = " ".join(parts[start:])
            for length in range(1, len(rest) + 1):
                found.setdefault(rest[:length], []).append(int(title))
    return {text: tuple(dict.fromkeys(numbers)) for text, numbers in found.items()}


def results(settings: Settings, query: str, market: int, day: int, maturity: int) -> list[int]:
    """Title numbers that a query finds, in the order shown."""
    titles = catalogue(settings)
    return [
        title
        for title in _prefixes(settings).get(query.strip().lower(), ())
        if titles.available_from[title, market] <= day < titles.available_until[title, market]
        and titles.maturity[title] <= maturity
    ]


def searches(
    settings: Settings,
    lanes: Lanes,
    seat: Seats,
    plays: PlayDraft,
    pages: PageDraft,
    start_us: int,
    end_us: int,
) -> Records:
    """Searches that led to a play, and those that led to nothing."""
    seed = settings.seed
    page = page_number(lanes.sitting[pages.lane, pages.nth], pages.step)
    played = page_number(lanes.sitting[plays.lane, plays.nth], plays.step)
    wanted = dict(zip(played.tolist(), plays.title.tolist(), strict=True))
    by_search = dict(zip(played.tolist(), (plays.entry == Entry.SEARCH).tolist(), strict=True))
    idle = ~pages.plays & rnd.happens(0.22, seed, "searches in vain", page)
    chosen = [
        n
        for n, number in enumerate(page.tolist())
        if idle[n] or (pages.plays[n] and by_search.get(number, False))
    ]
    rows: list[tuple[int, int, int, str, int, list[int], int, int]] = []
    for n in chosen:
        number = int(page[n])
        target = -1 if idle[n] else wanted[number]
        rows.extend(_episode(settings, lanes, pages, n, number, target))
    keep = [row for row in rows if start_us <= row[1] < end_us]
    index = np.array([row[0] for row in keep], dtype=np.int64)
    lane = pages.lane[index]
    snapshot = np.array([row[2] for row in keep], dtype=np.int64)
    shown = [row[5] for row in keep]
    flat = np.array([title for row in shown for title in row], dtype=np.int64)
    offsets = np.append(0, np.cumsum([len(row) for row in shown])).astype(np.int32)
    clicked = np.array([row[6] for row in keep], dtype=np.int64)
    count = np.array([row[4] for row in keep], dtype=np.int64)
    ranks = np.array([row[7] for row in keep], dtype=np.int64)
    return Records(
        "searches",
        lanes.crowd.account[lane],
        np.array([row[1] for row in keep], dtype=np.int64),
        page[index] * 64 + snapshot,
        {
            "search_id": id_column(seed, "search", page[index]),
            "account_id": id_column(seed, "account", lanes.crowd.account[lane]),
            "profile_id": id_column(seed, "profile", lanes.crowd.profile[lane]),
            "device_id": id_column(seed, "device", seat.device[lane, pages.nth[index]]),
            "snapshot": whole(snapshot),
            "query": pa.array([row[3] for row in keep], type=pa.string()),
            "results": whole(count),
            "is_zero_results": flags(count == 0),
            "shown_titles": pa.ListArray.from_arrays(
                pa.array(offsets), title_column(seed, flat).cast(pa.string())
            ),
            "clicked_title_id": title_column(seed, np.maximum(clicked, 0), clicked >= 0),
            "clicked_rank": whole(np.maximum(ranks, 0), ranks >= 0),
        },
    )


def _episode(
    settings: Settings, lanes: Lanes, pages: PageDraft, n: int, number: int, target: int
) -> list[tuple[int, int, int, str, int, list[int], int, int]]:
    """The snapshots of one visit to the search page."""
    seed = settings.seed
    titles = catalogue(settings)
    lane = int(pages.lane[n])
    market, maturity = int(lanes.market[lane]), int(lanes.crowd.maturity[lane])
    day = int(pages.shown_at[n] // DAY)
    luck = rnd.uniform(seed, "search", number, np.arange(8))

    def found(query: str) -> list[int]:
        return results(settings, query, market, day, maturity)

    typed: list[str] = []
    if target < 0 or luck[0] < 0.16:
        text = _WANTED[int(luck[1] * len(_WANTED))]
        if luck[2] < 0.35:
            # A title that exists, but not here or not for this profile; or that is not what was meant.
            text = titles.name[int(luck[3] * len(titles.name))].lower()
        typed.extend(_strokes(text, 4 + int(luck[4] * 9), luck[5]))
    clicked, rank = -1, -1
    if target >= 0:
        name = titles.name[target].lower()
        words = name.split()
        skip = words[0] in {"the"} and luck[6] < 0.6
        text = " ".join(words[1:]) if skip else name
        need = next(
            (k for k in range(2, len(text) + 1) if target in found(text[:k])[:SHOWN]), len(text)
        )
        length = min(len(text), need + int(luck[7] * 4))
        slip = luck[1] if luck[2] > 0.14 else 2.0
        typed.extend(_strokes(text, length, luck[5], misspelt=slip > 1.0))
        hits = found(typed[-1])
        clicked = target
        rank = hits.index(target) if target in hits else 0
    span = max(int(pages.pressed_at[n] - pages.shown_at[n]), 4 * SECOND)
    rows = []
    for k, query in enumerate(typed[:60]):
        hits = found(query)
        last = k == min(len(typed), 60) - 1
        at = int(pages.shown_at[n]) + int(span * (0.15 + 0.8 * (k + 1) / (len(typed) + 1)))
        rows.append(
            (
                n,
                at,
                k,
                query,
                len(hits),
                hits[:SHOWN],
                clicked if last else -1,
                rank if last else -1,
            )
        )
    return rows


def _strokes(text: str, length: int, pace: float, misspelt: bool = False) -> list[str]:
    """The query after every one to three letters; a slip is made, seen, and taken back."""
    step = 1 + int(pace * 3)
    text = text[:length].rstrip()
    typed = [text[:end] for end in range(min(2, len(text)), len(text), step)]
    if misspelt and len(text) > 3:
        spot = 2 + int(pace * (len(text) - 3))
        wrong = text[:spot] + _NEAR.get(text[spot], "e") + text[spot + 1 :]
        typed = [query for query in typed if len(query) <= spot]
        typed.extend((wrong, text[:spot]))
    typed.append(text)
    return [query for n, query in enumerate(typed) if query and (n == 0 or query != typed[n - 1])]
