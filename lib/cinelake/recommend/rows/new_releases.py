"""What has come to the service lately, new or not known by anything but its content."""

from collections.abc import Iterable

import numpy as np

from cinelake.recommend.rows.kind import RowKind, Shelf, Titles, best

DAYS, HALF_LIFE_DAYS = 45, 15


class NewReleases(RowKind):
    kind = "new_releases"
    text = "New releases"

    def shelves(self, titles: Titles) -> Iterable[Shelf]:
        age = np.where(np.isnan(titles.age_days), np.inf, titles.age_days)
        for market in titles.markets:
            found = best(-age, titles.there(market) & (age >= 0) & (age <= DAYS))
            if len(found) >= self.least:
                newness = 2.0 ** (-age[found] / HALF_LIFE_DAYS)
                yield Shelf(self.kind, "", self.text, found, newness, market)
