"""What jobs have in common is set in one place, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql.types import DateType

from cinelake.recommend.eligibility import Limits
from cinelake.runtime.job import Job, JobError, JobParams, job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.settings import LakeSettings, Origin, Settings
from cinelake.runtime.shared import MisplacedSetting, places, require_known
from cinelake.tables.contract import Column, Layer, Table

JOBS = Path(__file__).parents[3] / "jobs"


class Rules(BaseModel):
    shared_as: ClassVar[str] = "rules"
    model_config = ConfigDict(extra="forbid")

    strict: bool = Field(False, description="whether it is so")


class Inner(BaseModel):
    rules: Rules = Rules()
    depth: int = 1


class Params(JobParams):
    rules: Rules = Rules()
    inner: Inner = Inner()


TABLE = Table(
    name="out",
    area="test",
    layer=Layer.GOLD,
    grain="one row",
    columns=(Column("day", DateType(), "day", required=True),),
    key=("day",),
    window="day",
)


def nothing(run: Any) -> None:
    """Do nothing."""


WORK = job(reads=[], writes=[TABLE], params=Params)(nothing)


def test_every_place_of_a_shared_model_gets_what_is_set_once() -> None:
    told = WORK.configured({"nothing": {"inner": {"depth": 2}}}, {"rules": {"strict": True}})
    assert told == Params(rules=Rules(strict=True), inner=Inner(rules=Rules(strict=True), depth=2))
    assert WORK.configured({}) == Params()


@pytest.mark.parametrize(
    ("values", "shared", "complaint"),
    [
        (
            {"rules": {"strict": True}},
            {},
            r"\[jobs.nothing\] rules is not set for one job alone; write it as \[shared.rules\]",
        ),
        (
            {"inner": {"rules": {"strict": True}}},
            {"rules": {"strict": True}},
            r"\[jobs.nothing\] inner.rules is not set for one job alone",
        ),
        ({}, {"rules": {"strict": "perhaps"}}, r"\[shared.rules\] strict = 'perhaps'"),
        ({}, {"rules": {"strct": True}}, r"\[shared.rules\] strct = True: Extra inputs"),
        ({"inner": 3}, {"rules": {"strict": True}}, r"\[jobs.nothing\] inner = 3"),
    ],
)
def test_what_stands_in_the_wrong_place_or_is_wrong_is_named_with_the_right_one(
    values: dict[str, Any], shared: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(JobError, match=complaint):
        WORK.configured({"nothing": values}, shared)


def test_a_section_that_no_job_reads_is_refused() -> None:
    require_known({"rules": {}}, [Params])
    with pytest.raises(
        MisplacedSetting, match=r"\[shared.ruls\]: no jobs .*; did you mean 'rules'"
    ):
        require_known({"ruls": {}}, [Params])


def test_it_is_told_once_with_where_it_comes_from() -> None:
    settings = Settings.merged(
        {"lake": LakeSettings(root="/lake"), "shared": {"rules": {"strict": True}}},
        environment="local", conf_dir=Path(), sources={"shared.rules.strict": "base.toml"},
    )  # fmt: skip
    params = {"nothing": WORK.configured({}, settings.shared)}
    found = [o for o in settings.origins(params) if o.key.startswith(("shared", "jobs"))]
    assert found == [
        Origin("shared.rules.strict", "true", "base.toml", "whether it is so"),
        Origin("jobs.nothing.inner.depth", "1", "default", ""),
    ]


def test_all_jobs_that_keep_titles_from_profiles_are_told_so_in_one_place() -> None:
    jobs = {one.name: one for one in discover(JOBS) if isinstance(one, Job)}
    having = {name for name, one in jobs.items() if "limits" in dict(places(one.params)).values()}
    assert having == {
        "compose_home", "judge_home", "recommend_titles", "search_recipe", "train_home_ranker", "train_recommender",
    }  # fmt: skip
    shared = {"limits": {"kids_up_to": 7, "rewatchable": ["series"]}}
    strict = Limits(kids_up_to=7, rewatchable=("series",))
    for name in having:
        told: Any = jobs[name].configured({}, shared)
        for path in [path for path, section in places(type(told)) if section == "limits"]:
            found = told
            for part in path:
                found = getattr(found, part)
            assert found == strict
    with pytest.raises(JobError, match=r"\[jobs.recommend_titles\] limits .* \[shared.limits\]"):
        jobs["recommend_titles"].configured({"recommend_titles": shared})
