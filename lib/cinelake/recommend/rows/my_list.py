"""What the profile put on its list and has not watched yet."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.rows.kind import Known, RowKind


class MyList(RowKind):
    kind = "my_list"
    least = 1
    keeps_titles = True
    always = True
    text = "My list"

    def own(self, known: Known) -> DataFrame | None:
        listed = F.sum(F.col("added_to_list") - F.col("removed_from_list"))
        kept = known.signals.groupBy("profile_id", "title_id").agg(listed.alias("_listed"))
        on_list = kept.where(F.col("_listed") > 0)
        return on_list.select("profile_id", "title_id", F.lit(0.0).alias("added"))
