"""Sum cells over the subsets of dimensions that operators ask for, by the hour and the day."""

from pydantic import Field
from pyspark.sql import functions as F

from cinelake.qoe.rollups import SUBSETS, rollups
from cinelake.runtime.job import JobParams, Run, job
from cinelake.tables.qoe import FIVE_MINUTES, QOE_CELLS, QOE_ROLLUPS


class RollUpQoeCellsParams(JobParams):
    subsets: tuple[str, ...] = Field(
        SUBSETS, min_length=1, description="subsets of dimensions, as 'cdn+region', and 'all'"
    )
    floor: int = Field(
        5,
        ge=1,
        description="attempts, or sessions in an hour, below which a combination tells nothing",
    )


@job(reads=[QOE_CELLS], writes=[QOE_ROLLUPS], params=RollUpQoeCellsParams, version=2)
def roll_up_qoe_cells(run: Run[RollUpQoeCellsParams]) -> None:
    wide = run.read(QOE_CELLS).where(F.col("width") > FIVE_MINUTES)
    run.write(QOE_ROLLUPS, rollups(wide, run.params.subsets, run.params.floor))


if __name__ == "__main__":
    roll_up_qoe_cells.main()
