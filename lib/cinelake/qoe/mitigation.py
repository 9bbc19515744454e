"""What would have helped the sessions that an incident struck: another CDN, another app version, a cap on the
bitrate.

One row per incident, kind of change and alternative. It is advice, from sessions that happened; nothing applies it.

Struck sessions are compared with sessions of the same hours that did have the alternative, within strata of equal
covariates (exact matching on coarsened covariates: Iacus, King and Porro 2012). In a stratum that has enough
sessions with the alternative, what the struck would have lost is their number times the mean loss with the
alternative; what they did lose is known. Strata without enough say nothing, and nothing is guessed for them:
`overlap` is the share of the struck that lie in the others. For strata `s` with `t` struck sessions that lost `L`,
and `n` sessions with the alternative that lost `m` on average,

    saved = sum over s of (L − t · m),   variance = σ² · sum over s of (t + t² / n)

with σ² the variance of loss within strata of those with the alternative, all strata together.

Caveats. Sessions that differ in what is no covariate are taken for alike: covariates ought to be the attributes of
the incident's cause other than the change, and all else that steers sessions to an alternative and bears on loss,
but nothing that the alternative itself changes. What the alternative would have done under the load of all is not
known; `load` tells how much more it would have been.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from cinelake.tables.mitigation import VERDICTS

MS_PER_MINUTE = 60_000
SQUARE = "decimal(38,0)"


class Matching(BaseModel):
    """When sessions are enough to advise upon."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_in_stratum: int = Field(
        5, ge=2, description="sessions with the alternative that a stratum needs"
    )
    least_overlap: float = Field(
        0.5, ge=0, le=1, description="share of struck sessions that must have their like"
    )
    least_sessions: int = Field(
        30, ge=2, description="sessions with the alternative there must be in all"
    )
    sigmas: float = Field(
        1.645, ge=0, description="of the bound of what is saved (1.645: 95 % one-sided)"
    )


def advice(
    sessions: DataFrame,
    change: str,
    covariates: Sequence[str],
    settings: Matching | None = None,
) -> DataFrame:
    """How much less the struck sessions of each incident would have lost with each value of the column `change`.

    `sessions` has one row per incident and session in its hours: `incident_id`, `is_struck` (whether it is of the
    cause), the column `change` with what the session had (null: not known), `covariates` that are the same for like
    sessions (null: not known, and like none), and `lost_ms`, a whole number of milliseconds lost to waiting, stalls
    and failures (null: not known, and the session is left out).

    The columns are `incident_id, change, alternative, verdict, place, struck, matched, overlap, compared,
    lost_minutes, saved_minutes, least_saved_minutes, load`. `struck` counts struck sessions that did not have the
    alternative, `matched` those in strata with enough like them, `compared` the sessions these are held against;
    minutes are those of the matched: what they lost, what of it they would not have lost, and the lower bound of
    that (null where no variance is known). `load` is struck ÷ compared sessions. `verdict` is one of `VERDICTS`;
    `place` orders the alternatives of an incident, best first. Raises ValueError for a covariate that is the change
    itself, and without any covariate.
    """
    settings = settings or Matching()
    if not covariates or change in covariates:
        raise ValueError(
            f"sessions are alike by columns other than {change}: name at least one covariate"
        )
    told = _alternatives(_strata(sessions, change, covariates), settings)
    return _judged(told, change, settings)


def _strata(sessions: DataFrame, change: str, covariates: Sequence[str]) -> DataFrame:
    """Sums by stratum and alternative: of all sessions with it, and of the struck that had another."""
    lost = F.col("lost_ms").cast("bigint")
    is_struck = F.coalesce("is_struck", F.lit(False))
    is_known = F.lit(True)
    for name in covariates:
        is_known &= F.col(name).isNotNull()
    # What a session is like that has an unknown covariate is not known: it has no like, and is like none.
    summed = (
        sessions.where(lost.isNotNull())
        .select("*", F.col(change).cast("string").alias("_alternative"))
        .groupBy("incident_id", "_alternative", is_known.alias("_is_known"), *covariates)
        .agg(
            F.count("*").alias("_n"),
            F.sum(lost).alias("_lost"),
            F.sum(lost.cast(SQUARE) * lost).cast(SQUARE).alias("_squares"),
            F.sum(is_struck.cast("bigint")).alias("_own_struck"),
            F.sum(F.when(is_struck, lost).otherwise(0)).alias("_own_struck_lost"),
        )
    )
    # An alternative that is in no stratum with a struck session still has struck sessions without their like.
    every = Window.unboundedPreceding, Window.unboundedFollowing
    stratum = Window.partitionBy("incident_id", "_is_known", *covariates).rowsBetween(*every)
    incident = Window.partitionBy("incident_id").rowsBetween(*every)
    alternative = Window.partitionBy("incident_id", "_alternative").rowsBetween(*every)
    return summed.select(
        "*",
        (F.sum("_own_struck").over(stratum) - F.col("_own_struck")).alias("_t"),
        (F.sum("_own_struck_lost").over(stratum) - F.col("_own_struck_lost")).alias("_t_lost"),
        (F.sum("_own_struck").over(incident) - F.sum("_own_struck").over(alternative)).alias(
            "_struck"
        ),
    ).where(F.col("_alternative").isNotNull())


