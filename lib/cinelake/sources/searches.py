"""Source `searches`: the text of a search as typed so far, and what it found.

One record a snapshot of an episode; an episode is one visit to the search page. The record that ends with a
click names the title.
"""

from pyspark.sql.types import ArrayType, BooleanType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, satisfies

SEARCHES_SOURCE = Source(
    name="searches",
    description="A search as typed so far",
    columns=(
        Column("search_id", StringType(), "The episode", required=True),
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("profile_id", StringType(), "Who", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device", personal="device id"),
        Column("snapshot", IntegerType(), "Number in the episode, from 0", required=True),
        Column("query", StringType(), "As typed so far", required=True, personal="free text"),
        Column("results", IntegerType(), "How many titles were found", required=True),
        Column("is_zero_results", BooleanType(), "Whether nothing was found"),
        Column("shown_titles", ArrayType(StringType()), "The first titles shown, in order"),
        Column("clicked_title_id", StringType(), "The title that was chosen"),
        Column("clicked_rank", IntegerType(), "Its place in the results, from 0"),
    ),
    checks=(
        satisfies("search_id_is_not_blank", "trim(search_id) <> ''", "search_id"),
        satisfies("profile_id_is_not_blank", "trim(profile_id) <> ''", "profile_id"),
        between("snapshot", 0),
        between("results", 0),
        between("clicked_rank", 0),
    ),
)
