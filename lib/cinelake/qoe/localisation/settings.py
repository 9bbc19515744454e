"""What the scan takes for granted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Scan(BaseModel):
    """Settings of the scan; the first five were chosen on labelled stalls of a live-video service.

    They were judged by how often causes are found again when the leaves of an incident are drawn anew and thinned,
    which tells far more than a few dozen incidents as they were.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    depth: int = Field(3, ge=1, le=5, description="most attributes of a cause")
    prior_viewers: float = Field(
        50.0, gt=0, description="viewers at the rate of all that every leaf's history begins with"
    )
    dispersion: float = Field(
        20.0, gt=0, description="of rates between leaves: their relative variance is 1 / dispersion"
    )
    another: float = Field(
        0.15, ge=0, le=1, description="share of the best score that one more cause has to add"
    )
    causes: int = Field(3, ge=1, le=5, description="most causes of one incident")
    least_evidence: float = Field(
        3.0, ge=0, description="log odds below which nothing is blamed (3: twenty to one)"
    )
    least_contrast: float = Field(
        1.5, ge=1, description="least lift of a cause, against the lift of all the rest"
    )
    ranked: int = Field(10, ge=1, le=100, description="combinations that are told")
