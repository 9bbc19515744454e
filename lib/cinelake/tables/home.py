"""Gold tables of the home page: what became of the tiles that were shown, and where profiles stopped."""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
)

from cinelake.tables.contract import (
    Column,
    Layer,
    Model,
    Partition,
    Table,
    between,
    one_of,
    satisfies,
)

DEVICE_CLASS = Column(
    "device_class",
    StringType(),
    "tv: televisions and consoles; phone; computer: tablets and laptops; or unknown",
    required=True,
)
DAYPART = Column(
    "daypart",
    StringType(),
    "By the viewer's clock: night from 0, morning from 6, afternoon from 12, evening from 18",
    required=True,
)
CIRCUMSTANCES_CHECKS = (
    one_of("device_class", "tv", "phone", "computer", "unknown"),
    one_of("daypart", "night", "morning", "afternoon", "evening"),
)
PLACE_CHECKS = (between("row", 0, 1000), between("rank", 0, 1000))

SHOWN_TILES = Table(
    name="shown_tiles",
    area="recommend",
    layer=Layer.GOLD,
    grain="one tile of a home page as it was shown to a profile on a day, and what became of it",
    columns=(
        Column("profile_id", StringType(), "To whom", required=True),
        Column("shown_date", DateType(), "Day on which the tile was shown, UTC", required=True),
        Column(
            "page",
            IntegerType(),
            "Number of the page view among those of the profile on the day, from 1, in order of time",
            required=True,
        ),
        Column("row", IntegerType(), "Place of the row on the page, from 0", required=True),
        Column("rank", IntegerType(), "Place in the row, from 0", required=True),
        Column("title_id", StringType(), "The title shown", required=True),
        Column("row_kind", StringType(), "Kind of the row; null if not told"),
        Column("shown_at", TimestampType(), "When the page view began", required=True),
        DEVICE_CLASS,
        DAYPART,
        Column(
            "page_day",
            DateType(),
            "Day by the viewer's clock, of which the night comes last",
            required=True,
        ),
        Column(
            "is_exploration", BooleanType(), "Whether the slot was filled at random", required=True
        ),
        Column(
            "was_seen",
            BooleanType(),
            "Whether the tile came into view; one of which nobody told did",
            required=True,
        ),
        Column("is_chosen", BooleanType(), "Whether play was pressed on it", required=True),
    ),
    key=("profile_id", "shown_date", "page", "row", "rank"),
    window="shown_date",
    partition=Partition.DAY,
    checks=(
        between("page", 1),
        *PLACE_CHECKS,
        *CIRCUMSTANCES_CHECKS,
        satisfies(
            "shown_date_is_near_shown_at",
            "abs(date_diff(shown_date, CAST(shown_at AS DATE))) <= 1",
            "shown_date",
            "shown_at",
        ),
    ),
)

TITLE_EXPOSURES = Table(
    name="title_exposures",
    area="recommend",
    layer=Layer.GOLD,
    grain="one profile, title and day on which a tile of the title came into its view on a home page",
    columns=(
        Column("profile_id", StringType(), "Who", required=True),
        Column("title_id", StringType(), "The title", required=True),
        Column("shown_date", DateType(), "The day, UTC", required=True),
        Column("pages", LongType(), "Page views on which it came into view", required=True),
        Column(
            "chosen", LongType(), "Of them, those on which play was pressed on it", required=True
        ),
    ),
    key=("profile_id", "title_id", "shown_date"),
    window="shown_date",
    partition=Partition.MONTH,
    checks=(
        between("pages", 1),
        between("chosen", 0),
        satisfies("what_was_chosen_was_seen", "chosen <= pages", "chosen", "pages"),
    ),
)

STOPPING_POINTS = Table(
    name="stopping_points",
    area="recommend",
    layer=Layer.GOLD,
    grain="one profile, title, day and circumstances in which it played the title: where it stopped there last",
    columns=(
        Column("profile_id", StringType(), "Who", required=True),
        Column("title_id", StringType(), "The film or series", required=True),
        Column("play_date", DateType(), "The day, UTC", required=True),
        DEVICE_CLASS,
        DAYPART,
        Column("plays", LongType(), "Plays that came to a first frame", required=True),
        Column("stopped_at", TimestampType(), "When the last of them ended", required=True),
        Column("episode_id", StringType(), "Title id of its episode; null for a film"),
        Column("position_s", DoubleType(), "Where it stopped (s of the film or episode); null if unknown"),
        Column("completion", DoubleType(), "Furthest point of it as a share of the length, 0 to 1; null if unknown"),
        Column("is_finished", BooleanType(), "Whether it was seen to its end", required=True),
    ),
    key=("profile_id", "title_id", "play_date", "device_class", "daypart"),
    window="play_date",
    partition=Partition.MONTH,
    checks=(
        between("plays", 1),
        between("completion", 0, 1),
        *CIRCUMSTANCES_CHECKS,
    ),
)  # fmt: skip

