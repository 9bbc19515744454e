"""Source `interactions`: what a viewer does with a title outside the player; one record an act."""

from pyspark.sql.types import DoubleType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, one_of, satisfies

ACTIONS = (
    "hover",
    "scroll_past",
    "click",
    "details",
    "thumbs_up",
    "thumbs_down",
    "add_my_list",
    "remove_my_list",
    "not_interested",
)

INTERACTIONS_SOURCE = Source(
    name="interactions",
    description="A viewer hovers, clicks, judges or keeps a title",
    columns=(
        Column("account_id", StringType(), "Who", required=True, personal="account id"),
        Column("profile_id", StringType(), "Who", required=True, personal="profile id"),
        Column("device_id", StringType(), "On which device", personal="device id"),
        Column("action", StringType(), "What was done", required=True),
        Column("title_id", StringType(), "To which title", required=True),
        Column("page_id", StringType(), "Page view on which it was done; null elsewhere"),
        Column("row", IntegerType(), "Place of the row on that page, from 0"),
        Column("rank", IntegerType(), "Place in the row, from 0"),
        Column("seconds", DoubleType(), "How long, for what lasts, as a hover (s)"),
    ),
    checks=(
        satisfies("profile_id_is_not_blank", "trim(profile_id) <> ''", "profile_id"),
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
        one_of("action", *ACTIONS),
        between("row", 0, 1000),
        between("rank", 0, 1000),
        between("seconds", 0, 86_400),
    ),
)
