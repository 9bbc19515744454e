"""Find the cells and hours in which more sessions went bad than should, within a budget of false alarms."""

from cinelake.qoe.anomalies import HISTORY, Alarming, anomalies, figures
from cinelake.qoe.usual import Usual
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.maintenance import LONGEST_DAYS, QOE_MAINTENANCE
from cinelake.tables.qoe import QOE_ANOMALIES, QOE_ROLLUPS


class FindQoeAnomaliesParams(JobParams):
    usual: Usual = Usual()
    alarming: Alarming = Alarming()


@job(
    reads=[
        Reading(QOE_ROLLUPS, lookback=HISTORY),
        Reading(QOE_MAINTENANCE, lookback=LONGEST_DAYS),
    ],
    writes=[QOE_ANOMALIES],
    params=FindQoeAnomaliesParams,
    version=5,
)
def find_qoe_anomalies(run: Run[FindQoeAnomaliesParams]) -> None:
    params = run.params
    found = anomalies(
        run.read(QOE_ROLLUPS),
        run.start,
        run.end,
        params.usual,
        params.alarming,
        run.read(QOE_MAINTENANCE),
    )
    run.write(QOE_ANOMALIES, run.log_figures(found, figures(params.alarming)))


if __name__ == "__main__":
    find_qoe_anomalies.main()
