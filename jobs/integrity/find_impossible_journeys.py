"""Find uses of an account that lie too far apart for the time between them."""

from cinelake.integrity.journeys import PLACE_DAYS_READ, TravelRules, journeys
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.integrity import IMPOSSIBLE_JOURNEYS, PLACE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS

# The earlier use of a pair may be a play that began two days before: it goes on on the day after its own, and what
# follows within hours is compared with it.
DAYS_BEFORE = 2


class FindImpossibleJourneysParams(TravelRules, JobParams):
    """The rules, as they come from the configuration."""


@job(
    reads=[
        Reading(VIEWING_SESSIONS, lookback=DAYS_BEFORE),
        Reading(LOG_INS, lookback=DAYS_BEFORE),
        Reading(PLACE_DAYS, lookback=PLACE_DAYS_READ + DAYS_BEFORE),
    ],
    writes=[IMPOSSIBLE_JOURNEYS],
    params=FindImpossibleJourneysParams,
    version=3,
)
def find_impossible_journeys(run: Run[FindImpossibleJourneysParams]) -> None:
    found = journeys(
        run.read(VIEWING_SESSIONS),
        run.read(LOG_INS),
        run.read(PLACE_DAYS),
        run.start,
        run.end,
        run.params,
    )
    run.write(IMPOSSIBLE_JOURNEYS, found)


if __name__ == "__main__":
    find_impossible_journeys.main()
