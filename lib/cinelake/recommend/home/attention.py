"""How likely a tile is looked at by its place, against the first of a page: propensities.

The chance that a tile is chosen is that it is looked at times that it is chosen then. Of slots that are filled at
random the second is the same wherever they stand, so how seldom they are chosen further down and further right tells
the first (Joachims, Swaminathan and Schnabel 2017, "Unbiased Learning-to-Rank with Biased Feedback"). Attention falls
by the same factor from row to row and from place to place, as in models of carousels (Rahdari, Kveton and Brusilovsky
2022), for each class of device by itself: `θ(row) = e^(−a · row)`, `φ(rank) = e^(−b · rank)`.

Told by all slots it holds that a slot comes into view, too; told by those in view it is what is left once it has.
Whatever it weighs has to be of the same slots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.home.context import DEVICE_CLASSES
from cinelake.recommend.home.logit import Penalty, fit
from cinelake.recommend.scoring import Matrix

# Falls that are usual, and how many tiles have to speak for a class of its own before it is believed.
USUAL_FALL, TILES = (0.3, 0.3), 20.0
# A tile of which less is told would count for more than all others together.
LEAST = 0.1
# Fewer chosen tiles tell nothing of how attention falls.
CHOSEN = 30


@dataclass(frozen=True)
class Attention:
    """By class of device how it falls from row to row, and from place to place; `origin` says whence that is known."""

    falls: Mapping[str, tuple[float, float]]
    origin: str

    def of(self, device_class: str, rows: int, ranks: int) -> tuple[Matrix, Matrix]:
        """θ by row and φ by place in it."""
        down, along = self.falls.get(device_class, USUAL_FALL)
        return np.exp(-down * np.arange(rows)), np.exp(-along * np.arange(ranks))

    def looked_at(self, row: str, place: str) -> Column:
        """θφ of a tile with `device_class`, by the columns of its row and its place there."""
        found = F.exp(-(F.col(row) * USUAL_FALL[0] + F.col(place) * USUAL_FALL[1]))
        for name, (down, along) in self.falls.items():
            own = F.exp(-(F.col(row) * down + F.col(place) * along))
            found = F.when(F.col("device_class") == name, own).otherwise(found)
        return found

    def propensity(self) -> Column:
        """The same of a row with `device_class, row, rank`, but never below `LEAST`."""
        return F.greatest(self.looked_at("row", "rank"), F.lit(LEAST))

    def to_json(self) -> str:
        return json.dumps({"falls": dict(self.falls), "origin": self.origin})

    @classmethod
    def of_json(cls, text: str) -> Self:
        told = json.loads(text)
        falls = {name: (down, along) for name, (down, along) in told["falls"].items()}
        return cls(falls, told["origin"])


USUAL_ATTENTION = Attention({}, "what is usual")


def estimated(tiles: DataFrame) -> Attention:
    """From rows of `shown_tiles`; what is usual where too few slots were filled at random."""
    drawn = tiles.where(F.col("is_exploration"))
    chosen = drawn.where(F.col("is_chosen")).count()
    if chosen < CHOSEN:
        return Attention(
            {},
            f"what is usual: {chosen} tiles drawn at random were chosen, and {CHOSEN} are needed",
        )
    # What all classes share, and how each differs, which is drawn to nothing.
    place = {"row": F.col("row").cast("double"), "rank": F.col("rank").cast("double")}
    own = {name: (F.col("device_class") == name).cast("double") for name in DEVICE_CLASSES}
    own |= {
        f"{at} {name}": value * own[name] for at, value in place.items() for name in DEVICE_CLASSES
    }
    features = place | own
    told = drawn.select("is_chosen", *(value.alias(name) for name, value in features.items()))
    found = fit(told, list(features), "is_chosen", Penalty(TILES))

    def fall(at: str, name: str) -> float:
        return max(0.0, -found.weights[at] - found.weights[f"{at} {name}"])

    return Attention(
        {name: (fall("row", name), fall("rank", name)) for name in DEVICE_CLASSES},
        f"{chosen} tiles drawn at random that were chosen",
    )
