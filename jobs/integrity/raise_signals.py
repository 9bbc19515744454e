"""Judge what each day shows of accounts: screens, places, sharing, takeover and playback."""

from pydantic import Field

from cinelake.integrity.evidence import LATELY, of_parties, of_places, of_playback, of_screens
from cinelake.integrity.outliers import Forest
from cinelake.integrity.scorecard import Scorecard, shipped
from cinelake.integrity.signals import judged, signals
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.integrity import (
    ACCOUNT_PARTIES,
    CONCURRENT_STREAMS,
    IMPOSSIBLE_JOURNEYS,
    INTEGRITY_OUTLIERS,
    INTEGRITY_SIGNALS,
    INTEGRITY_WEIGHTS,
    USAGE_DAYS,
)


class RaiseSignalsParams(JobParams):
    # Chosen for about one false case per 1,000 honest accounts and week on simulated services.
    sharing_from: float = Field(0.93, ge=0, le=1, description="least probability of a signal")
    takeover_from: float = Field(0.9, ge=0, le=1, description="least probability of a signal")
    screens_from: float = Field(0.6, ge=0, le=1, description="least probability of a signal")
    playback_from: float = Field(0.8, ge=0, le=1, description="least probability of a signal")
    places_from: float = Field(
        0.9, ge=0, le=1, description="least probability of a signal; look-ups of places err often"
    )


@job(
    reads=[
        ACCOUNT_PARTIES,
        Reading(CONCURRENT_STREAMS, lookback=LATELY - 1),
        Reading(IMPOSSIBLE_JOURNEYS, lookback=LATELY - 1),
        Reading(USAGE_DAYS, lookback=LATELY - 1),
        INTEGRITY_OUTLIERS,
        INTEGRITY_WEIGHTS,
    ],
    writes=[INTEGRITY_SIGNALS],
    params=RaiseSignalsParams,
    version=6,
)
def raise_signals(run: Run[RaiseSignalsParams]) -> None:
    read = run.tracker.tracking.read_frame
    forest_version = run.approved_or_none(INTEGRITY_OUTLIERS)
    weights_version = run.approved_or_none(INTEGRITY_WEIGHTS)
    forest = Forest.of_frame(read(forest_version, "nodes")) if forest_version else None
    moved = Scorecard.of_frame(read(weights_version, "weights")) if weights_version else None
    start, end = run.start, run.end
    suspects = of_parties(run.read(ACCOUNT_PARTIES), forest)
    parties = judged(suspects, moved or shipped("party"), explained_by=shipped("party_reasons"))
    screens = judged(of_screens(run.read(CONCURRENT_STREAMS), start, end), shipped("screens"))
    places = judged(of_places(run.read(IMPOSSIBLE_JOURNEYS), start, end), shipped("places"))
    playback = judged(of_playback(run.read(USAGE_DAYS), start, end), shipped("playback"))
    found = parties.unionByName(screens).unionByName(places).unionByName(playback)
    least = {name.removesuffix("_from"): value for name, value in run.params.model_dump().items()}
    run.write(INTEGRITY_SIGNALS, signals(found, least))


if __name__ == "__main__":
    raise_signals.main()
