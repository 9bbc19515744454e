"""Build the searches: one row each visit to the search page, and what came of it."""

from pydantic import Field

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.searches import AFTER, BEFORE, PLAYED_AFTER, Lives, searches
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.behaviour import ACCOUNTS, DEVICES
from cinelake.tables.browsing import SEARCHES
from cinelake.tables.ingest import BRONZE_SEARCHES
from cinelake.tables.viewing import VIEWING_SESSIONS


class BuildSearchesParams(JobParams):
    played_within_s: int = Field(
        600,
        ge=0,
        le=14_400,
        description="longest time from the click to a press of play that came of the search (s)",
    )


@job(
    reads=[
        Reading(BRONZE_SEARCHES, lookback=BEFORE, lookahead=AFTER, accounted=True),
        Reading(VIEWING_SESSIONS, lookahead=PLAYED_AFTER),
        history(ACCOUNTS),
        history(DEVICES),
    ],
    writes=[SEARCHES],
    params=BuildSearchesParams,
)
def build_searches(run: Run[BuildSearchesParams]) -> None:
    beside = Lives(run.read(VIEWING_SESSIONS), run.read(ACCOUNTS), run.read(DEVICES))
    found = searches(
        run.read(BRONZE_SEARCHES),
        beside,
        run.keys(IdKind),
        run.start,
        run.end,
        run.params.played_within_s,
        run.account_for,
    )
    run.write(SEARCHES, found)


if __name__ == "__main__":
    build_searches.main()
