"""Build the quality of sessions: one row each play attempt, from the player's events and its heartbeats."""

from pydantic import Field

from cinelake.behaviour.identity import IdKind
from cinelake.qoe.heard import BEAT_COLUMNS
from cinelake.qoe.sessions import AFTER, BEFORE, qoe_sessions
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.sources.bronze import payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.qoe import QOE_SESSIONS


class BuildQoeSessionsParams(JobParams):
    grace_s: int = Field(
        60,
        ge=0,
        le=3600,
        description="how long after its last record a session ends, if nothing says so (s)",
    )


@job(
    reads=[
        Reading(BRONZE_PLAYBACK, lookback=BEFORE, lookahead=AFTER),
        Reading(BRONZE_HEARTBEATS, lookback=BEFORE, lookahead=AFTER),
    ],
    writes=[QOE_SESSIONS],
    params=BuildQoeSessionsParams,
    version=3,
)
def build_qoe_sessions(run: Run[BuildQoeSessionsParams]) -> None:
    found = qoe_sessions(
        payload(run.read(BRONZE_PLAYBACK), PLAYBACK_SOURCE),
        payload(run.read(BRONZE_HEARTBEATS), HEARTBEATS_SOURCE, *BEAT_COLUMNS),
        run.keys(IdKind),
        run.start,
        run.end,
        run.params.grace_s,
    )
    run.write(QOE_SESSIONS, found)


if __name__ == "__main__":
    build_qoe_sessions.main()
