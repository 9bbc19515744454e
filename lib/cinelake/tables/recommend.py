"""Tables of the recommender: id maps, the settings that searches chose, and the lists served; and its model."""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    DoubleType,
    IntegerType,
    StringType,
    StructField,
    StructType,
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
from cinelake.tables.health import health_table

# What a title of the history adds to a score.
REASONS = StructType(
    [StructField("title_id", StringType()), StructField("contribution", DoubleType())]
)

PROFILE_INDEX = Table(
    name="profile_index",
    area="recommend",
    layer=Layer.GOLD,
    grain="one row per profile that ever did something with a title",
    columns=(
        Column("profile_id", StringType(), "profile", required=True),
        Column(
            "idx",
            IntegerType(),
            "dense integer of the profile, given once and for ever",
            required=True,
        ),
        Column(
            "first_seen", DateType(), "day of its first signal when it was added", required=True
        ),
    ),
    key=("profile_id",),
    window="first_seen",
    partition=Partition.MONTH,
    growing=True,
    checks=(between("idx", 0),),
)

TITLE_INDEX = Table(
    name="title_index",
    area="recommend",
    layer=Layer.GOLD,
    grain="one row per title with which a profile ever did something",
    columns=(
        Column("title_id", StringType(), "title", required=True),
        Column(
            "idx",
            IntegerType(),
            "dense integer of the title, given once and for ever",
            required=True,
        ),
        Column(
            "first_seen", DateType(), "day of its first signal when it was added", required=True
        ),
    ),
    key=("title_id",),
    window="first_seen",
    partition=Partition.MONTH,
    growing=True,
    checks=(between("idx", 0),),
)

RECIPES = Table(
    name="recipes",
    area="recommend",
    layer=Layer.GOLD,
    grain="one row per day of a search and kind of model: the setting that did best",
    columns=(
        Column(
            "as_of", DateType(), "day before which all that was searched on lies", required=True
        ),
        Column("kind", StringType(), "kind of model, such as als", required=True),
        Column("recipe", StringType(), "all that decides a fit, as JSON", required=True),
        Column(
            "weights",
            StringType(),
            "weights of the strengths that it is fitted to, as JSON",
            required=True,
        ),
        Column(
            "objective", StringType(), "what was searched by, such as ndcg_at_10", required=True
        ),
        Column("mean", DoubleType(), "its mean over profiles and blocks", required=True),
        Column(
            "configured_mean",
            DoubleType(),
            "the same for the configured setting, which is tried first",
            required=True,
        ),
        Column("trials", IntegerType(), "settings tried", required=True),
        Column("pruned", IntegerType(), "of these broken off early", required=True),
        Column(
            "measured_until",
            DateType(),
            "day before which all that was measured lies; what is measured on later days was not chosen by them",
            required=True,
        ),
        Column(
            "search",
            StringType(),
            "fingerprint of inputs and space; trials in MLflow are tagged with it",
            required=True,
        ),
    ),
    key=("as_of", "kind"),
    window="as_of",
    partition=Partition.MONTH,
    checks=(
        between("mean", 0, 1),
        between("trials", 1),
        satisfies(
            "the_configured_setting_is_no_better",
            "mean >= configured_mean",
            "mean",
            "configured_mean",
        ),
        satisfies(
            "it_is_measured_on_the_past", "measured_until <= as_of", "measured_until", "as_of"
        ),
    ),
)

# What a list is made from.
SOURCES = ("history", "picks", "popular")

