"""Build the tiles that home pages showed, with what became of each."""

from cinelake.recommend.home.tiles import AFTER, shown_tiles
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.behaviour import ACCOUNTS, DEVICES
from cinelake.tables.browsing import INTERACTIONS
from cinelake.tables.home import SHOWN_TILES
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(
    reads=[
        INTERACTIONS,
        Reading(VIEWING_SESSIONS, lookahead=AFTER),
        history(ACCOUNTS),
        history(DEVICES),
    ],
    writes=[SHOWN_TILES],
)
def build_shown_tiles(run: Run[JobParams]) -> None:
    tiles = shown_tiles(
        run.read(INTERACTIONS),
        run.read(VIEWING_SESSIONS),
        run.read(ACCOUNTS),
        run.read(DEVICES),
        run.start,
        run.end,
    )
    run.write(SHOWN_TILES, tiles)


if __name__ == "__main__":
    build_shown_tiles.main()
