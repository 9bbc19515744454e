"""Judge home pages by what profiles played on each day of a week, beside plainer pages.

Pages are made anew as they would have been when the day before ended, of those who played, by the models that there
were then; so what judges them nothing has seen. How large they are, of what kinds of row and by which brand rules,
`[shared.pages]` says, as of those that `compose_home` makes. Days are those of viewers' clocks: the last that is over
everywhere is the one before the run's. Each profile counts once, with the mean of all that it started.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import date, timedelta
from functools import partial, reduce
from typing import Any

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.persisted import persisted
from cinelake.recommend.eligibility import offer
from cinelake.recommend.evaluation import intervals
from cinelake.recommend.home import scores
from cinelake.recommend.home.approved import PLAIN, Models, approved
from cinelake.recommend.home.page_params import PageParams
from cinelake.recommend.home.pages import pages
from cinelake.recommend.home.pictures import leaderboard
from cinelake.recommend.home.planning import READ, Behind, Settings, Told, planned, prepared
from cinelake.recommend.home.scores import CONTEXT, LEADS, MEASURES
from cinelake.recommend.lists import popular_around
from cinelake.recommend.model import Fitted
from cinelake.recommend.rows.kind import kinds_named
from cinelake.runtime.job import Cadence, JobParams, Reading, Run, history, job
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.tables.home import HOME_RANKER, HOME_SCORES, RESUME
from cinelake.tables.recommend import RECOMMENDER
from cinelake.tables.viewing import VIEWING_SESSIONS

MOST_DAYS = 28
PAGE, WEEKDAY = "page", "weekday"


class JudgeHomeParams(JobParams):
    pages: PageParams = PageParams()
    settings: Settings = Settings()
    # A week has each weekday once, and a profile plays on some of its days: intervals are half as wide as a day's.
    days: int = Field(7, ge=1, le=MOST_DAYS, description="days whose plays judge")


@job(
    reads=[
        *map(history, READ),
        Reading(VIEWING_SESSIONS, lookback=MOST_DAYS),
        RECOMMENDER,
        HOME_RANKER,
        RESUME,
    ],
    writes=[HOME_SCORES],
    params=JudgeHomeParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
    version=6,
)
def judge_home(run: Run[JudgeHomeParams]) -> None:
    through = run.end - timedelta(days=1)
    days = [through - timedelta(days=ago) for ago in range(run.params.days, 0, -1)]
    told = Told.of(run.read)
    models = {day: _known_before(run, day) for day in days}
    # Compared over the same days, or not at all.
    untold = [str(day) for day, of_day in models.items() if of_day.plain is None]
    if untold:
        run.tracker.set_tags(
            {f"left_out.{PLAIN}": f"no version of {', '.join(untold)} tells of it"}
        )
    each = [_judged(run, told, day, of, plain=not untold) for day, of in models.items()]
    judged = reduce(DataFrame.unionByName, each)
    with persisted(judged) as whole:
        led = scores.with_leads(scores.by_profile(whole), PAGE)
        told_of = intervals(led, (*MEASURES, *LEADS)).toArrow().to_pylist()
        for by in (*CONTEXT[1:], WEEKDAY):
            run.tracker.log_metrics(_means_by(whole, by))
    found = {(row["model"], row["measure"]): row for row in told_of if row["profiles"]}
    rows = [
        {"day": through, "days": len(days), "policy": policy, "measure": measure}
        | {n: row[n] for n in ("profiles", "mean", "low", "high")}
        | _lead(found, policy, measure)
        for (policy, measure), row in found.items()
        if measure in MEASURES
    ]
    run.tracker.log_metrics(
        {f"{row['policy']}.{row['measure']}": row["mean"] for row in rows}
        | {f"lead.{r['policy']}.{r['measure']}": r["lead"] for r in rows if r["lead"] is not None}
    )
    if rows:
        run.tracker.log_figure(leaderboard(rows), "leaderboard.png")
    run.write(HOME_SCORES, told.stops.sparkSession.createDataFrame(rows, HOME_SCORES.schema))


def _means_by(judged: DataFrame, by: str) -> dict[str, float]:
    """The mean of each measure by policy and circumstance, each profile once."""
    means = (F.avg(measure).alias(measure) for measure in MEASURES)
    rows = scores.by_profile(judged, [by]).groupBy("model", by).agg(*means)
    return {
        f"{row['model']}.{measure}.{by}.{row[by]}": row[measure]
        for row in rows.toArrow().to_pylist()
        for measure in MEASURES
        if row[measure] is not None
    }


def _lead(
    found: Mapping[tuple[str, str], Mapping[str, Any]], policy: str, measure: str
) -> dict[str, float | None]:
    """How far the page is ahead of another policy; nothing of itself."""
    lead = None if policy == PAGE else found.get((policy, f"lead_{measure}"))
    names = {"lead": "mean", "lead_low": "low", "lead_high": "high"}
    return {name: lead and lead[of] for name, of in names.items()}


def _known_before(run: Run[JudgeHomeParams], day: date) -> Models[ModelVersion]:
    """The models by which pages for a day were made."""
    newest = partial(run.approved_or_none, on=min(day - timedelta(days=1), run.start))
    return approved(newest, run.tracker.tracking.read_frame)


def _judged(
    run: Run[JudgeHomeParams],
    told: Told,
    day: date,
    models: Models[ModelVersion],
    *,
    plain: bool,
) -> DataFrame:
    """How pages made when the day before ended fared on the day (scores.py), computed; with `plain` those without
    circumstances, too.
    """
    params, yesterday = run.params, day - timedelta(days=1)
    # What chance puts on pages is there to learn from, and plainer pages have none of it.
    grid = params.pages.grid.model_copy(update={"exploration": 0.0})
    kinds = kinds_named(params.pages.rows)
    with ExitStack() as stack:
        wanted = stack.enter_context(
            persisted(scores.played(run.read(VIEWING_SESSIONS), told.stops, day))
        )
        players = wanted.select("profile_id").distinct()
        ready = prepared(
            told, day, models.weighing(params.settings), models.taste, models.resume, kinds,
            among=lambda people, _: people.join(players, on="profile_id", how="left_semi"),
        )  # fmt: skip
        # All policies ask for the same profiles, and to plan what they come from takes longer than to compute it.
        profiles = stack.enter_context(persisted(ready.profiles))
        made, worths = {}, {PAGE: models.worth}
        if plain and models.plain is not None:
            worths[PLAIN] = models.plain
        for name, worth in worths.items():
            behind = Behind(worth, models.attention, grid, params.pages.brand, kinds)
            made[name] = pages(profiles, planned(ready.basis, behind, yesterday))
        offered, length = offer(ready.service.shown, ready.service.rules), grid.rows * grid.titles
        rivals: dict[str, Fitted] = {
            "popular": popular_around(ready.interactions, ready.people.numbers, ready.service)
        }
        if ready.model is not None:
            rivals["list"] = ready.model
        # Only what is judged, for its own rows are part of all that lists are cut into.
        asked = made[PAGE].join(wanted.select(*CONTEXT).distinct(), on=[*CONTEXT], how="left_semi")
        made[PAGE] = stack.enter_context(persisted(asked))
        asking = profiles.select(*ready.people.profiles.columns)
        seen = [kind.kind for kind in kinds if kind.shows_seen]
        for name, model in rivals.items():
            lists = model.lists(asking, length, offered)
            made[name] = scores.below_own_rows(lists, made[PAGE], grid, seen)
        judged = scores.judged(made, wanted, models.attention)
        return judged.withColumn(WEEKDAY, F.lit(day.isoweekday())).localCheckpoint()


if __name__ == "__main__":
    judge_home.main()
