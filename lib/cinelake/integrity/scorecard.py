"""What a party's features speak for: honest, sharing or takeover, with the reasons in words.

Method: a multinomial logistic regression with honest as its base, in the form of a scorecard: each feature adds to the
logarithm of the odds, so that a score can be taken apart into reasons. The weights that are shipped (`prior.json`) were
fitted to simulated services of some seeds (`scripts/fit_integrity_prior.py`) and measured on others; they are the prior
that people's verdicts move (`verdict_weights`). A reason is a feature whose value, against what is typical of
honest parties, adds to the odds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib.resources import files
from operator import add
from typing import Any, Self

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

INTERCEPT = ""
# What a reason must add to the odds (logarithm) to be named, and how many are.
NAMED_FROM, NAMED = 0.25, 5

# Feature → what it says when it is above what is typical of honest parties, and when it is below.
FEATURES: Mapping[str, tuple[str, str]] = {
    "log_hours": ("watches much", "watches little"),
    "log_days": ("is used on many days", "is used on few days"),
    "few_plays": ("played once or twice only", "played more than twice"),
    "set_share": ("watches mostly on televisions", "watches on no television"),
    "has_set": ("has a television that was never at the home", "has no television"),
    "on_fixed_lines": ("has a line of its own in another building", "has no line of its own"),
    "only_mobile": ("is on mobile networks only", "is not on mobile networks only"),
    "behind_exits": ("hides behind a VPN, relay or host", "shows its own address"),
    "at_work": ("watches behind an employer's address", "is not at work"),
    "own_profile": ("uses a profile that the home does not use", "uses the home's profiles"),
    "own_profile_and_set": (
        "has its own television and its own profile",
        "shares television or profile",
    ),
    "ages_known": (
        "it is known when its devices and the home's came",
        "nobody knows when its devices or the home's came",
    ),
    "registered_late": (
        "nobody knew the account's devices until lately",
        "the account's devices were known as long as it was",
    ),
    "log_device_age": (
        "uses devices that were there for long",
        "uses devices that are new to the account",
    ),
    "device_of_month": ("came with a device in this month", "came before this month"),
    "log_known_before": (
        "was known before it was used here",
        "was used at once when the device came",
    ),
    "came_with_home": (
        "has a device that came when the home's did",
        "has devices that all came after the home's",
    ),
    "log_later_than_home": (
        "came long after the home",
        "came with the home, or soon after it",
    ),
    "log_set_later_than_home": (
        "has a television that came long after the home",
        "has no television that came after the home",
    ),
    "logged_in_new": ("logged in with a new device", "logged in with no new device"),
    "logs_in_often": ("logs in again and again", "stays logged in"),
    "log_log_ins": ("logged in several times", "hardly logged in"),
    "log_in_operators": (
        "logged in through several operators",
        "logged in through one operator at most",
    ),
    "log_in_regions": ("logged in from several regions", "logged in from one region at most"),
    "log_in_risk": ("logged in as this account never did", "logged in as usual"),
    "was_tried": ("came within a week after stuffing tried the account", "no stuffing came before"),
    "plan_changed_after": (
        "the plan was changed within a week of its log-in with a new device",
        "the plan was not changed after it came in",
    ),
    "profile_changed_after": (
        "a profile was made or changed within a week of its log-in with a new device",
        "no profile was made or changed after it came in",
    ),
    "risk_before_change": (
        "plan or profile were changed after a log-in as this account never did",
        "plan and profiles were changed after no unusual log-in",
    ),
    "tastes_apart": ("likes other genres than the home", "likes the genres that the home likes"),
    "taste_shift": (
        "watches other genres at the home's profiles than the home does there",
        "watches at the home's profiles what the home watches there",
    ),
    "tastes_at_once": (
        "watches other genres while the home watches",
        "watches the same genres as the home on the same evenings",
    ),
    "hours_apart": (
        "watches at other times of the day than the home",
        "watches at the home's times of the day",
    ),
    "hours_in_common": ("plays while the home plays", "plays when the home does not"),
    "was_at_once": ("played in the same hour as the home", "never played in the home's hours"),
    "log_common_days": ("plays on the same days as the home", "plays on other days than the home"),
    "elsewhere": ("is in another region than the home", "is in the home's region"),
    "abroad": ("is in another country", "is in the home's country"),
    "weekends": ("watches at weekends", "watches on working days"),
    "devices": ("has several devices", "has one device"),
    "phones": ("watches on telephones", "does not watch on telephones"),
    "regions": ("shows up in several regions", "stays in one region"),
    "operators": ("shows up at several operators", "stays with one operator"),
    "networks_a_day": ("changes its address often", "keeps its address"),
    "log_since_first": ("has been here for weeks", "has just come"),
    "log_since_last": ("was last here long ago", "is here now"),
    "log_span": ("stays for weeks", "stays for a short time"),
    "days_of_span": ("comes nearly every day", "comes now and then"),
    "share_of_hours": ("has much of all watching", "has little of all watching"),
    "parties": ("is one of several parties apart from the home", "is the only other party"),
    "home_has_set": ("the home has a television", "the home has no television"),
    "home_on_fixed_lines": (
        "the home has a line in a building",
        "the home itself is on mobile networks or hidden",
    ),
    "log_home_hours": ("the home itself watches much", "the home itself hardly watches"),
    "log_excess_hours": (
        "streamed for long on more screens than the plan allows",
        "exceeded the plan for a short time",
    ),
    "excess_days": (
        "exceeded the plan on several days of the week",
        "exceeded the plan on one day",
    ),
    "over_by": ("had several screens too many", "had one screen too many"),
    "excess_devices": ("used many devices at once", "used few devices at once"),
    "excess_networks": ("used several networks at once", "used one network"),
    "log_pairs": (
        "was in two places at once again and again",
        "was in two places at once hardly ever",
    ),
    "journey_days": ("travelled impossibly on several days", "travelled impossibly on one day"),
    "log_pairs_at_once": (
        "played in two places in the same moment",
        "never played in two places in the same moment",
    ),
    "log_farthest": ("the places are very far apart", "the places are not very far apart"),
    "journey_devices": ("several devices were involved", "two devices were involved"),
    "journey_places": ("several places were involved", "two places were involved"),
    "hours_a_day": ("plays for many hours of every day", "plays for few hours a day"),
    "titles_a_day": ("plays through title after title", "plays few titles"),
    "finished_share": ("plays all to the end", "stops before the end"),
    "unasked_share": ("starts plays by direct links", "starts plays from the app's pages"),
    "clock_hours_a_day": (
        "plays around the clock",
        "plays in the evening or at some other time alone",
    ),
    "play_days": ("plays on every day of the week", "plays on few days"),
}


@dataclass(frozen=True)
class Scorecard:
    """Weights by kind and feature (the intercept under `INTERCEPT`), and what is typical of honest parties."""

    weights: Mapping[str, Mapping[str, float]]
    typical: Mapping[str, float]
    # How far a feature's values spread: the units in which weights are drawn to the prior.
    spread: Mapping[str, float]

    @classmethod
    def of_json(cls, text: str) -> Self:
        told = json.loads(text)
        return cls(told["weights"], told["typical"], told["spread"])

    def json(self) -> str:
        told = {"weights": self.weights, "typical": self.typical, "spread": self.spread}
        return json.dumps(told, indent=1, sort_keys=True)

    def frame(self, spark: SparkSession) -> DataFrame:
        """`kind, name, weight, typical, spread`: what is registered of it."""
        rows = [
            (
                kind,
                name,
                float(weight),
                float(self.typical.get(name, 0)),
                float(self.spread.get(name, 1)),
            )
            for kind, own in self.weights.items()
            for name, weight in own.items()
        ]
        return spark.createDataFrame(
            rows, "kind string, name string, weight double, typical double, spread double"
        )

    @classmethod
    def of_frame(cls, frame: DataFrame) -> Self:
        rows: list[dict[str, Any]] = frame.toArrow().to_pylist()
        weights: dict[str, dict[str, float]] = {}
        for row in rows:
            weights.setdefault(row["kind"], {})[row["name"]] = row["weight"]
        named = [row for row in rows if row["name"] != INTERCEPT]
        return cls(
            weights,
            {row["name"]: row["typical"] for row in named},
            {row["name"]: row["spread"] for row in named},
        )

    def without(self, dropped: Sequence[str]) -> Scorecard:
        """The same as if these features were always typical: for telling what a signal adds."""
        weights = {}
        for kind, own in self.weights.items():
            moved = sum(own[name] * self.typical[name] for name in dropped if name in own)
            kept = {name: weight for name, weight in own.items() if name not in dropped}
            weights[kind] = {**kept, INTERCEPT: own[INTERCEPT] + moved}
        return Scorecard(weights, self.typical, self.spread)

    def odds(self, kind: str, features: str = "features") -> Column:
        """Logarithm of the odds of a kind against honest, from `array<struct<name, value>>`."""
        by_name = _literal_map(
            {name: w for name, w in self.weights[kind].items() if name != INTERCEPT}
        )
        return F.aggregate(
            features,
            F.lit(float(self.weights[kind][INTERCEPT])),
            lambda total, each: (
                total
                + each["value"] * F.coalesce(F.try_element_at(by_name, each["name"]), F.lit(0.0))
            ),
        )

    def probabilities(self, features: str = "features") -> dict[str, Column]:
        """By kind, 0 to 1; what is left is honest."""
        # Bounded, lest an absurd value overflow: beyond it there is no doubt left.
        odds = {
            kind: F.exp(F.least(F.greatest(self.odds(kind, features), F.lit(-40.0)), F.lit(40.0)))
            for kind in sorted(self.weights)
        }
        total = reduce(add, odds.values(), F.lit(1.0))
        return {kind: each / total for kind, each in odds.items()}

    def reasons(self, kind: str, features: str = "features") -> Column:
        """`array<struct<code, text, weight>>`: what adds most to the odds, the strongest first."""
        weights, typical = _literal_map(self.weights[kind]), _literal_map(self.typical)
        above = _literal_map({name: said[0] for name, said in FEATURES.items()})
        below = _literal_map({name: said[1] for name, said in FEATURES.items()})

        def told(each: Column) -> Column:
            name = each["name"]
            off = each["value"] - F.coalesce(F.try_element_at(typical, name), F.lit(0.0))
            adds = F.round(off * F.coalesce(F.try_element_at(weights, name), F.lit(0.0)), 4)
            text = F.when(off > 0, F.try_element_at(above, name)).otherwise(
                F.try_element_at(below, name)
            )
            # Negative, for arrays sort upwards; of equals by name.
            return F.struct((-adds).alias("less"), name.alias("code"), text.alias("text"))

        ranked = F.array_sort(F.transform(features, told))
        named = F.filter(ranked, lambda each: each["less"] <= -NAMED_FROM)
        return F.transform(
            F.slice(named, 1, NAMED),
            lambda each: F.struct(each["code"], each["text"], (-each["less"]).alias("weight")),
        )


def shipped(card: str) -> Scorecard:
    """The weights that come with the package: of `party`, `screens`, `places` or `playback`."""
    told = json.loads(files("cinelake.integrity").joinpath("prior.json").read_text())
    return Scorecard(**told[card])


def _literal_map(values: Mapping[str, Any]) -> Column:
    return F.create_map(*(F.lit(part) for pair in sorted(values.items()) for part in pair))
