"""Compose the home page of every profile, for each class of device and part of the day that follows."""

from datetime import timedelta

from pydantic import Field, field_validator
from pyspark.sql import functions as F

from cinelake.recommend.home.approved import approved
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.pages import pages
from cinelake.recommend.home.planning import READ, Behind, Settings, Told, planned, prepared
from cinelake.recommend.home.rules import BrandRules
from cinelake.recommend.rows.kind import kinds_named
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.home import HOME_PAGES, HOME_RANKER, RESUME
from cinelake.tables.recommend import RECOMMENDER


class ComposeHomeParams(JobParams):
    grid: Grid = Grid()
    rows: tuple[str, ...] = Field((), description="kinds of row; none named: all there are")
    brand: BrandRules = BrandRules()
    settings: Settings = Settings()

    @field_validator("rows")
    @classmethod
    def _kinds_are_known(cls, rows: tuple[str, ...]) -> tuple[str, ...]:
        kinds_named(rows)
        return rows


@job(
    reads=[*map(history, READ), RECOMMENDER, HOME_RANKER, RESUME],
    writes=[HOME_PAGES],
    params=ComposeHomeParams,
    catchup=False,
)
def compose_home(run: Run[ComposeHomeParams]) -> None:
    params, kinds = run.params, kinds_named(run.params.rows)
    models = approved(run.approved_or_none, run.tracker.tracking.read_frame)
    told = Told.of(run.read)
    settings = models.weighing(params.settings)
    ready = prepared(told, run.end, settings, models.taste, models.resume, kinds)
    run.tracker.set_tags({f"left_out.{kind}": why for kind, why in ready.left_out.items()})
    behind = Behind(models.worth, models.attention, params.grid, params.brand, kinds)
    day = run.end - timedelta(days=1)
    made = pages(ready.profiles, planned(ready.basis, behind, day))
    run.write(
        HOME_PAGES,
        made.select(
            "*",
            F.lit(day).alias("as_of"),
            # Chosen later, by whoever tries pictures out.
            F.lit(None).cast("string").alias("artwork"),
            *(
                F.lit(number).cast("int").alias(f"{name}_version")
                for name, number in models.versions.items()
            ),
        ).select(*HOME_PAGES.names),
    )


if __name__ == "__main__":
    compose_home.main()
