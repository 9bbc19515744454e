"""Silver tables of what viewers do outside the player: look at tiles, act on them, search, find something or leave.

Ids are strings. Times are UTC; the day column of each table is the day on which the row's matter began.
"""

from pyspark.sql.types import (
    BooleanType,
    DateType,
    IntegerType,
    StringType,
    TimestampType,
)

from cinelake.sources.interactions import ACTIONS
from cinelake.tables.contract import Column, Layer, Partition, Table, between, one_of, satisfies
from cinelake.tables.viewing import DEVICE_KIND, LOCAL_TIME, LOCAL_TIME_CHECKS, SECONDS

INTERACTIONS = Table(
    name="interactions",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one tile shown to a profile on a page view, or one thing that a profile did with a title outside the player",
    columns=(
        Column("event_id", StringType(), "The event", required=True, personal="event id"),
        Column("action_date", DateType(), "Day of acted_at", required=True),
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("profile_id", StringType(), "Who", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device; null if not told", personal="device id"),
        Column(
            "action",
            StringType(),
            "impression: the tile was shown; or what was done: hover, scroll_past, click, details, thumbs_up, "
            "thumbs_down, add_my_list, remove_my_list, not_interested",
            required=True,
        ),
        Column("title_id", StringType(), "The title shown or acted on", required=True),
        Column("page_id", StringType(), "The page view; null for what was done elsewhere", personal="page id"),
        Column("row", IntegerType(), "Place of the row on the page, from 0"),
        Column("rank", IntegerType(), "Place in the row, from 0"),
        Column("row_kind", StringType(), "Kind of the row, as trending, genre, continue_watching"),
        Column("artwork", StringType(), "Variant of the picture"),
        Column("is_exploration", BooleanType(), "Whether the slot was filled at random"),
        Column("was_seen", BooleanType(), "Whether the tile came into view; null if not told"),
        Column("acted_at", TimestampType(), "When it was shown or done", required=True),
        Column("shown_at", TimestampType(), "When the tile was shown; null if no tile of the act is known"),
        Column(
            "seconds_to_action",
            SECONDS,
            "Of an act, from the showing of its tile to it, by the client's clock (s); null if no tile is known, "
            "or if the clock was set back between",
        ),
        Column("seconds_lasted", SECONDS, "How long, for what lasts, as a hover (s)"),
    ),
    # Impressions and acts come from two sources, each with event ids of its own.
    key=("event_id", "action", "action_date"),
    window="action_date",
    partition=Partition.DAY,
    checks=(
        one_of("action", "impression", *ACTIONS),
        between("row", 0, 1000),
        between("rank", 0, 1000),
        between("seconds_to_action", 0),
        between("seconds_lasted", 0, 86_400),
        satisfies(
            "action_date_is_of_acted_at", "action_date = CAST(acted_at AS DATE)", "action_date", "acted_at"
        ),
        satisfies(
            "an_impression_is_its_own_tile",
            "action <> 'impression' OR (page_id IS NOT NULL AND shown_at = acted_at)",
            "action",
            "page_id",
            "shown_at",
            "acted_at",
        ),
    ),
)  # fmt: skip

SEARCHES = Table(
    name="searches",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one search episode: a visit to the search page, from the first text typed to the last",
    columns=(
        Column("search_id", StringType(), "The episode", required=True, personal="search id"),
        Column("search_date", DateType(), "Day of started_at", required=True),
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("profile_id", StringType(), "Who", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device; null if not told", personal="device id"),
        Column("started_at", TimestampType(), "First text", required=True),
        Column("ended_at", TimestampType(), "Last text, or the click", required=True),
        Column("query", StringType(), "The last text, as typed", required=True, personal="free text"),
        Column("snapshots", IntegerType(), "Texts that were told, copies apart", required=True),
        Column(
            "refinements",
            IntegerType(),
            "How often the text was changed otherwise than by typing on; what is taken back letter by letter is "
            "one change",
            required=True,
        ),
        Column(
            "keystrokes",
            IntegerType(),
            "The fewest single changes of a letter that lead from text to text",
            required=True,
        ),
        Column("results", IntegerType(), "Titles that the last text found", required=True),
        Column("is_zero_results", BooleanType(), "Whether the last text found nothing", required=True),
        Column("had_zero_results", BooleanType(), "Whether any text on the way found nothing", required=True),
        Column("clicked_title_id", StringType(), "The title that was chosen; null if none"),
        Column("clicked_rank", IntegerType(), "Its place in the results, from 0"),
        Column("clicked_at", TimestampType(), "When it was chosen"),
        Column(
            "seconds_to_click",
            SECONDS,
            "From the first text to the click, by the client's clock (s); null if it was set back between",
        ),
        Column(
            "is_played",
            BooleanType(),
            "Whether the profile pressed play on the chosen title soon after, on whichever device",
            required=True,
        ),
        Column("play_id", StringType(), "The first such play attempt", personal="play id"),
        DEVICE_KIND,
        *LOCAL_TIME,
    ),
    # A client may use an id again after hours.
    key=("search_id", "started_at"),
    window="search_date",
    partition=Partition.DAY,
    checks=(
        between("snapshots", 1),
        between("refinements", 0),
        between("keystrokes", 0),
        between("results", 0),
        between("clicked_rank", 0),
        between("seconds_to_click", 0),
        *LOCAL_TIME_CHECKS,
        satisfies("ends_after_it_starts", "ended_at >= started_at", "ended_at", "started_at"),
        satisfies(
            "search_date_is_of_started_at", "search_date = CAST(started_at AS DATE)", "search_date", "started_at"
        ),
        satisfies(
            "only_what_was_clicked_is_played",
            "is_played = (play_id IS NOT NULL) AND (clicked_title_id IS NOT NULL OR NOT is_played)",
            "is_played",
            "play_id",
            "clicked_title_id",
        ),
    ),
)  # fmt: skip

BROWSE_SESSIONS = Table(
    name="browse_sessions",
    area="behaviour",
    layer=Layer.SILVER,
    grain="one stretch of browsing and searching by a profile on a device, until it presses play or leaves",
    columns=(
        Column(
            "browse_id",
            StringType(),
            "The session, hashed from what it began with",
            required=True,
            personal="browse id",
        ),
        Column("session_date", DateType(), "Day of started_at", required=True),
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("profile_id", StringType(), "Who", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device; null if not told", personal="device id"),
        Column("started_at", TimestampType(), "First tile shown or text typed", required=True),
        Column("ended_at", TimestampType(), "The press of play, or the last sign of browsing", required=True),
        Column("seconds_browsing", SECONDS, "From started_at to ended_at (s)", required=True),
        Column("page_views", IntegerType(), "Page views", required=True),
        Column("titles_seen", IntegerType(), "Titles of which a tile came into view", required=True),
        Column("acts", IntegerType(), "Things done with tiles", required=True),
        Column("searches", IntegerType(), "Search episodes", required=True),
        Column(
            "outcome",
            StringType(),
            "play: a press of play, whether or not a first frame followed; exit",
            required=True,
        ),
        Column("play_id", StringType(), "The play attempt that ended it", personal="play id"),
        Column("title_id", StringType(), "The film or series that was pressed"),
        Column("episode_id", StringType(), "Title id of the episode; null for a film"),
        Column("entry", StringType(), "Whence that play came: home, search, continue or deep_link; null if not told"),
        Column("entry_row", IntegerType(), "Of a play from the home page: its row, from 0"),
        Column("entry_rank", IntegerType(), "Of a play from the home page: place in the row, from 0"),
        DEVICE_KIND,
        *LOCAL_TIME,
    ),
    key=("browse_id", "session_date"),
    window="session_date",
    partition=Partition.DAY,
    checks=(
        one_of("outcome", "play", "exit"),
        between("seconds_browsing", 0, 86_400),
        between("page_views", 0),
        between("titles_seen", 0),
        between("acts", 0),
        between("searches", 0),
        *LOCAL_TIME_CHECKS,
        satisfies("ends_after_it_starts", "ended_at >= started_at", "ended_at", "started_at"),
        satisfies(
            "session_date_is_of_started_at", "session_date = CAST(started_at AS DATE)", "session_date", "started_at"
        ),
        satisfies("something_was_looked_at", "page_views + searches > 0", "page_views", "searches"),
        satisfies(
            "a_play_has_a_title",
            "(outcome = 'play') = (play_id IS NOT NULL AND title_id IS NOT NULL)",
            "outcome",
            "play_id",
            "title_id",
        ),
    ),
)  # fmt: skip
