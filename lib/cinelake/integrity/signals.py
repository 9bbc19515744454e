"""Signals: what a day's evidence comes to, by account and kind; most accounts have none.

A suspect's numbers become a probability by the scorecard of its kind. Parties are judged for sharing and for takeover
at once, and speak for one of them alone. Of several suspects of an account and kind the likeliest stands; of equals the
first by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.integrity.scorecard import Scorecard


def judged(
    suspects: DataFrame, card: Scorecard, explained_by: Scorecard | None = None
) -> DataFrame:
    """Suspects with `kind, probability, reasons`: those without a kind are judged for each that the card knows.

    Reasons are told by another card, where the features of the first do not speak for themselves.
    """
    explaining = explained_by or card
    chances = card.probabilities()
    options = [
        F.struct(
            F.lit(kind).alias("kind"),
            F.round(chance, 6).alias("probability"),
            explaining.reasons(kind).alias("reasons"),
        )
        for kind, chance in chances.items()
    ]
    # Of the kinds the likeliest; a tie falls to the first by name.
    ranked = F.array_sort(
        F.array(*options),
        lambda one, other: (
            F.when(one["probability"] > other["probability"], -1)
            .when(one["probability"] < other["probability"], 1)
            .when(one["kind"] < other["kind"], -1)
            .otherwise(1)
        ),
    )
    return suspects.drop("kind").select("*", F.get(ranked, F.lit(0)).alias("_told")).select(
        *(name for name in suspects.columns if name != "kind"), "_told.*"
    )  # fmt: skip


def signals(judged_suspects: DataFrame, from_probability: Mapping[str, float]) -> DataFrame:
    """Rows of `integrity_signals`: of each account, day and kind the likeliest suspect, from a probability on."""
    enough: Column = F.lit(False)
    for kind, least in sorted(from_probability.items()):
        enough = enough | ((F.col("kind") == kind) & (F.col("probability") >= least))
    kept = judged_suspects.where(enough)
    names = ("subject", "probability", "oddness", "stake_ms", "reasons", "evidence", "features")
    return (
        kept.groupBy("account_id", "signal_date", "kind")
        .agg(F.min_by(F.struct(*names), F.struct(-F.col("probability"), "subject")).alias("_first"))
        .select("account_id", "signal_date", "kind", "_first.*")
    )
