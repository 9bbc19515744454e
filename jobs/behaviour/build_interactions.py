"""Build the interactions: tiles as they were shown, and what viewers did with titles, under pseudonyms."""

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.interactions import BEFORE, interactions
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.browsing import INTERACTIONS
from cinelake.tables.ingest import BRONZE_IMPRESSIONS, BRONZE_INTERACTIONS


@job(
    reads=[
        Reading(BRONZE_IMPRESSIONS, lookback=BEFORE, accounted=True),
        Reading(BRONZE_INTERACTIONS, lookback=BEFORE, accounted=True),
    ],
    writes=[INTERACTIONS],
)
def build_interactions(run: Run[JobParams]) -> None:
    found = interactions(
        run.read(BRONZE_IMPRESSIONS),
        run.read(BRONZE_INTERACTIONS),
        run.keys(IdKind),
        run.start,
        run.end,
    )
    run.write(INTERACTIONS, found)


if __name__ == "__main__":
    build_interactions.main()
