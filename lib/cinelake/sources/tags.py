"""Source `tags`: a profile puts a word or a phrase of its own to a title; one record an act of tagging."""

from pyspark.sql.types import StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, satisfies

TAGS_SOURCE = Source(
    name="tags",
    description="A profile tags a title in its own words",
    columns=(
        Column("profile_id", StringType(), "Who tagged", required=True, personal="profile id"),
        Column("title_id", StringType(), "What was tagged", required=True),
        Column("tag", StringType(), "The words, as typed", required=True, personal="free text"),
    ),
    checks=(
        satisfies("profile_id_is_not_blank", "trim(profile_id) <> ''", "profile_id"),
        satisfies("title_id_is_not_blank", "trim(title_id) <> ''", "title_id"),
        satisfies("tag_is_not_blank", "trim(tag) <> ''", "tag"),
    ),
)
