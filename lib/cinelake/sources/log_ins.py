"""Source `log_ins`: an attempt to log in, or a log-out; one record an attempt, successful or not.

The place is the one that the service's edge looked up for the address, with the radius that it is good to.
"""

from pyspark.sql.types import BooleanType, DoubleType, IntegerType, StringType

from cinelake.sources.source import Source
from cinelake.tables.contract import Column, between, matches, one_of, satisfies

LOG_INS_SOURCE = Source(
    name="log_ins",
    description="Somebody logs in or out, or tries to",
    columns=(
        Column("account_id", StringType(), "The account", required=True, personal="account id"),
        Column("profile_id", StringType(), "The profile, where known", personal="profile id"),
        Column("device_id", StringType(), "The device", required=True, personal="device id"),
        Column("event", StringType(), "log_in or log_out", required=True),
        Column("outcome", StringType(), "What came of it", required=True),
        Column("method", StringType(), "As password, token, code, link"),
        Column("ip", StringType(), "Address it came from", personal="IP address"),
        Column("asn", IntegerType(), "Autonomous system of that address"),
        Column("isp", StringType(), "Who runs that system"),
        Column("connection", StringType(), "Kind of connection, as fibre, mobile, hosting, relay"),
        Column("user_agent", StringType(), "What the client calls itself", personal="user agent"),
        Column("country", StringType(), "Country of the address (ISO 3166-1)"),
        Column("region", StringType(), "Region of the address"),
        Column("latitude", DoubleType(), "Of the address (degrees)", personal="place"),
        Column("longitude", DoubleType(), "Of the address (degrees)", personal="place"),
        Column("accuracy_km", DoubleType(), "Radius that the place is good to (km)"),
        Column("is_new_device", BooleanType(), "Whether the account never used the device before"),
    ),
    checks=(
        satisfies("account_id_is_not_blank", "trim(account_id) <> ''", "account_id"),
        satisfies("device_id_is_not_blank", "trim(device_id) <> ''", "device_id"),
        one_of("event", "log_in", "log_out"),
        one_of("outcome", "success", "wrong_password", "unknown_device", "locked", "expired"),
        matches("country", "[A-Z]{2}"),
        between("latitude", -90, 90),
        between("longitude", -180, 180),
        between("accuracy_km", 0, 20_100),
    ),
)
