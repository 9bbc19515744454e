"""Sum up how sessions fared, by every combination of network, place, device and app, and by time."""

from cinelake.qoe.cells import BEFORE, Bearable, cells
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.qoe import QOE_CELLS, QOE_SESSIONS


class SumQoeCellsParams(JobParams):
    bearable: Bearable = Bearable()


@job(
    reads=[Reading(QOE_SESSIONS, lookback=BEFORE)],
    writes=[QOE_CELLS],
    params=SumQoeCellsParams,
    version=2,
)
def sum_qoe_cells(run: Run[SumQoeCellsParams]) -> None:
    found = cells(run.read(QOE_SESSIONS), run.start, run.end, run.params.bearable)
    run.write(QOE_CELLS, found)


if __name__ == "__main__":
    sum_qoe_cells.main()
