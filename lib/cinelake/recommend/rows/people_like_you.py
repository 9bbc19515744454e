"""What is watched in the taste clusters that the profile belongs to."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend.also_watched import also_watched
from cinelake.recommend.rows.kind import Known, RowKind

# An e-fold of how many of them watch it counts as much as this in log odds.
WEIGHT = 0.5
# A page leaves out what the profile has seen, and takes a row's length of what remains.
CANDIDATES = 100


class PeopleLikeYou(RowKind):
    kind = "people_like_you"
    text = "People like you also watched"
    needs = ("clusters",)

    def own(self, known: Known) -> DataFrame | None:
        assert known.clusters is not None
        found = also_watched(known.clusters.members, known.clusters.titles, CANDIDATES)
        most = F.max("score").over(Window.partitionBy("profile_id"))
        return found.where(F.col("score") > 0).select(
            "profile_id",
            "title_id",
            (F.lit(WEIGHT) * F.log(F.col("score") / most)).alias("added"),
        )
