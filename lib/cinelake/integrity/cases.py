"""Cases: what a person looks at, one an account and kind of misuse while it lasts, not one an alarm.

Method. Signals of an account and kind that follow each other without a long quiet are one case. It has a state on every
day from its first signal until the quiet is over, told by what was known on that day; the id is a hash of account,
kind, first day and first suspect, so the same evidence makes the same case however often it is computed. A case is
`needs_review` until a person gives a verdict; nothing acts on its own.

A rejected case suppresses repeats: what an account shows again, of the same kind, within months of the verdict is
rejected from the start. An appeal puts a case back to be reviewed. Leave given to an account (`allow_list`) makes its
cases `allowed` for as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.tables.integrity import Action, Misuse

ID_DIGITS = 16
HOUR_MS = 3_600_000
SEVERITIES = ("low", "medium", "high")
POLICY: Mapping[Misuse, tuple[Action, Action, Action]] = {
    "screens": ("notify", "limit", "limit"),
    "places": ("notify", "notify", "step_up"),
    "sharing": ("notify", "notify", "limit"),
    "takeover": ("step_up", "step_up", "block"),
    "playback": ("notify", "limit", "block"),
}


class CaseRules(BaseModel):
    """When a case is over, when a signal is strong, and what the policy suggests by kind and severity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quiet_days: int = Field(14, ge=1, le=90, description="days without a signal that end a case")
    suppress_days: int = Field(
        90, ge=0, le=730, description="how long a rejection suppresses the same kind again (days)"
    )
    open_days: int = Field(
        2,
        ge=1,
        le=30,
        description="days with a signal that open a case, for one evening proves little",
    )
    open_at_once: float = Field(
        0.95, ge=0, le=1, description="probability that opens a case on the first day"
    )
    # Anybody may play through a day and a night, and a place be looked up wrongly once; a machine does so again, and so
    # does who shares.
    patient: tuple[Misuse, ...] = Field(
        ("places", "playback"),
        description="kinds of which no single day opens a case, however sure",
    )
    high: float = Field(0.9, ge=0, le=1, description="probability from which a case is severe")
    medium: float = Field(
        0.7, ge=0, le=1, description="probability from which it is of medium severity"
    )
    stake_hours: float = Field(
        10.0,
        ge=0,
        description="hours at stake below which a case is never severe, but for takeover",
    )
    actions: Mapping[Misuse, tuple[Action, Action, Action]] = Field(
        POLICY,
        validate_default=True,
        description="what is suggested of a kind at low, medium and high severity; others as shipped",
    )

    @field_validator("actions", mode="after")
    @classmethod
    def _of_every_kind(
        cls, actions: Mapping[Misuse, tuple[Action, Action, Action]]
    ) -> Mapping[Misuse, tuple[Action, Action, Action]]:
        return {**POLICY, **actions}


def cases(
    signals: DataFrame,
    verdicts: DataFrame,
    allowed: DataFrame,
    start: date,
    end: date,
    rules: CaseRules,
) -> DataFrame:
    """Rows of `integrity_cases` of `[start, end)`; all are read from the beginning, for signals are few."""
    founded = _founded(signals, rules)
    ruled = _with_verdicts(_states(founded, start, end, rules), founded, verdicts, rules)
    leave = allowed.select("account_id", "kind", "from_on", "until_on")
    given = (
        ruled.join(leave, on=["account_id", "kind"], how="inner")
        .where(
            (F.col("state_date") >= F.col("from_on")) & (F.col("state_date") < F.col("until_on"))
        )
        .select("case_id", "state_date", F.lit(True).alias("_allowed"))
        .distinct()
    )
    told = ruled.join(given, on=["case_id", "state_date"], how="left")
    status = (
        F.when(F.col("_allowed"), "allowed")
        .when(F.col("verdict") == "confirm", "confirmed")
        .when(F.col("verdict") == "reject", "rejected")
        .otherwise("needs_review")
    )
    return told.select(
        "case_id",
        "state_date",
        "account_id",
        "kind",
        "opened_on",
        "last_signal_on",
        "signal_days",
        status.alias("status"),
        "best.probability",
        _severity(rules).alias("severity"),
        "stake_ms",
        _action(rules).alias("suggested_action"),
        "best.reasons",
        "best.evidence",
        "best.features",
        "verdict",
    )


def _founded(signals: DataFrame, rules: CaseRules) -> DataFrame:
    """One row a case: `case_id, account_id, kind, first_on, signals array<struct<…>>` in order of days."""
    by_day = Window.partitionBy("account_id", "kind").orderBy("signal_date")
    gap = F.date_diff("signal_date", F.lag("signal_date").over(by_day))
    marked = signals.select("*", F.coalesce(gap > rules.quiet_days, F.lit(True)).alias("_begins"))
    so_far = by_day.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = marked.select("*", F.count_if("_begins").over(so_far).alias("_case"))
    kept = F.struct(
        "signal_date", "subject", "probability", "stake_ms", "reasons", "evidence", "features"
    )
    grouped = numbered.groupBy("account_id", "kind", "_case").agg(
        F.array_sort(F.collect_list(kept)).alias("signals")
    )
    first = F.get("signals", F.lit(0))
    founding = F.concat_ws(
        "|", "account_id", "kind", first["signal_date"].cast("string"), first["subject"]
    )
    return grouped.select(
        F.left(F.sha2(founding, 256), F.lit(ID_DIGITS)).alias("case_id"),
        "account_id",
        "kind",
        first["signal_date"].alias("opened_on"),
        "signals",
    )


