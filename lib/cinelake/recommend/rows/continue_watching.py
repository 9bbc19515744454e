"""What the profile has begun, in the order of how likely it goes on with it then (home/resume.py)."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.rows.kind import Known, RowKind


class ContinueWatching(RowKind):
    kind = "continue_watching"
    least = 1
    keeps_titles = True
    always = True
    text = "Continue watching"
    shows_seen = True
    needs = ("begun",)

    def own(self, known: Known) -> DataFrame | None:
        assert known.begun is not None
        return known.begun.select("*", F.lit(0.0).alias("added"))
