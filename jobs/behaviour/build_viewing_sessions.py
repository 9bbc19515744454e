"""Build the viewing sessions: one row each play attempt, from the player's events and its heartbeats."""

from pydantic import Field

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.sessions import BEAT_COLUMNS
from cinelake.behaviour.viewing import AFTER, BEFORE, Rules, Surroundings, viewing_sessions
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.sources.bronze import payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, TITLES
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.viewing import VIEWING_SESSIONS


class BuildViewingSessionsParams(JobParams):
    grace_s: int = Field(
        60,
        ge=0,
        le=3600,
        description="how long after its last record a session ends, if nothing says so (s)",
    )
    sitting_gap_s: int = Field(
        1800, ge=0, le=14_400, description="longest gap between two episodes of one sitting (s)"
    )
    film_finished: float = Field(
        0.9,
        gt=0,
        le=1,
        description="share of a film that counts as all of it, where no credits are known",
    )
    episode_finished: float = Field(
        0.85,
        gt=0,
        le=1,
        description="share of an episode that counts as all of it, where no credits are known",
    )


@job(
    reads=[
        Reading(BRONZE_PLAYBACK, lookback=BEFORE, lookahead=AFTER, accounted=True),
        Reading(BRONZE_HEARTBEATS, lookback=BEFORE, lookahead=AFTER, accounted=True),
        history(ACCOUNTS),
        history(DEVICES),
        history(TITLES),
    ],
    writes=[VIEWING_SESSIONS],
    params=BuildViewingSessionsParams,
    version=2,
)
def build_viewing_sessions(run: Run[BuildViewingSessionsParams]) -> None:
    around = Surroundings(run.read(ACCOUNTS), run.read(DEVICES), run.read(TITLES))
    found = viewing_sessions(
        payload(run.read(BRONZE_PLAYBACK), PLAYBACK_SOURCE),
        payload(run.read(BRONZE_HEARTBEATS), HEARTBEATS_SOURCE, *BEAT_COLUMNS),
        around,
        run.keys(IdKind),
        run.start,
        run.end,
        Rules(**run.params.model_dump()),
        run.account_for,
    )
    run.write(VIEWING_SESSIONS, found)


if __name__ == "__main__":
    build_viewing_sessions.main()
