"""What viewers say: thumbs, ratings, words of their own. Few do, and more who loved or hated than who were indifferent.

Ratings lean to the high side, since people watch what they expect to like (Marlin et al., "Collaborative Filtering and
the Missing at Random Assumption", UAI 2007).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cinelake.simulate import randomness as rnd
from cinelake.simulate.randomness import Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import SECOND, Leaves, Offender, PlayColumns, Records
from cinelake.simulate.viewers.encoding import id_column, real, title_column, whole, words
from cinelake.simulate.viewers.traces import DOWN, UP
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.wording import MOODS, THEMES
from cinelake.sources.interactions import ACTIONS

_WORDS = ("brilliant", "too long", "for rainy days", "great cast", "overrated", "hidden gem", "meh")


def feedback(
    settings: Settings, rows: PlayColumns, number: Longs, start_us: int, end_us: int
) -> list[Records]:
    """Thumbs (source `interactions`), ratings and tags after plays; `number` identifies plays."""
    seed = settings.seed
    lasts = rows.leave_position - rows.start_position
    delay = 6 + 50 * rnd.exponential(seed, "says after", number)
    at = rows.pressed_at + ((lasts + delay) * SECOND).astype(np.int64)
    # A series is judged once in a while, not after every episode.
    first = (rows.episode <= 0) | rnd.happens(0.15, seed, "judges an episode", number)
    done = np.isin(rows.leaves, [Leaves.FINISHES, Leaves.AUTOPLAYS]) | (rows.enjoyment < -0.8)
    honest = rows.offender != Offender.PIRATE
    able = first & done & honest & (at >= start_us) & (at < end_us)
    talkative = np.exp(0.9 * rnd.normal(seed, "talkative", rows.viewer))
    feeling = 0.35 + 0.65 * np.minimum(np.abs(rows.enjoyment), 2.5)
    said = rows.enjoyment + 0.5 * rnd.normal(seed, "says", number)

    thumbs = np.flatnonzero(
        able & rnd.happens(np.clip(0.07 * feeling * talkative, 0, 0.8), seed, "thumb", number)
    )
    action = np.where(said[thumbs] > -0.75, UP, DOWN)
    stars = np.flatnonzero(
        able & rnd.happens(np.clip(0.035 * feeling * talkative, 0, 0.6), seed, "rates", number)
    )
    harsh = 0.5 * rnd.normal(seed, "harsh", rows.viewer)
    rating = np.clip(np.round(2 * (3.75 + 0.65 * said - harsh)) / 2, 0.5, 5.0)[stars]
    tagged = np.flatnonzero(
        able & rnd.happens(np.clip(0.006 * talkative, 0, 0.3), seed, "tags", number)
    )
    return [
        Records(
            "interactions",
            rows.account[thumbs],
            at[thumbs],
            -1 - number[thumbs],
            {
                **_who(seed, rows, thumbs),
                "action": words(action, ACTIONS),
                "title_id": title_column(seed, rows.title[thumbs]),
                "page_id": pa.nulls(len(thumbs), pa.string()),
                "row": whole(np.zeros(len(thumbs)), np.zeros(len(thumbs), dtype=bool)),
                "rank": whole(np.zeros(len(thumbs)), np.zeros(len(thumbs), dtype=bool)),
                "seconds": real(np.zeros(len(thumbs)), np.zeros(len(thumbs), dtype=bool)),
            },
        ),
        Records(
            "ratings",
            rows.account[stars],
            at[stars] + 2 * SECOND,
            number[stars],
            {
                "profile_id": id_column(seed, "profile", rows.profile[stars]),
                "title_id": title_column(seed, rows.title[stars]),
                "rating": real(rating),
            },
        ),
        Records(
            "tags",
            rows.account[tagged],
            at[tagged] + 20 * SECOND,
            number[tagged],
            {
                "profile_id": id_column(seed, "profile", rows.profile[tagged]),
                "title_id": title_column(seed, rows.title[tagged]),
                "tag": _tags(settings, rows, number, tagged),
            },
        ),
    ]


def _who(seed: int, rows: PlayColumns, index: Longs) -> dict[str, pa.Array]:
    return {
        "account_id": id_column(seed, "account", rows.account[index]),
        "profile_id": id_column(seed, "profile", rows.profile[index]),
        "device_id": id_column(seed, "device", rows.device[index]),
    }


def _tags(settings: Settings, rows: PlayColumns, number: Longs, index: Longs) -> pa.Array:
    """Mostly one of the title's moods or themes as people would write it, sometimes a remark."""
    titles = catalogue(settings)
    drawn = rnd.uniform(settings.seed, "tag", number[index][:, None], np.arange(3))
    texts = []
    for title, (what, which, how) in zip(rows.title[index].tolist(), drawn.tolist(), strict=True):
        if what < 0.45:
            text = MOODS[titles.moods[title][int(which * 2)]]
        elif what < 0.8:
            text = THEMES[titles.themes[title][int(which * 2)]]
        else:
            text = _WORDS[int(which * len(_WORDS))]
        texts.append(text.capitalize() if how < 0.2 else text)
    return pa.array(texts, type=pa.string())
