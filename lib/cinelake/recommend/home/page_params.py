"""What is set of pages, for the job that makes them and for that which judges them alike."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.planning import Settings
from cinelake.recommend.home.rules import BrandRules
from cinelake.recommend.rows.kind import kinds_named


class PageParams(BaseModel):
    grid: Grid = Grid()
    rows: tuple[str, ...] = Field((), description="kinds of row; none named: all there are")
    brand: BrandRules = BrandRules()
    settings: Settings = Settings()

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
