"""Sum up by day what each profile told of each title: plays, acts and ratings."""

from cinelake.behaviour.features import title_signals
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.behaviour import RATINGS
from cinelake.tables.browsing import INTERACTIONS
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS, INTERACTIONS, RATINGS], writes=[TITLE_SIGNALS])
def sum_title_signals(run: Run[JobParams]) -> None:
    run.write(
        TITLE_SIGNALS,
        title_signals(run.read(VIEWING_SESSIONS), run.read(INTERACTIONS), run.read(RATINGS)),
    )


if __name__ == "__main__":
    sum_title_signals.main()
