"""What a service tells of its titles and viewers, besides what these did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend.content import SAID
from cinelake.recommend.eligibility import (
    InForce,
    Limits,
    age_shown,
    in_force,
    may_be_shown,
    offered,
)
from cinelake.recommend.popular_here import Popularity, circles
from cinelake.recommend.viewers import untold, viewers
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, DEVICES, PROFILES, TITLES
from cinelake.tables.tastes import TITLE_AUDIENCES

# The tables of `Records`, in its order.
TOLD = (TITLES, AVAILABILITY, PROFILES, ACCOUNTS, DEVICES, TITLE_AUDIENCES)


@dataclass(frozen=True)
class Service:
    """A service at the moment at which the day before `until` ends.

    `viewers` are those to make lists for (viewers.py), None where the service tells of none; `shown` is the catalogue
    (`offered` in eligibility.py), of which `rules` say what keeps a title from a profile; of `rewatchable` kinds a
    title stays on lists once seen. `said` is what the catalogue says of titles (content.py), `circles` what is
    started where (popular_here.py); each start outside a circle weighs as one in `prior`.
    """

    until: date
    viewers: DataFrame | None
    shown: DataFrame
    rules: InForce
    rewatchable: tuple[str, ...]
    said: DataFrame
    circles: DataFrame
    prior: float

    def with_limits(self, profiles: DataFrame) -> DataFrame:
        """The rows, by `profile_id`, with `market` and `age_limit` as the service knows them, or else null."""
        if self.viewers is None:
            unknown = {"market": "string", "age_limit": "int"}
            return profiles.withColumns(
                {name: F.lit(None).cast(of) for name, of in unknown.items()}
            )
        named = self.viewers.select("profile_id", "market", "age_limit")
        return profiles.drop("market", "age_limit").join(named, on="profile_id", how="left")

    def still_shown(self, lists: DataFrame) -> DataFrame:
        """The rows of lists (`profile_id, title_id, …`) whose titles may be shown to their profiles now."""
        if not (self.rules.market or self.rules.age):
            return lists
        people = self.viewers if self.viewers is not None else untold(lists.select("profile_id"))
        named = people.select("profile_id", "market", "age_limit")
        joined = lists.join(named.distinct(), on="profile_id", how="left").join(
            self.shown.select("title_id", "markets", "least_age"), on="title_id", how="left"
        )
        return joined.where(may_be_shown(self.rules)).select(*lists.columns)


# The service as the records before a day tell of it.
ServiceAt = Callable[[date], Service]


@dataclass(frozen=True)
class Records:
    """Rows of the tables of these names: change rows, but for those of `title_audiences`."""

    titles: DataFrame
    availability: DataFrame
    profiles: DataFrame
    accounts: DataFrame
    devices: DataFrame
    title_audiences: DataFrame

    def before(self, until: date) -> Records:
        """Those that were in force before a day began."""
        changes = F.col("effective_date") < F.lit(until)
        return Records(
            titles=self.titles.where(changes),
            availability=self.availability.where(changes),
            profiles=self.profiles.where(changes),
            accounts=self.accounts.where(changes),
            devices=self.devices.where(changes),
            title_audiences=self.title_audiences.where(F.col("play_date") < F.lit(until)),
        )

    def at_cuts(self, limits: Limits, popularity: Popularity) -> ServiceAt:
        """What was known of the service before a day, for each day that is asked for."""
        return lambda until: self.before(until).describe(until, limits, popularity)

    def describe(self, until: date, limits: Limits, popularity: Popularity) -> Service:
        """The service by the newest of these records, with what is on offer when the day before `until` ends."""
        rules = in_force(limits, self.availability, self.profiles)
        people = viewers(self.profiles, self.accounts, self.devices)
        return Service(
            until=until,
            viewers=people.withColumn("age_limit", age_shown(limits)) if rules.age else None,
            shown=offered(self.titles, self.availability, until),
            rules=rules,
            rewatchable=limits.rewatchable,
            said=latest(self.titles, ["title_id"], *SAID),
            circles=circles(self.title_audiences, until, popularity.half_life_days),
            prior=popularity.prior,
        )
