"""What is set of pages, once for the job that makes them and for that which judges them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.rules import BrandRules
from cinelake.recommend.rows.kind import kinds_named


class PageParams(BaseModel):
    """How large a page is, which kinds of row it has, and what editors decided of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    shared_as: ClassVar[str] = "pages"

    grid: Grid = Grid()
    rows: tuple[str, ...] = Field((), description="kinds of row; none named: all there are")
    brand: BrandRules = BrandRules()

    @field_validator("rows")
    @classmethod
    def _kinds_are_known(cls, rows: tuple[str, ...]) -> tuple[str, ...]:
        kinds_named(rows)
        return rows

    @field_validator("brand")
    @classmethod
    def _first_rows_are_there(cls, brand: BrandRules, given: ValidationInfo) -> BrandRules:
        if "rows" in given.data:
            brand.require_kinds([kind.kind for kind in kinds_named(given.data["rows"])])
        return brand
