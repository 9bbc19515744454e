"""Gold tables of taste clusters: who belongs where, what became of each cluster, what marks it; and their model.

Clusters keep their ids and names from day to day, also where another model finds them (audience/identity.py). Adults
and kids have clusters of their own. Profiles and households stand under their pseudonyms. Days are UTC.
"""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
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

AS_OF = Column("as_of", DateType(), "Day at whose end it was so, UTC", required=True)
POPULATION = Column("population", StringType(), "adult or kid", required=True)
POPULATION_IS_KNOWN = one_of("population", "adult", "kid")
CLUSTER_ID = Column(
    "cluster_id", StringType(), "The cluster, hashed from where and when it was first found", required=True
)  # fmt: skip
SHARES = ArrayType(
    StructType([StructField("cluster_id", StringType()), StructField("share", DoubleType())])
)
TERM_SHARES = ArrayType(
    StructType([StructField("term", StringType()), StructField("share", DoubleType())])
)
EVENTS = ("born", "kept", "drifted", "split", "merged", "ended")

CLUSTER_MEMBERS = Table(
    name="cluster_members",
    area="audience",
    layer=Layer.GOLD,
    grain="one day and profile that ever watched something or liked it: how much it belongs to each cluster",
    columns=(
        AS_OF,
        Column("profile_id", StringType(), "Who", required=True),
        POPULATION,
        Column("cluster_id", StringType(), "The cluster to which it belongs most", required=True),
        Column("share", DoubleType(), "How much, 0 to 1", required=True),
        Column("shares", SHARES, "Clusters to which it belongs by a share worth a word, most first", required=True),
        Column("model_version", IntegerType(), "Version of the model taste_clusters", required=True),
    ),
    key=("as_of", "profile_id"),
    window="as_of",
    partition=Partition.DAY,
    # Yesterday's are needed today, and some weeks for a look back; what clusters were, cluster_states keeps.
    retention_days=35,
    checks=(
        POPULATION_IS_KNOWN,
        between("share", 0, 1.000001),
        satisfies("the_first_share_is_the_clusters", "shares[0].cluster_id = cluster_id", "shares", "cluster_id"),
    ),
)  # fmt: skip

CLUSTER_STATES = Table(
    name="cluster_states",
    area="audience",
    layer=Layer.GOLD,
    grain="one day and cluster: what it is, and what became of it since the day before; its last row says how it ended",
    columns=(
        AS_OF,
        CLUSTER_ID,
        POPULATION,
        Column("name", StringType(), "Name, given when it was first found", required=True),
        Column(
            "event",
            StringType(),
            "born: nobody was like it before; split: born out of another; kept; drifted: kept, but no longer what it "
            "was named for; merged: it ended in another; ended: its members went several ways",
            required=True,
        ),
        Column("reads_as", StringType(), "What it would be called now, where it drifted and that is another name"),
        Column("related", ArrayType(StringType()), "Of what it was split, or in what it ended", required=True),
        Column("born_on", DateType(), "First day of it", required=True),
        Column("members", LongType(), "Profiles that belong to it most; 0 where it ended", required=True),
        Column("households", LongType(), "Accounts of these", required=True),
        Column("member_share", DoubleType(), "Of the profiles of its population, 0 to 1", required=True),
        Column("overlap", DoubleType(), "Jaccard index of its members with those of the day before; null when born"),
        Column("churn", DoubleType(), "Share of its members of the day before that belong elsewhere; null when born"),
        Column("drift", DoubleType(), "Total variation distance of its genres from those it was born with, 0 to 1"),
        Column("genres", TERM_SHARES, "What share of its members' titles is of each genre", required=True),
        Column("founding", TERM_SHARES, "The same on its first day", required=True),
        Column("x", DoubleType(), "Where it lies on the map: what tells clusters apart most; null where it ended"),
        Column("y", DoubleType(), "What tells them apart next"),
        Column("component", IntegerType(), "Its number in the model; null where it ended"),
        Column("model_version", IntegerType(), "Version of the model taste_clusters", required=True),
    ),
    key=("as_of", "cluster_id"),
    window="as_of",
    partition=Partition.MONTH,
    checks=(
        POPULATION_IS_KNOWN,
        one_of("event", *EVENTS),
        between("members", 0),
        between("overlap", 0, 1),
        between("churn", 0, 1),
        between("drift", 0, 1.000001),
        satisfies("households_have_members", "households <= members", "households", "members"),
        satisfies(
            "who_ended_has_no_number", "(component IS NULL) = (event IN ('merged', 'ended'))", "component", "event"
        ),
    ),
)  # fmt: skip

CLUSTER_PORTRAITS = Table(
    name="cluster_portraits",
    area="audience",
    layer=Layer.GOLD,
    grain="one day, cluster, aspect and place among what marks it most in that aspect",
    columns=(
        AS_OF,
        CLUSTER_ID,
        Column("aspect", StringType(), "What it is about, as genre, title, neighbour", required=True),
        Column("rank", IntegerType(), "Place, from 1", required=True),
        Column("term", StringType(), "What; a title or a cluster by its id", required=True),
        Column("profiles", LongType(), "Members of whom it is true", required=True),
        Column("households", LongType(), "Accounts of these", required=True),
        Column(
            "share",
            DoubleType(),
            "Share of what members watch; of titles: share of members; of neighbours: cosine",
            required=True,
        ),
        Column("lift", DoubleType(), "That share over the same of the rest of the population; null of a neighbour"),
        Column("log_odds", DoubleType(), "Log odds ratio with a Dirichlet prior; null of a neighbour"),
        Column("z", DoubleType(), "The same in standard errors: how far it is beyond chance; null of a neighbour"),
    ),
    key=("as_of", "cluster_id", "aspect", "rank"),
    window="as_of",
    partition=Partition.MONTH,
    checks=(between("rank", 1), between("profiles", 0), between("share", -1.000001, 1.000001)),
)  # fmt: skip

CLUSTER_TITLES = Table(
    name="cluster_titles",
    area="audience",
    layer=Layer.GOLD,
    grain="one day, cluster and place among the titles that its members watch most",
    columns=(
        AS_OF,
        CLUSTER_ID,
        Column("rank", IntegerType(), "Place, from 1", required=True),
        Column("title_id", StringType(), "The film or series", required=True),
        Column("viewers", LongType(), "Members who watched it or liked it", required=True),
        Column("score", DoubleType(), "Share of members who did, shrunk towards that of the population", required=True),
        Column("lift", DoubleType(), "The score over the population's share", required=True),
    ),
    key=("as_of", "cluster_id", "rank"),
    window="as_of",
    partition=Partition.MONTH,
    retention_days=35,
    checks=(between("rank", 1), between("viewers", 0), between("score", 0, 1)),
)  # fmt: skip

TASTE_CLUSTERS = Model(
    name="taste_clusters",
    area="audience",
    description="Clusters of profiles with similar tastes, adults and kids apart: what vectors are made of, how they "
    "are reduced, and where clusters lie. Predicts the shares of a vector in the clusters of its population; the "
    "factors of titles by which profiles are told stand beside it as Parquet.",
    not_for=(
        "Clusters describe what groups of profiles watch. They are not for decisions about one person, nor for "
        "guessing age, sex, faith, health or origin from taste.",
        "Adults and kids are clustered apart, and clusters of kids are not for advertising.",
    ),
    weak=(
        "Where one cluster ends and the next begins is a choice: many profiles lie between two, as their shares say.",
        "Profiles that have watched little lie where most people do, and move as more is known of them.",
    ),
)
