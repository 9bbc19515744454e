"""Source `devices`: a device that an account uses, as it stands from a moment on; one record a change, whole."""

from pyspark.sql.types import StringType, TimestampType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, one_of, satisfies

DEVICES_SOURCE = Source(
    name="devices",
    description="A device of an account as it stands from `event_time` on",
    columns=(
        Column("device_id", StringType(), "The device", required=True, personal="device id"),
        Column("account_id", StringType(), "Its account", required=True, personal="account id"),
        Column("kind", StringType(), "tv, console, phone, tablet or laptop", required=True),
        Column("model", StringType(), "Model, as the device names itself"),
        Column("os", StringType(), "Operating system"),
        Column("app_version", StringType(), "Version of the app"),
        Column("first_seen_at", TimestampType(), "When it was first seen with the account"),
    ),
    checks=(
        satisfies("device_id_is_not_blank", "trim(device_id) <> ''", "device_id"),
        satisfies("account_id_is_not_blank", "trim(account_id) <> ''", "account_id"),
        one_of("kind", "tv", "console", "phone", "tablet", "laptop"),
    ),
)
