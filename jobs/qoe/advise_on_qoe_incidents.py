"""Tell what would have helped the sessions that incidents struck: another CDN or version of the app, or a cap.

It is advice from sessions that happened. Nothing applies it.
"""

from cinelake.qoe.cells import BEFORE
from cinelake.qoe.struck import Advising, figures, mitigations
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.mitigation import QOE_MITIGATIONS
from cinelake.tables.qoe import QOE_INCIDENTS, QOE_SESSIONS


class AdviseOnQoeIncidentsParams(JobParams):
    advising: Advising = Advising()


@job(
    reads=[QOE_INCIDENTS, Reading(QOE_SESSIONS, lookback=BEFORE)],
    writes=[QOE_MITIGATIONS],
    params=AdviseOnQoeIncidentsParams,
    version=3,
)
def advise_on_qoe_incidents(run: Run[AdviseOnQoeIncidentsParams]) -> None:
    found = mitigations(run.read(QOE_INCIDENTS), run.read(QOE_SESSIONS), run.params.advising)
    run.write(QOE_MITIGATIONS, run.log_figures(found, figures()))


if __name__ == "__main__":
    advise_on_qoe_incidents.main()
