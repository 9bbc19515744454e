"""Compose home pages for each class of device and part of the day that follows, of the profiles whose turn it is.

Whose turn it is, and which page counts for whom, says recommend/home/due.py.
"""

from datetime import timedelta

from pydantic import Field, ValidationInfo, field_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.home.approved import approved
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.due import LONGEST_TURN, Turns, due, lively
from cinelake.recommend.home.pages import pages
from cinelake.recommend.home.planning import READ, Behind, Settings, Told, planned, prepared
from cinelake.recommend.home.rules import BrandRules
from cinelake.recommend.rows.kind import kinds_named
from cinelake.runtime.job import JobParams, Reading, Run, hash_of_content, history, job
from cinelake.tables.home import HOME_PAGES, HOME_RANKER, RESUME
from cinelake.tables.recommend import RECOMMENDER


class ComposeHomeParams(JobParams):
    grid: Grid = Grid()
    rows: tuple[str, ...] = Field((), description="kinds of row; none named: all there are")
    brand: BrandRules = BrandRules()
    settings: Settings = Settings()
    turns: Turns = Turns()

    @field_validator("rows")
    @classmethod
    def _kinds_are_known(cls, rows: tuple[str, ...]) -> tuple[str, ...]:
        kinds_named(rows)
        return rows

    @field_validator("brand")
    @classmethod
    def _first_rows_are_there(cls, brand: BrandRules, given: ValidationInfo) -> BrandRules:
        if "rows" in given.data:
            brand.require_kinds([kind.kind for kind in kinds_named(given.data["rows"])])
        return brand


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
    version=6,
)
def compose_home(run: Run[ComposeHomeParams]) -> None:
    params, kinds = run.params, kinds_named(run.params.rows)
    models = approved(run.approved_or_none, run.tracker.tracking.read_frame)
    told = Told.of(run.read)
    settings = models.weighing(params.settings)
    day = run.end - timedelta(days=1)
    made_by = hash_of_content(
        [params.model_dump(mode="json", exclude={"turns"}), [kind.kind for kind in kinds]]
    )

    def among(everybody: DataFrame) -> DataFrame:
        awake = lively(told, run.end, params.turns.lively_days)
        told_due = due(everybody, awake, run.read(HOME_PAGES), day, made_by, params.turns)
        counted = run.log_shares(told_due, {"share_due": F.col("is_due")})
        return counted.where("is_due").select("profile_id")

    ready = prepared(told, run.end, settings, models.taste, models.resume, kinds, among)
    run.tracker.set_tags({f"left_out.{kind}": why for kind, why in ready.left_out.items()})
    behind = Behind(models.worth, models.attention, params.grid, params.brand, kinds)
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
