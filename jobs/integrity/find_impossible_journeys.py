"""Find uses of an account that lie too far apart for the time between them."""

from pydantic import Field

from cinelake.integrity.journeys import PLACE_DAYS_READ, TravelRules, journeys
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.integrity import IMPOSSIBLE_JOURNEYS, PLACE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS

# Uses of the day before may be the earlier ones of a pair.
DAY_BEFORE = 1


class FindImpossibleJourneysParams(JobParams):
    fastest_kmh: float = Field(
        1000.0, gt=0, description="what an airliner does over ground with the wind (km/h)"
    )
    least_km: float = Field(
        150.0, ge=0, description="distances below this are nobody's concern (km)"
    )
    uncertain_km: float = Field(
        75.0, ge=0, description="what the place of a line in a building may be wrong by (km)"
    )
    uncertain_coarse_km: float = Field(
        300.0, ge=0, description="the same of mobile carriers and satellites (km)"
    )
    longest_gap_h: float = Field(
        12.0, gt=0, le=24, description="uses further apart in time are not compared (h)"
    )
    stay_gap_s: int = Field(
        1800, ge=0, description="uses of a device in one region within this time are one stay (s)"
    )


@job(
    reads=[
        Reading(VIEWING_SESSIONS, lookback=DAY_BEFORE),
        Reading(LOG_INS, lookback=DAY_BEFORE),
        Reading(PLACE_DAYS, lookback=PLACE_DAYS_READ + DAY_BEFORE),
    ],
    writes=[IMPOSSIBLE_JOURNEYS],
    params=FindImpossibleJourneysParams,
)
def find_impossible_journeys(run: Run[FindImpossibleJourneysParams]) -> None:
    rules = TravelRules(**run.params.model_dump())
    found = journeys(
        run.read(VIEWING_SESSIONS),
        run.read(LOG_INS),
        run.read(PLACE_DAYS),
        run.start,
        run.end,
        rules,
    )
    run.write(IMPOSSIBLE_JOURNEYS, found)


if __name__ == "__main__":
    find_impossible_journeys.main()