def _states(founded: DataFrame, start: date, end: date, rules: CaseRules) -> DataFrame:
    """A row for each case and day of `[start, end)` on which it stands, by the signals of the days up to it."""
    last = F.array_max(F.transform("signals", lambda each: each["signal_date"]))
    first_day = F.greatest(F.col("opened_on"), F.lit(start))
    last_day = F.least(F.date_add(last, rules.quiet_days), F.date_sub(F.lit(end), 1))
    days = founded.where(first_day <= last_day).select(
        "*", F.explode(F.sequence(first_day, last_day)).alias("state_date")
    )
    so_far = F.filter("signals", lambda each: each["signal_date"] <= F.col("state_date"))
    told = days.select(
        *(name for name in days.columns if name != "signals"), so_far.alias("so_far")
    )
    # The likeliest day; of equals the newest.
    best = F.array_max(
        F.transform(
            "so_far",
            lambda each: F.struct(each["probability"], each["signal_date"], each.alias("all")),
        )
    )
    stands = told.select(
        "*",
        F.array_max(F.transform("so_far", lambda each: each["signal_date"])).alias(
            "last_signal_on"
        ),
        F.size("so_far").alias("signal_days"),
        F.array_max(F.transform("so_far", lambda each: each["stake_ms"])).alias("stake_ms"),
        best["all"].alias("best"),
    )
    is_quiet = F.date_diff("state_date", "last_signal_on") > rules.quiet_days
    is_sure = F.col("best.probability") >= rules.open_at_once
    may_open_at_once = ~F.col("kind").isin(*rules.patient) if rules.patient else F.lit(True)
    is_open = (F.col("signal_days") >= rules.open_days) | (is_sure & may_open_at_once)
    return stands.where(~is_quiet & is_open).drop("so_far")


def _with_verdicts(
    states: DataFrame, founded: DataFrame, verdicts: DataFrame, rules: CaseRules
) -> DataFrame:
    """States with the newest `verdict` given by their day; without one, the rejection that a repeat inherits."""
    given = verdicts.select("case_id", "given_on", "number", F.col("verdict").alias("_verdict"))
    newest = F.max_by(F.struct("_verdict", "given_on"), F.struct("given_on", "number")).alias(
        "last"
    )
    own = (
        states.select("case_id", "state_date")
        .join(given, on="case_id", how="inner")
        .where(F.col("given_on") <= F.col("state_date"))
        .groupBy("case_id", "state_date")
        .agg(newest)
        .select("case_id", "state_date", F.col("last._verdict").alias("_own"))
    )
    # What stood of earlier cases on the day on which the new one opened; an appeal by then lifts the rejection.
    after = founded.select("case_id", "account_id", "kind", F.col("opened_on").alias("_opened"))
    before = founded.select(F.col("case_id").alias("_before"), "account_id", "kind", "opened_on")
    carried = (
        after.join(before, on=["account_id", "kind"], how="inner")
        .where(F.col("opened_on") < F.col("_opened"))
        .join(given.withColumnRenamed("case_id", "_before"), on="_before", how="inner")
        .where(F.col("given_on") <= F.col("_opened"))
        .groupBy("case_id", "_opened", "_before")
        .agg(newest)
        .where(
            (F.col("last._verdict") == "reject")
            & (F.date_diff("_opened", "last.given_on") <= rules.suppress_days)
        )
        .select("case_id", F.lit("reject").alias("_carried"))
        .distinct()
    )
    return (
        states.join(own, on=["case_id", "state_date"], how="left")
        .join(carried, on="case_id", how="left")
        .select("*", F.coalesce("_own", "_carried").alias("verdict"))
        .drop("_own", "_carried")
    )


def _rank(rules: CaseRules) -> Column:
    likely = (
        F.when(F.col("best.probability") >= rules.high, 2)
        .when(F.col("best.probability") >= rules.medium, 1)
        .otherwise(0)
    )
    much = (F.col("stake_ms") >= rules.stake_hours * HOUR_MS) | (F.col("kind") == "takeover")
    return F.when(much, likely).otherwise(F.least(likely, F.lit(1)))


def _severity(rules: CaseRules) -> Column:
    return F.element_at(F.array(*map(F.lit, SEVERITIES)), _rank(rules) + 1)


def _action(rules: CaseRules) -> Column:
    by_kind = F.create_map(
        *(
            part
            for kind, three in sorted(rules.actions.items())
            for part in (F.lit(kind), F.array(*map(F.lit, three)))
        )
    )
    return F.element_at(by_kind[F.col("kind")], _rank(rules) + 1)
