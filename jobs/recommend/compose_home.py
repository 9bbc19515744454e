"""Compose home pages for each class of device and part of the day that follows, of the profiles whose turn it is.

Whose turn it is, and which page counts for whom, says recommend/home/due.py.
"""

from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.home.approved import approved
from cinelake.recommend.home.due import LONGEST_TURN, Turns, due, lively, outdated
from cinelake.recommend.home.page_params import PageParams
from cinelake.recommend.home.pages import pages
from cinelake.recommend.home.planning import READ, Behind, Settings, Told, planned, prepared
from cinelake.recommend.rows.kind import kinds_named
from cinelake.recommend.service import Service
from cinelake.runtime.job import JobParams, Reading, Run, hash_of_content, history, job
from cinelake.tables.home import HOME_PAGES, HOME_RANKER, RESUME
from cinelake.tables.recommend import RECOMMENDER


class ComposeHomeParams(JobParams):
    pages: PageParams = PageParams()
    settings: Settings = Settings()
    turns: Turns = Turns()


@job(
    reads=[
        *map(history, READ),
        Reading(HOME_PAGES, lookback=LONGEST_TURN, previous=True),
        RECOMMENDER,
        HOME_RANKER,
        RESUME,
    ],
    writes=[HOME_PAGES],
    params=ComposeHomeParams,
    catchup=False,
    sequential=True,
    version=7,
)
def compose_home(run: Run[ComposeHomeParams]) -> None:
    params, kinds = run.params, kinds_named(run.params.pages.rows)
    models = approved(run.approved_or_none, run.tracker.tracking.read_frame)
    told = Told.of(run.read)
    settings = models.weighing(params.settings)
    day = run.end - timedelta(days=1)
    # A new model's pages are others for everybody, so nobody waits for its turn.
    made_by = hash_of_content(
        [
            params.model_dump(mode="json", exclude={"turns"}),
            [kind.kind for kind in kinds],
            models.versions,
        ]
    )

    def among(everybody: DataFrame, service: Service) -> DataFrame:
        before = run.read(HOME_PAGES)
        awake = lively(told, run.end, params.turns.lively_days)
        awake = awake.union(outdated(before, told.records.before(run.end), service, run.end))
        told_due = due(everybody, awake.distinct(), before, day, made_by, params.turns)
        counted = run.log_shares(told_due, {"share_due": F.col("is_due")})
        return counted.where("is_due").select("profile_id")

    ready = prepared(told, run.end, settings, models.taste, models.resume, kinds, among)
    run.tracker.set_tags({f"left_out.{kind}": why for kind, why in ready.left_out.items()})
    behind = Behind(models.worth, models.attention, params.pages.grid, params.pages.brand, kinds)
    made = pages(ready.profiles, planned(ready.basis, behind, day))
    made = run.log_shares(made, {"share_unmet": F.col("unmet").isNotNull()})
    run.write(
        HOME_PAGES,
        made.select(
            "*",
            F.lit(day).alias("as_of"),
            # Chosen later, by whoever tries pictures out.
            F.lit(None).cast("string").alias("artwork"),
            F.lit(made_by).alias("settings"),
            *(
                F.lit(number).cast("int").alias(f"{name}_version")
                for name, number in models.versions.items()
            ),
        ).select(*HOME_PAGES.names),
    )


if __name__ == "__main__":
    compose_home.main()
