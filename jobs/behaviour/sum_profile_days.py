"""Sum up by day how much each profile watches, browses and searches."""

from cinelake.behaviour.features import profile_days
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.browsing import BROWSE_SESSIONS, SEARCHES
from cinelake.tables.features import PROFILE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS, BROWSE_SESSIONS, SEARCHES], writes=[PROFILE_DAYS])
def sum_profile_days(run: Run[JobParams]) -> None:
    run.write(
        PROFILE_DAYS,
        profile_days(run.read(VIEWING_SESSIONS), run.read(BROWSE_SESSIONS), run.read(SEARCHES)),
    )


if __name__ == "__main__":
    sum_profile_days.main()
