"""What is like a title that the profile watched lately and wanted, by `similar_titles`."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend.rows.kind import ANCHOR, Known, RowKind

# What the likeness of the most similar title counts, in log odds.
WEIGHT = 2.0


class BecauseYouWatched(RowKind):
    kind = "because_you_watched"
    most, offered = 2, 4
    text = f"Because you watched {ANCHOR}"
    needs = ("similar",)

    def own(self, known: Known) -> DataFrame | None:
        assert known.similar is not None
        played = known.signals.where(F.col("plays") > 0).groupBy("profile_id", "title_id")
        newest = Window.partitionBy("profile_id").orderBy(F.desc("_last"), "title_id")
        anchors = (
            played.agg(F.max("signal_date").alias("_last"))
            .join(known.liked, on=["profile_id", "title_id"], how="left_semi")
            .join(known.similar, on="title_id", how="left_semi")
            .select("*", F.row_number().over(newest).alias("_place"))
            .where(F.col("_place") <= self.offered)
        )
        return anchors.join(known.similar, on="title_id", how="inner").select(
            "profile_id",
            F.col("similar_id").alias("title_id"),
            (F.lit(WEIGHT) * F.col("score")).alias("added"),
            F.col("title_id").alias("key"),
            F.col("title_id").alias("anchor"),
        )