def _alternatives(strata: DataFrame, settings: Matching) -> DataFrame:
    """Sums by alternative over the strata in which struck sessions have enough like them."""
    n, t = F.col("_n"), F.col("_t")
    is_matched = F.col("_is_known") & (t > 0) & (n >= settings.least_in_stratum)

    def over_matched(value: Column) -> Column:
        return F.sum(F.when(is_matched, value))

    # Of whole numbers, sums do not depend on the order in which they are added.
    forgone = F.round(t * (F.col("_lost") / n)).cast("bigint")
    deviations = F.round(F.col("_squares") - F.col("_lost").cast(SQUARE) * F.col("_lost") / n)
    reach = F.round(1000 * (t + t * (t / n)))
    return strata.groupBy("incident_id", "_alternative").agg(
        F.max("_struck").alias("struck"),
        F.coalesce(over_matched(t), F.lit(0)).alias("matched"),
        F.coalesce(over_matched(n), F.lit(0)).alias("compared"),
        F.coalesce(over_matched(F.col("_t_lost")), F.lit(0)).alias("_lost"),
        over_matched(forgone).alias("_forgone"),
        over_matched(deviations.cast(SQUARE)).alias("_deviations"),
        over_matched(n - 1).alias("_freedom"),
        over_matched(reach.cast(SQUARE)).alias("_reach"),
    )


def _judged(told: DataFrame, change: str, settings: Matching) -> DataFrame:
    saved = F.coalesce(F.col("_lost") - F.col("_forgone"), F.lit(0))
    variance = (
        F.col("_deviations").cast("double")
        / F.col("_freedom")
        * F.col("_reach").cast("double")
        / 1000
    )
    # `greatest` skips what is null: of a variance that nobody knows it would make none at all.
    not_negative = F.when(variance.isNotNull(), F.greatest(variance, F.lit(0.0)))
    least = saved - settings.sigmas * F.sqrt(not_negative)
    overlap = F.col("matched") / F.col("struck")
    is_enough = (overlap >= settings.least_overlap) & (F.col("compared") >= settings.least_sessions)
    verdict = (
        F.when(~is_enough, "little_overlap")
        .when(F.col("_saved") <= 0, "no_gain")
        .when(F.col("_least") <= 0, "uncertain")
        .otherwise("would_have_helped")
    )
    judged = (
        told.where(F.col("struck") > 0)
        .select("*", saved.alias("_saved"), least.alias("_least"), overlap.alias("overlap"))
        .select("*", verdict.alias("verdict"))
        .select(
            "incident_id",
            F.lit(change).alias("change"),
            F.col("_alternative").alias("alternative"),
            "verdict",
            "struck",
            "matched",
            "overlap",
            "compared",
            (F.col("_lost") / MS_PER_MINUTE).alias("lost_minutes"),
            (F.col("_saved") / MS_PER_MINUTE).alias("saved_minutes"),
            (F.col("_least") / MS_PER_MINUTE).alias("least_saved_minutes"),
            (F.col("struck") / F.nullif(F.col("compared"), F.lit(0))).alias("load"),
        )
    )
    place = F.row_number().over(best_first(Window.partitionBy("incident_id"), "alternative"))
    at = judged.columns.index("verdict") + 1
    return judged.select(*judged.columns[:at], place.alias("place"), *judged.columns[at:])


def best_first(window: WindowSpec, *names: str) -> WindowSpec:
    """A window in order of advice: by verdict, then by what is surely saved; `names` decide between equals."""
    order = F.array_position(F.array(*(F.lit(name) for name in VERDICTS)), F.col("verdict"))
    return window.orderBy(order, F.col("least_saved_minutes").desc_nulls_last(), *names)
