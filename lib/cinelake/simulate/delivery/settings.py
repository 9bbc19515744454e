"""How records travel, and what goes wrong on the way. Shares are of records unless it says otherwise."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class DeliverySettings(BaseModel):
    """`[delivery]`: Receipt and faults; shares are of records unless it says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    delay_s: Annotated[float, Field(gt=0, le=60)] = Field(
        0.6, description="Median time from event to receipt (s)."
    )
    delay_spread: Annotated[float, Field(ge=0, le=3)] = Field(
        1.0, description="Standard deviation of the logarithm of that time."
    )
    late_share: Share = Field(0.003, description="Records that come minutes late, up to two hours.")
    offline_share: Share = Field(
        0.002, description="Days of an account whose client is offline: all records wait."
    )
    offline_hours: Annotated[float, Field(gt=0, le=72)] = Field(
        48, description="The longest that an offline client's records wait (h)."
    )
    duplicate_share: Share = Field(0.004, description="Records that are delivered twice.")
    skewed_share: Share = Field(
        0.03, description="Devices whose clock is wrong by seconds to hours, either way."
    )
    absurd_clock_share: Share = Field(
        0.001, description="Devices whose clock is wrong by days to years."
    )
    missing_stop_share: Share = Field(0.03, description="Stops and ends that are never sent.")
    malformed_share: Share = Field(
        0.0004, description="Records of which a line arrives that is no JSON object."
    )
    wrong_type_share: Share = Field(0.0004, description="Records with a value of a wrong type.")
    absurd_value_share: Share = Field(0.0004, description="Records with an impossible value.")
    unknown_field_share: Share = Field(0.001, description="Records with a field nobody knows.")
    silent_hour_share: Share = Field(
        0.003, description="Hours of a source in which nothing is received; it comes later."
    )
    repeated_file_share: Share = Field(
        0.003, description="Hours of a source whose file is delivered a second time."
    )
