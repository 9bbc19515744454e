"""Learn from people's verdicts how much each feature of a party speaks for sharing and for takeover."""

from datetime import timedelta

from pydantic import Field

from cinelake.integrity.learning import TEST_SHARE, Lesson, examples, lesson, log_loss, moved
from cinelake.integrity.registration import registrable_card
from cinelake.integrity.scorecard import shipped
from cinelake.runtime.job import ALL, Cadence, JobParams, Reading, Run, job
from cinelake.runtime.tracking.versions import ModelVersion, proposed
from cinelake.tables.integrity import INTEGRITY_WEIGHTS, VERDICTS


class TrainIntegrityWeightsParams(JobParams):
    least_verdicts: int = Field(
        30,
        ge=4,
        description="fewer verdicts than this, or fewer than five of a sort, teach nothing",
    )
    prior_spread: float = Field(
        0.5,
        gt=0,
        description="how far weights may be from those shipped (units of a feature's spread)",
    )


# Of confirmations and of rejections each.
LEAST_OF_A_SORT = 5


@job(
    reads=[
        Reading(VERDICTS, lookback=ALL, lookahead=-1),
    ],
    writes=[INTEGRITY_WEIGHTS],
    params=TrainIntegrityWeightsParams,
    cadence=Cadence.WEEKLY,
    catchup=False,
)
def train_integrity_weights(run: Run[TrainIntegrityWeightsParams]) -> None:
    run.tracker.settled(INTEGRITY_WEIGHTS, run.inputs_fingerprint, lambda: _trained(run))


def _trained(run: Run[TrainIntegrityWeightsParams]) -> ModelVersion | None:
    card, params = shipped("party"), run.params
    verdicts = run.read(VERDICTS)
    # At most `learning.MOST_VERDICTS`.
    rows = examples(verdicts, sorted(card.weights)).toArrow().to_pylist()
    told = lesson(rows, card)
    confirmed = int((told.label > 0).sum())
    if len(told) < params.least_verdicts or min(confirmed, len(told) - confirmed) < LEAST_OF_A_SORT:
        said = f"{len(told)} verdicts, {confirmed} of them confirmations, teach nothing yet"
        run.tracker.set_tags({"skipped": said})
        return None
    before, after = _losses(told, params.prior_spread)
    run.tracker.log_metrics(
        {
            "verdicts": float(len(told)),
            "confirmed": float(confirmed),
            "shipped.log_loss": before,
            "moved.log_loss": after,
        }
    )
    run.tracker.flush()
    said = f"log loss of the newest verdicts {after:.3f}, by the shipped weights {before:.3f}"
    return run.tracker.register(
        INTEGRITY_WEIGHTS,
        trained_through=run.end - timedelta(days=1),
        fingerprint=run.inputs_fingerprint,
        tags=proposed(passed=after <= before, reason=said),
        **registrable_card(moved(card, told, params.prior_spread), verdicts.sparkSession),
    )


def _losses(told: Lesson, prior_spread: float) -> tuple[float, float]:
    """On the newest verdicts: by the shipped weights, and by those that the older ones moved."""
    cut = round(len(told) * (1 - TEST_SHARE))
    card, newest = shipped("party"), told.part(slice(cut, None))
    learned = moved(card, told.part(slice(0, cut)), prior_spread)
    return log_loss(card, newest), log_loss(learned, newest)


if __name__ == "__main__":
    train_integrity_weights.main()
