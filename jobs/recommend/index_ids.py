"""Give every new profile and title its dense integer.

One row per id, for ever: MLlib wants integers, and ids are strings.
"""

from cinelake.recommend.index import grown
from cinelake.runtime.job import ALL, Reading, Run, job
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import PROFILE_INDEX, TITLE_INDEX


@job(
    # The maps are read whole: an id first met in a later window keeps the integer it got there.
    reads=[TITLE_SIGNALS, Reading(PROFILE_INDEX, ALL, ALL), Reading(TITLE_INDEX, ALL, ALL)],
    writes=[PROFILE_INDEX, TITLE_INDEX],
)
def index_ids(run: Run) -> None:
    signals = run.read(TITLE_SIGNALS)
    for index, id_column in ((PROFILE_INDEX, "profile_id"), (TITLE_INDEX, "title_id")):
        run.write(index, grown(run.read(index), signals, id_column, "signal_date"))


if __name__ == "__main__":
    index_ids.main()
