"""Source `profiles`: a profile of an account as it stands from a moment on; one record a change, whole."""

from pyspark.sql.types import ArrayType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, one_of, satisfies

PROFILES_SOURCE = Source(
    name="profiles",
    description="A profile as it stands from `event_time` on",
    columns=(
        Column("profile_id", StringType(), "The profile", required=True, personal="profile id"),
        Column("account_id", StringType(), "Its account", required=True, personal="account id"),
        Column("name", StringType(), "What the profile is called", personal="name"),
        Column("kind", StringType(), "adult or kid", required=True),
        Column("maturity_limit", IntegerType(), "Age up to which titles are offered (years)"),
        Column("language", StringType(), "Language of the pages (ISO 639-1)"),
        Column("onboarding_picks", ArrayType(StringType()), "Titles picked when it was made"),
        Column("status", StringType(), "active or deleted", required=True),
    ),
    checks=(
        satisfies("profile_id_is_not_blank", "trim(profile_id) <> ''", "profile_id"),
        satisfies("account_id_is_not_blank", "trim(account_id) <> ''", "account_id"),
        one_of("kind", "adult", "kid"),
        between("maturity_limit", 0, 21),
        one_of("status", "active", "deleted"),
    ),
)
