"""What rises against the same part of the same weekdays before, blended with what it is worth to the profile."""

from collections.abc import Iterable

from cinelake.recommend.rows.kind import RowKind, Shelf, Titles, best

# A doubling counts as much as a title of twice the odds.
WEIGHT = 1.0


class Trending(RowKind):
    kind = "trending"
    text = "Trending now"

    def shelves(self, titles: Titles) -> Iterable[Shelf]:
        for market in titles.markets:
            for daypart, trend in titles.trends(market):
                found = best(trend, titles.there(market) & (trend > 0))
                if len(found) >= self.least:
                    added = WEIGHT * trend[found]
                    yield Shelf(self.kind, "", self.text, found, added, market, daypart)
