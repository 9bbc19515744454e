"""Track incidents: merge alarms that belong together, go on with yesterday's, and find where the fault lies."""

from datetime import timedelta

from pyspark.sql import functions as F

from cinelake.qoe.causes import MOST_HISTORY, Search, history, with_causes
from cinelake.qoe.incidents import Merging, figures, incidents
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.qoe import QOE_ANOMALIES, QOE_CELLS, QOE_INCIDENTS


class TrackQoeIncidentsParams(JobParams):
    merging: Merging = Merging()
    search: Search = Search()


@job(
    reads=[
        QOE_ANOMALIES,
        Reading(QOE_CELLS, lookback=MOST_HISTORY),
        Reading(QOE_INCIDENTS, lookback=1, previous=True),
    ],
    writes=[QOE_INCIDENTS],
    params=TrackQoeIncidentsParams,
    # What goes on is told by the day before.
    sequential=True,
    version=5,
)
def track_qoe_incidents(run: Run[TrackQoeIncidentsParams]) -> None:
    day, search = run.start, run.params.search
    yesterday = F.col("state_date") == F.lit(day - timedelta(days=1))
    before = run.read(QOE_INCIDENTS).where(yesterday)
    found = incidents(run.read(QOE_ANOMALIES), before, day, run.params.merging)
    cells = history(run.read(QOE_CELLS), day, search.history_days)
    told = with_causes(found, before, cells, day, search)
    run.write(QOE_INCIDENTS, run.log_figures(told, figures(day)))


if __name__ == "__main__":
    track_qoe_incidents.main()
