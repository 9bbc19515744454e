"""Factors of profiles: the taste that is expected of them, the same from a version as from its fit."""

from __future__ import annotations

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window
from unit.audience.world import MONDAY, service, told_of

from cinelake.audience import cells
from cinelake.audience.cells import Told
from cinelake.audience.factors import ALS, TITLES_IN, Behind, behind, brought_along, fitted_before
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.mixture import MixtureRecipe
from cinelake.recommend.strengths import Weights

pytestmark = pytest.mark.thorough
RECIPE = HybridRecipe(
    als=AlsRecipe(rank=2, iterations=2, blocks=1),
    mixture=MixtureRecipe(classes=6, rank=2, iterations=4),
)


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> Told:
    return told_of(service(spark))


def refitted(told: Told, recipe: HybridRecipe, titles_in: str, fits: int = 1) -> Behind:
    signals = told.title_signals
    maps = [
        signals.select(name).distinct().withColumn("idx", F.row_number().over(Window.orderBy(name)))
        for name in ("profile_id", "title_id")
    ]
    # Only what it is made of counts here.
    model = Behind(recipe, Weights(), {}, titles_in, recipe.ridge, fits)
    found = fitted_before(model, signals, *maps, cells.people(told), MONDAY)
    assert found is not None
    return found


def told_apart(model: Behind, told: Told) -> DataFrame:
    people = cells.people(told)
    found = model.of_profiles(told.title_signals, people, MONDAY)
    return found.join(people, on="profile_id", how="inner")


def test_tastes_tell_who_likes_what(told: Told) -> None:
    model = refitted(told, RECIPE, "tastes")
    assert model.rank == 2
    found = {row.profile_id: row.factors for row in told_apart(model, told).collect()}
    assert {len(factors) for factors in found.values()} == {2}
    # Whoever watches the same genre is nearer than whoever does not.
    groups = [[found[f"p{n:02}"] for n in range(24) if n % 6 == group] for group in (0, 1)]
    means = [[sum(column) / len(own) for column in zip(*own, strict=True)] for own in groups]
    for own, other, members in ((0, 1, groups[0]), (1, 0, groups[1])):
        for factors in members:
            near, far = (
                sum((a - b) ** 2 for a, b in zip(factors, means[which], strict=True))
                for which in (own, other)
            )
            assert near < far


@pytest.mark.parametrize(("share", "titles_in"), [(0.7, "tastes"), (0.0, ALS)])
def test_a_version_brings_along_what_finds_the_same_factors(
    told: Told, share: float, titles_in: str
) -> None:
    model = refitted(told, RECIPE.model_copy(update={"share": share}), titles_in)
    assert model.tags[TITLES_IN] == titles_in

    kept = brought_along(model.tags, model.frames.__getitem__)
    approved = behind(model.tags, model.frames.__getitem__)

    assert kept is not None
    expected = told_apart(model, told)
    for again in (kept, approved):
        assert again.rank == model.rank
        assert_df_equality(told_apart(again, told), expected, ignore_row_order=True)


def test_an_older_version_brings_the_factors_of_als(told: Told) -> None:
    model = refitted(told, RECIPE.model_copy(update={"share": 0.0}), ALS)
    tags = {name: value for name, value in model.tags.items() if name != TITLES_IN}
    kept = brought_along(tags, model.frames.__getitem__)
    assert kept is not None
    assert (kept.titles_in, kept.rank) == (ALS, model.rank)


def test_a_version_without_factors_brings_none(told: Told) -> None:
    assert brought_along({"features": "{}"}, {}.__getitem__) is None


def test_where_nothing_was_wanted_before_there_is_no_model(told: Told) -> None:
    signals = told.title_signals
    maps = [
        signals.select(name).distinct().withColumn("idx", F.lit(1))
        for name in ("profile_id", "title_id")
    ]
    model = Behind(RECIPE, Weights(), {}, "tastes", RECIPE.ridge)
    earlier = fitted_before(
        model, signals, *maps, cells.people(told), MONDAY.replace(year=MONDAY.year - 1)
    )
    assert earlier is None


def test_several_fits_stand_side_by_side_and_a_version_brings_them_all(told: Told) -> None:
    one, three = refitted(told, RECIPE, "tastes"), refitted(told, RECIPE, "tastes", fits=3)
    assert (one.rank, three.rank) == (2, 6)
    own = {row.profile_id: row.factors for row in told_apart(one, told).collect()}
    found = {row.profile_id: row.factors for row in told_apart(three, told).collect()}
    # The first fit is the one that would stand alone; the others are of other starts.
    assert {name: factors[:2] for name, factors in found.items()} == pytest.approx(own)
    assert all(factors[2:4] != pytest.approx(factors[:2]) for factors in found.values())

    again = brought_along(three.tags, three.frames.__getitem__)
    assert again is not None
    assert (again.rank, again.fits) == (6, 3)
    assert_df_equality(told_apart(again, told), told_apart(three, told), ignore_row_order=True)
