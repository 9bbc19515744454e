"""Source `accounts`: an account as it stands from a moment on.

One record a change (sign-up, plan, payment, cancellation), holding the whole account. What a person gives as
the reason for leaving is what it chose to say.
"""

from pyspark.sql.types import IntegerType, StringType, TimestampType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, matches, one_of, satisfies

ACCOUNTS_SOURCE = Source(
    name="accounts",
    description="An account as it stands from `event_time` on",
    columns=(
        Column("account_id", StringType(), "The account", required=True, personal="account id"),
        Column("change", StringType(), "What changed: sign_up, plan, payment, contact, cancel …"),
        Column("market", StringType(), "Country of the contract (ISO 3166-1)", required=True),
        Column("time_zone", StringType(), "Time zone of the contract (IANA), as Europe/Berlin"),
        Column("plan", StringType(), "Plan, in the service's words", required=True),
        Column("screens_allowed", IntegerType(), "Streams the plan allows at once", required=True),
        Column("channel", StringType(), "How the account was won, as web, tv_store, partner"),
        Column("status", StringType(), "active, past_due or cancelled", required=True),
        Column("cancel_reason", StringType(), "Why, in the words that were picked on leaving"),
        Column("signed_up_at", TimestampType(), "When the account began", required=True),
        Column("payment_method", StringType(), "As card, wallet, partner_billing"),
        Column("payment_outcome", StringType(), "Of the newest payment: paid, failed, refunded"),
        Column("name", StringType(), "Name of the holder", personal="name"),
        Column("mail", StringType(), "Mail address of the holder", personal="mail address"),
        Column("address", StringType(), "Postal address", personal="postal address"),
        Column("phone", StringType(), "Telephone number", personal="phone number"),
    ),
    checks=(
        satisfies("account_id_is_not_blank", "trim(account_id) <> ''", "account_id"),
        matches("market", "[A-Z]{2}"),
        between("screens_allowed", 1, 100),
        one_of("status", "active", "past_due", "cancelled"),
    ),
)
