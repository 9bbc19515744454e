"""What the profile saw to its end and wanted, some time ago."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.rows.kind import Known, RowKind

# Nobody watches again what it has just seen.
AFTER_DAYS = 14


class WatchAgain(RowKind):
    kind = "watch_again"
    text = "Watch it again"
    shows_seen = True

    def own(self, known: Known) -> DataFrame | None:
        played = known.signals.groupBy("profile_id", "title_id").agg(
            F.sum("finished").alias("_finished"),
            F.max(F.when(F.col("plays") > 0, F.col("signal_date"))).alias("_last"),
        )
        old = F.date_diff(F.lit(known.until), "_last") > AFTER_DAYS
        again = played.where((F.col("_finished") > 0) & old).join(
            known.liked, on=["profile_id", "title_id"], how="left_semi"
        )
        return again.select("profile_id", "title_id", F.lit(0.0).alias("added"))