RECOMMENDATIONS = Table(
    name="recommendations",
    area="recommend",
    layer=Layer.GOLD,
    grain="one row per day, profile and place in its list",
    columns=(
        Column("as_of", DateType(), "day at whose end the list was made", required=True),
        Column("profile_id", StringType(), "profile the list is for", required=True),
        Column("rank", IntegerType(), "place in the list, from 1", required=True),
        Column(
            "title_id",
            StringType(),
            "title recommended, never one the profile has seen or may not be shown",
            required=True,
        ),
        Column(
            "score",
            DoubleType(),
            "what the list is ordered by; comparable within a list and source only, and popular comes last",
            required=True,
        ),
        Column(
            "source",
            StringType(),
            "history: from what the profile liked; picks: from what it picked when it was made; popular: what is "
            "popular where it is, for profiles of whom the model knows nothing, and in places after its last title",
            required=True,
        ),
        Column(
            "model_version",
            IntegerType(),
            "version of the model recommender in the registry; null for popular",
        ),
        Column(
            "is_cold",
            BooleanType(),
            "whether nobody had liked the title when the model was trained, so that it is known by its content only; "
            "null for popular",
        ),
        Column(
            "propensity",
            DoubleType(),
            "the chance that the title had of its place, where that was drawn at random to explore; else null",
        ),
        Column(
            "because",
            ArrayType(REASONS),
            "the titles of the profile's history that add most to the score, most first; null for popular",
        ),
        # No field of the structs, for a stored table gets new columns by itself, but no new fields.
        Column(
            "shared",
            ArrayType(ArrayType(StringType())),
            "for each title in because, what the catalogue says of it and of the title recommended alike, as "
            "`facet value` of genre, mood or theme, the rarest first; at most three; null for popular",
        ),
        Column(
            "by_others",
            DoubleType(),
            "what the other titles of the history add to the score, or take away; null for popular",
        ),
        Column(
            "for_everybody",
            DoubleType(),
            "what is added whatever the history: with it and by_others the contributions of because sum to the score; "
            "null for popular",
        ),
    ),
    key=("as_of", "profile_id", "rank"),
    window="as_of",
    partition=Partition.DAY,
    checks=(
        between("rank", 1),
        one_of("source", *SOURCES),
        satisfies(
            "model_version_is_of_its_source",
            "(model_version IS NOT NULL) = (source <> 'popular')",
            "model_version",
            "source",
        ),
    ),
)

SIMILAR_TITLES = Table(
    name="similar_titles",
    area="recommend",
    layer=Layer.GOLD,
    grain="one row per day, title and place in the list of what is like it",
    columns=(
        Column("as_of", DateType(), "day at whose end the list was made", required=True),
        Column("title_id", StringType(), "title that others are like", required=True),
        Column("rank", IntegerType(), "place in the list, from 1", required=True),
        Column("similar_id", StringType(), "title that is like it", required=True),
        Column("score", DoubleType(), "weighted sum of the next three", required=True),
        Column("by_factors", DoubleType(), "cosine of the model's factors, 0 to 1", required=True),
        Column(
            "by_watching", DoubleType(), "shrunk cosine of who likes both, 0 to 1", required=True
        ),
        Column(
            "by_content", DoubleType(), "cosine of what the catalogue says, 0 to 1", required=True
        ),
        Column(
            "shared",
            ArrayType(StringType()),
            "what the catalogue says of both, as `facet value`, the rarest first; at most three",
            required=True,
        ),
    ),
    key=("as_of", "title_id", "rank"),
    window="as_of",
    partition=Partition.DAY,
    checks=(
        between("rank", 1),
        between("by_factors", 0, 1.000001),
        between("by_watching", 0, 1.000001),
        between("by_content", 0, 1.000001),
        satisfies("it_is_another_title", "similar_id <> title_id", "similar_id", "title_id"),
    ),
)

RECOMMENDER_HEALTH = health_table(
    "recommender_health",
    "recommend",
    (
        "signal_strength_psi",
        "signal_kind_psi",
        "new_title_share",
        "hit_rate",
        "recall",
        "overlap",
    ),
    "profiles",
)

# One of its own, for the other has another writer.
TRAINING_HEALTH = health_table("training_health", "recommend", ("ndcg",), "held-out profiles")

RECOMMENDER = Model(
    name="recommender",
    area="recommend",
    description="Factors of implicit-feedback ALS, and of classes of taste, on binary strengths. Predicts the best "
    "titles for a history of title ids, known profile or not; the factors of titles, and what terms of the catalogue "
    "add to them, stand beside it as Parquet.",
    not_for=(
        "It predicts which titles a profile would like to see next, and nothing else of a person. It is not for "
        "decisions about people: prices, credit, age, health, or whom to employ.",
        "It keeps to the ages and licences that were known when it was trained, and where there are such it has no "
        "titles for a request without an age or a market. Whoever makes lists of its factors leaves out what a profile "
        "may not see by now, as the job that makes the daily lists does.",
        "Scores order the titles of one list. They are no probabilities, and those of two profiles cannot be compared.",
        "It is not for finding people of one taste: factors say what profiles do, which may tell more than they would.",
    ),
    weak=(
        "People play what they are shown, and are shown what others played: what was never shown counts as not wanted, "
        "both in training and in the measures here.",
        "Measures are of the past. What lists are worth is told by what profiles do with them, in an experiment or in "
        "the table recommender_health.",
        "Intervals are over profiles. Another season, or other random factors to begin with, may move figures further.",
    ),
)
