"""Learn what parties of accounts usually look like, to tell odd ones; no verdict is asked for."""

from datetime import timedelta

from pydantic import Field

from cinelake.integrity.outliers import fitted, matrix_of, sample_of
from cinelake.integrity.registration import registrable_forest
from cinelake.integrity.scorecard import shipped
from cinelake.runtime.job import Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking.versions import ModelVersion, proposed
from cinelake.tables.integrity import ACCOUNT_PARTIES, INTEGRITY_OUTLIERS

# A party's newest row says what its weeks were; a week of rows holds all that are about.
DAYS = 7


class TrainIntegrityOutliersParams(JobParams):
    least_parties: int = Field(
        100, ge=2, description="fewer parties than this say nothing of the usual"
    )


@job(
    reads=[Reading(ACCOUNT_PARTIES, lookback=DAYS, lookahead=-1)],
    writes=[INTEGRITY_OUTLIERS],
    params=TrainIntegrityOutliersParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def train_integrity_outliers(run: Run[TrainIntegrityOutliersParams]) -> None:
    run.tracker.settled(INTEGRITY_OUTLIERS, run.inputs_fingerprint, lambda: _trained(run))


def _trained(run: Run[TrainIntegrityOutliersParams]) -> ModelVersion | None:
    parties = run.read(ACCOUNT_PARTIES)
    # At most `outliers.MOST_ROWS`.
    rows = sample_of(parties).toArrow().column("features").to_pylist()
    if len(rows) < run.params.least_parties:
        run.tracker.set_tags({"skipped": f"{len(rows)} parties apart from a home are too few"})
        return None
    names = sorted(shipped("party").typical)
    values = matrix_of(rows, names)
    forest = fitted(values, names)
    scores = forest.score(values)
    told = {
        "parties": float(len(rows)),
        "oddness.mean": float(scores.mean()),
        "oddness.max": float(scores.max()),
    }
    run.tracker.log_metrics(told)
    run.tracker.flush()
    return run.tracker.register(
        INTEGRITY_OUTLIERS,
        trained_through=run.end - timedelta(days=1),
        fingerprint=run.inputs_fingerprint,
        # There is no truth to judge it by: it stands beside the signals, and decides nothing.
        tags=proposed(passed=True, reason=f"describes {len(rows)} parties"),
        **registrable_forest(forest, parties.sparkSession),
    )


if __name__ == "__main__":
    train_integrity_outliers.main()
