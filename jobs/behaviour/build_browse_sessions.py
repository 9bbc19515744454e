"""Build the browse sessions: how long viewers look around until they press play or leave."""

from pydantic import Field

from cinelake.behaviour.browsing import AFTER, BEFORE, SEARCHES_BEFORE, browse_sessions
from cinelake.behaviour.runs import LONGEST_GAP_S
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.behaviour import ACCOUNTS, DEVICES
from cinelake.tables.browsing import BROWSE_SESSIONS, INTERACTIONS, SEARCHES
from cinelake.tables.viewing import VIEWING_SESSIONS


class BuildBrowseSessionsParams(JobParams):
    gap_s: int = Field(
        1800,
        ge=60,
        le=LONGEST_GAP_S,
        description="longest time without a sign of browsing within one session (s)",
    )


@job(
    reads=[
        Reading(INTERACTIONS, lookback=BEFORE, lookahead=AFTER),
        Reading(SEARCHES, lookback=SEARCHES_BEFORE, lookahead=AFTER),
        Reading(VIEWING_SESSIONS, lookback=BEFORE, lookahead=AFTER),
        history(ACCOUNTS),
        history(DEVICES),
    ],
    writes=[BROWSE_SESSIONS],
    params=BuildBrowseSessionsParams,
)
def build_browse_sessions(run: Run[BuildBrowseSessionsParams]) -> None:
    found = browse_sessions(
        run.read(INTERACTIONS),
        run.read(SEARCHES),
        run.read(VIEWING_SESSIONS),
        run.read(ACCOUNTS),
        run.read(DEVICES),
        run.start,
        run.end,
        run.params.gap_s,
    )
    run.write(BROWSE_SESSIONS, found)


if __name__ == "__main__":
    build_browse_sessions.main()
