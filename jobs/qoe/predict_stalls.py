"""Tell in which cells sessions were about to stall, and whether they did."""

from cinelake.qoe.stalls.moments import AFTER, BEFORE, NEEDED, moments
from cinelake.qoe.stalls.registration import NODES, THRESHOLD
from cinelake.qoe.stalls.risks import risks
from cinelake.qoe.stalls.trees import Boosted
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.sources.bronze import payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.stalls import QOE_STALL_RISKS, STALLS


@job(
    reads=[
        Reading(BRONZE_HEARTBEATS, lookback=BEFORE, lookahead=AFTER),
        Reading(BRONZE_PLAYBACK, lookback=BEFORE, lookahead=AFTER),
        STALLS,
    ],
    writes=[QOE_STALL_RISKS],
)
def predict_stalls(run: Run[JobParams]) -> None:
    bronze = run.read(BRONZE_HEARTBEATS)
    model = run.approved_or_none(STALLS)
    if model is None:
        # Until there is one, nothing is said.
        run.write(QOE_STALL_RISKS, bronze.sparkSession.createDataFrame([], QOE_STALL_RISKS.schema))
        return
    beats = payload(bronze, HEARTBEATS_SOURCE, *NEEDED)
    told = moments(beats, payload(run.read(BRONZE_PLAYBACK), PLAYBACK_SOURCE), run.start, run.end)
    trees = Boosted.of_frame(run.tracker.tracking.read_frame(model, NODES))
    threshold = float(model.tags[THRESHOLD])
    run.write(QOE_STALL_RISKS, risks(told, trees, threshold, model.version))


if __name__ == "__main__":
    predict_stalls.main()
