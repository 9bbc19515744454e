"""What most start in the profile's market, those before that are worth more to it, too."""

from collections.abc import Iterable

import numpy as np

from cinelake.recommend.rows.kind import RowKind, Shelf, Titles, best

# An e-fold of popularity counts as much as this in log odds.
WEIGHT = 0.5


class Popular(RowKind):
    kind = "popular"
    text = "Popular in {market}"

    def shelves(self, titles: Titles) -> Iterable[Shelf]:
        for market in titles.markets:
            shares = titles.popularity[market or ""]
            found = best(shares, titles.there(market) & (shares > 0))
            if len(found) >= self.least:
                text = self.text.format(market=market) if market else "Popular now"
                added = WEIGHT * np.log(shares[found] / shares[found].max())
                yield Shelf(self.kind, "", text, found, added, market)
