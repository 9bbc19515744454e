"""Judge home pages by what profiles played on each day of a week, beside plainer pages.

Pages are made anew as they would have been when the day before ended, of those who played, by the models that there
were then; so what judges them nothing has seen. Each profile counts once, with the mean of all that it started.
"""

from contextlib import ExitStack
from datetime import date, timedelta
from functools import partial, reduce

from pydantic import Field
from pyspark.sql import DataFrame

from cinelake.persisted import persisted
from cinelake.recommend.eligibility import offer
from cinelake.recommend.evaluation import intervals
from cinelake.recommend.home import scores
from cinelake.recommend.home.approved import approved
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.pages import pages
from cinelake.recommend.home.pictures import leaderboard
from cinelake.recommend.home.planning import READ, Behind, Settings, Told, planned, prepared
from cinelake.recommend.home.rules import BrandRules
from cinelake.recommend.home.scores import MEASURES
from cinelake.recommend.home.worth import NUMBERS
from cinelake.recommend.lists import popular_around
from cinelake.recommend.model import Fitted
from cinelake.recommend.rows.kind import kinds_named
from cinelake.runtime.job import Cadence, JobParams, Run, history, job
from cinelake.tables.home import HOME_RANKER, HOME_SCORES, RESUME
from cinelake.tables.recommend import RECOMMENDER


class JudgeHomeParams(JobParams):
    grid: Grid = Grid(exploration=0.0)
    settings: Settings = Settings()
    # A week has each weekday once, and a profile plays on some of its days: intervals are half as wide as a day's.
    days: int = Field(7, ge=1, le=28, description="days whose plays judge")


@job(
    reads=[*map(history, READ), RECOMMENDER, HOME_RANKER, RESUME],
    writes=[HOME_SCORES],
    params=JudgeHomeParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
    version=4,
)
def judge_home(run: Run[JudgeHomeParams]) -> None:
    days = [run.end - timedelta(days=ago) for ago in range(run.params.days, 0, -1)]
    told = Told.of(run.read)
    judged = reduce(DataFrame.unionByName, [_judged(run, told, day) for day in days])
    with persisted(judged) as whole:
        found = intervals(scores.by_profile(whole), MEASURES)
        rows = [
            {"day": days[-1], "days": len(days), "policy": row["model"]}
            | {n: row[n] for n in ("measure", "profiles", "mean", "low", "high")}
            for row in found.toArrow().to_pylist()
            if row["profiles"]
        ]
    run.tracker.log_metrics({f"{row['policy']}.{row['measure']}": row["mean"] for row in rows})
    if rows:
        run.tracker.log_figure(leaderboard(rows), "leaderboard.png")
    run.write(HOME_SCORES, whole.sparkSession.createDataFrame(rows, HOME_SCORES.schema))


def _judged(run: Run[JudgeHomeParams], told: Told, day: date) -> DataFrame:
    """How pages made when the day before ended fared on the day (scores.py), computed."""
    grid, kinds, yesterday = run.params.grid, kinds_named(()), day - timedelta(days=1)
    models = approved(
        partial(run.approved_or_none, on=min(yesterday, run.start)), run.tracker.tracking.read_frame
    )
    with ExitStack() as stack:
        wanted = stack.enter_context(persisted(scores.played(told.stops, day)))
        players = wanted.select("profile_id").distinct()
        ready = prepared(
            told, day, models.weighing(run.params.settings), models.taste, models.resume, kinds,
            among=lambda people: people.join(players, on="profile_id", how="left_semi"),
        )  # fmt: skip
        # All policies ask for the same profiles, and to plan what they come from takes longer than to compute it.
        profiles = stack.enter_context(persisted(ready.profiles))
        made = {}
        for name, worth in (
            ("page", models.worth),
            ("without_circumstances", models.worth.only(NUMBERS)),
        ):
            behind = Behind(worth, models.attention, grid, BrandRules(), kinds)
            made[name] = pages(profiles, planned(ready.basis, behind, yesterday))
        offered, length = offer(ready.service.shown, ready.service.rules), grid.rows * grid.titles
        rivals: dict[str, Fitted] = {
            "popular": popular_around(ready.interactions, ready.people.numbers, ready.service)
        }
        if ready.model is not None:
            rivals["list"] = ready.model
        asking = profiles.select(*ready.people.profiles.columns)
        for name, model in rivals.items():
            made[name] = scores.as_pages(model.lists(asking, length, offered), grid)
        return scores.judged(made, wanted, models.attention).localCheckpoint()


if __name__ == "__main__":
    judge_home.main()
