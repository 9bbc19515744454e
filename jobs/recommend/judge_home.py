"""Judge home pages by what profiles played on the next day, beside plainer pages.

Pages are made anew as they would have been when the day before ended, by the models that there were; so what judges
them nothing has seen.
"""

from datetime import timedelta

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
from cinelake.recommend.rows.kind import kinds_named
from cinelake.runtime.job import Cadence, JobParams, Run, history, job
from cinelake.tables.home import HOME_RANKER, HOME_SCORES, RESUME
from cinelake.tables.recommend import RECOMMENDER


class JudgeHomeParams(JobParams):
    grid: Grid = Grid(exploration=0.0)
    settings: Settings = Settings()


@job(
    reads=[*map(history, READ), RECOMMENDER, HOME_RANKER, RESUME],
    writes=[HOME_SCORES],
    params=JudgeHomeParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def judge_home(run: Run[JudgeHomeParams]) -> None:
    grid, day = run.params.grid, run.end - timedelta(days=1)
    models = approved(run.approved_or_none, run.tracker.tracking.read_frame)
    told = Told.of(run.read)
    kinds = kinds_named(())
    ready = prepared(
        told, day, models.weighing(run.params.settings), models.taste, models.resume, kinds
    )
    plain = models.worth.only(NUMBERS)
    made = {
        name: pages(
            ready.profiles,
            planned(
                ready.basis,
                Behind(worth, models.attention, grid, BrandRules(), kinds),
                day - timedelta(days=1),
            ),
        )
        for name, worth in {"page": models.worth, "without_circumstances": plain}.items()
    }
    offered, length = offer(ready.service.shown, ready.service.rules), grid.rows * grid.titles
    popular = popular_around(ready.interactions, ready.people.numbers, ready.service)
    made["popular"] = scores.as_pages(popular.lists(ready.people.profiles, length, offered), grid)
    if ready.model is not None:
        made["list"] = scores.as_pages(
            ready.model.lists(ready.people.profiles, length, offered), grid
        )
    wanted = scores.played(told.stops, day)
    with persisted(scores.judged(made, wanted, models.attention)) as judged:
        found = intervals(scores.by_profile(judged), MEASURES)
        rows = [
            {"day": day, "policy": row["model"]}
            | {n: row[n] for n in ("measure", "profiles", "mean", "low", "high")}
            for row in found.toArrow().to_pylist()
            if row["profiles"]
        ]
    run.tracker.log_metrics({f"{row['policy']}.{row['measure']}": row["mean"] for row in rows})
    if rows:
        run.tracker.log_figure(leaderboard(rows), "leaderboard.png")
    run.write(HOME_SCORES, wanted.sparkSession.createDataFrame(rows, HOME_SCORES.schema))


if __name__ == "__main__":
    judge_home.main()