HOME_PAGES = Table(
    name="home_pages",
    area="recommend",
    layer=Layer.GOLD,
    grain=(
        "one day, profile whose pages were made that day, class of device, part of the day and slot of the home page "
        "for it; of a profile the newest day counts (recommend/home/due.py)"
    ),
    columns=(
        Column("as_of", DateType(), "Day at whose end the page was made, for the day after", required=True),
        Column("profile_id", StringType(), "Whose page", required=True),
        DEVICE_CLASS,
        DAYPART,
        Column("row", IntegerType(), "Place of the row on the page, from 0", required=True),
        Column("position", IntegerType(), "Place in the row, from 0", required=True),
        Column(
            "title_id", StringType(), "The title there; it stands nowhere else on the page", required=True
        ),
        Column("row_kind", StringType(), "Kind of the row (recommend/rows)", required=True),
        Column("row_key", StringType(), "Which of its kind, as the genre; empty where there is one", required=True),
        Column("row_text", StringType(), "What stands over the row", required=True),
        Column(
            "score", DoubleType(), "Chance that the title is chosen if it is looked at, 0 to 1", required=True
        ),
        Column("because", StringType(), "Title of the history that speaks most for it; null if none does"),
        Column("episode_id", StringType(), "Episode to play, where the profile goes on with a series"),
        Column("position_s", DoubleType(), "Where to go on (s of the film or episode)"),
        Column(
            "propensity",
            DoubleType(),
            "The chance that the title had of its slot, where that was filled at random; else null",
        ),
        Column(
            "unmet",
            ArrayType(StringType()),
            "Names of brand rules that the page cannot keep, as nothing that they want may be shown; null: none",
        ),
        Column("artwork", StringType(), "Variant of the picture; null until one is chosen"),
        Column("recommender_version", IntegerType(), "Version of the recommender, if behind taste; else null"),
        Column("ranker_version", IntegerType(), "Version of the model home_ranker; null without one"),
        Column("resume_version", IntegerType(), "Version of the model resume; null without one"),
        Column(
            "settings",
            StringType(),
            "Identifies the settings that it was made by: pages of others are not kept in force",
        ),
    ),
    key=("as_of", "profile_id", "device_class", "daypart", "row", "position"),
    window="as_of",
    partition=Partition.DAY,
    checks=(
        between("row", 0, 40),
        between("position", 0, 100),
        between("score", 0, 1),
        between("propensity", 0, 1),
        *CIRCUMSTANCES_CHECKS,
    ),
)  # fmt: skip

HOME_SCORES = Table(
    name="home_scores",
    area="recommend",
    layer=Layer.GOLD,
    grain="one policy, measure and day at whose end pages of the days before it were judged: how good they were",
    columns=(
        Column(
            "day",
            DateType(),
            "Day, UTC, up to whose end plays judge; the last by viewers' clocks is the one before",
            required=True,
        ),
        Column("days", IntegerType(), "How many days judge; null: one"),
        Column(
            "policy",
            StringType(),
            "page; without_circumstances; list: of the model behind taste, popular: "
            "both cut into rows, below those of the page that hold what was begun or seen",
            required=True,
        ),
        Column(
            "measure",
            StringType(),
            "recall_all: share of what profiles started that stood on the page; ndcg_all: also by where it stood; "
            "recall_new, ndcg_new: of what they had not played before",
            required=True,
        ),
        Column("profiles", LongType(), "Profiles that it is a mean over", required=True),
        Column("mean", DoubleType(), "The mean, 0 to 1", required=True),
        Column("low", DoubleType(), "Lower end of its 95 % interval", required=True),
        Column("high", DoubleType(), "Upper end of it", required=True),
        Column(
            "lead",
            DoubleType(),
            "How far the page is ahead of the policy for the same profiles, a mean; null: of itself",
        ),
        Column("lead_low", DoubleType(), "Lower end of its 95 % interval"),
        Column("lead_high", DoubleType(), "Upper end of it"),
    ),
    key=("day", "policy", "measure"),
    window="day",
    partition=Partition.MONTH,
    checks=(
        one_of("policy", "page", "without_circumstances", "list", "popular"),
        one_of("measure", "recall_all", "ndcg_all", "recall_new", "ndcg_new"),
        between("mean", 0, 1),
        between("profiles", 1),
    ),
)

RESUME = Model(
    name="resume",
    area="recommend",
    description="How likely a profile goes on with a film or series that it has begun, when it opens its home page. "
    "A logistic regression; what its features are, `cinelake.recommend.home.resume` says.",
    not_for=(
        "It orders what a profile has begun on its own home page. It says nothing of titles that were never begun, and "
        "is not for ranking people by how much they watch.",
        "That a title is unlikely to be gone on with does not say that it is bad: people stop for many reasons.",
    ),
    weak=(
        "People go on with what stands first. Chances are of a page on which the row was there, and in its order.",
        "A title that is unfinished under two profiles of one household is two titles to it.",
    ),
)

HOME_RANKER = Model(
    name="home_ranker",
    area="recommend",
    description="How likely a tile of a home page is chosen if it is looked at, by taste, fame, newness and "
    "circumstances. A logistic regression, free of the bias of places; what its features are, "
    "`cinelake.recommend.home.worth` says.",
    not_for=(
        "It weighs tiles for a page. Which titles a profile may see at all is decided elsewhere, and before.",
        "Its odds are of a tile that is looked at; they cannot be compared with those of players or of e-mails.",
    ),
    weak=(
        "How places are looked at is known from tiles that were drawn by lot alone. Where few were, or the layout of "
        "pages has changed since, the correction lags behind.",
        "It knows no Christmas that it has not seen: months and holidays of which it has no tiles have no weights.",
    ),
)
