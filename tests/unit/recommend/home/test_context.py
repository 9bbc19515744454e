"""The night belongs to the day before; between two public holidays few working days are holidays, too."""

from __future__ import annotations

from datetime import date

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cinelake.recommend.home.context import device_class, holidays_of, page_day


def test_a_moment_has_a_class_of_device_and_a_day_of_which_the_night_comes_last(
    spark: SparkSession,
) -> None:
    friday, saturday = date(2026, 1, 23), date(2026, 1, 24)
    told = spark.createDataFrame(
        [
            ("console", saturday, 1),
            ("phone", saturday, 6),
            ("tablet", friday, 23),
            ("fridge", friday, 5),
            (None, friday, 12),
        ],
        "device_kind string, local_date date, local_hour int",
    )
    expected = spark.createDataFrame(
        [
            ("tv", friday),
            ("phone", saturday),
            ("computer", friday),
            ("unknown", date(2026, 1, 22)),
            ("unknown", friday),
        ],
        "device_class string, page_day date",
    )
    found = told.select(device_class("device_kind"), page_day("local_date", "local_hour"))
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)


def test_from_christmas_to_the_new_year_all_days_are_holidays() -> None:
    found = holidays_of(["US", "DE", "XX"], date(2025, 12, 20), date(2026, 1, 10))
    assert found["US"] == {date(2025, 12, day) for day in range(25, 32)} | {date(2026, 1, 1)}
    assert found["DE"] == {date(2025, 12, day) for day in range(25, 32)} | {date(2026, 1, 1)}
    assert found["XX"] == set()


def test_holidays_far_apart_have_working_days_between_them() -> None:
    found = holidays_of(["US"], date(2026, 1, 2), date(2026, 2, 28))
    # Martin Luther King Jr. Day and Washington's Birthday.
    assert found["US"] == {date(2026, 1, 19), date(2026, 2, 16)}


def test_the_days_asked_for_do_not_change_what_is_a_holiday() -> None:
    inside = holidays_of(["GB"], date(2025, 12, 29), date(2025, 12, 30))
    assert inside["GB"] == {date(2025, 12, 29), date(2025, 12, 30)}
