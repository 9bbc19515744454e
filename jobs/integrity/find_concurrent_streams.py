"""Find how many streams each account had at once, and when they were more than its plan allows.

A day holds what streamed on it: plays that began on the days before and went on into it are read as well.
"""

from cinelake.integrity.concurrency import by_day, excesses, peaks
from cinelake.integrity.streams import StreamRules, intervals, streams
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.behaviour import ACCOUNTS
from cinelake.tables.integrity import CONCURRENT_STREAMS, STREAM_PEAKS
from cinelake.tables.viewing import VIEWING_SESSIONS

# A session holds what happens on the day on which it began and on the next (behaviour/sessions.py).
SESSION_DAYS = 1


class FindConcurrentStreamsParams(StreamRules, JobParams):
    """The rules, as they come from the configuration."""


@job(
    reads=[Reading(VIEWING_SESSIONS, lookback=SESSION_DAYS), history(ACCOUNTS)],
    writes=[STREAM_PEAKS, CONCURRENT_STREAMS],
    params=FindConcurrentStreamsParams,
    version=2,
)
def find_concurrent_streams(run: Run[FindConcurrentStreamsParams]) -> None:
    plays = by_day(intervals(run.read(VIEWING_SESSIONS), run.params), run.start, run.end)
    pieces = streams(plays, run.params)
    most = peaks(pieces)
    run.write(STREAM_PEAKS, most)
    run.write(CONCURRENT_STREAMS, excesses(pieces, most, run.read(ACCOUNTS)))


if __name__ == "__main__":
    find_concurrent_streams.main()
