"""Alarms that belong together are one incident, which goes on from day to day until it is over."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows

from cinelake.qoe.incidents import FOUND_LATER, Merging, are_related, incidents, of_day
from cinelake.tables.qoe import QOE_ANOMALIES, QOE_INCIDENTS

DAY = date(2026, 3, 28)
MIDNIGHT = datetime(2026, 3, 28)
MERGING = Merging(closes_after_h=3)
CELLS = (
    "cdn=aurora",
    "cdn=drift",
    "region=Bavaria",
    "cdn=aurora|region=Bavaria",
    "isp=Lindenglas",
    "all",
)


def alarm(
    hour: float, cell: str, evidence: float = 10.0, metric: str = "stall", **more: float
) -> dict[str, Any]:
    at = MIDNIGHT + timedelta(hours=hour)
    told = {"cell": cell, "metric": metric, "bucket_at": at, "evidence": evidence}
    return told | {
        "affected_sessions": more.get("affected", 5.0),
        "lost_minutes": more.get("minutes", 7.0),
    }


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        (("cdn=aurora", "stall"), ("cdn=aurora|region=Bavaria", "slow_start"), True),
        (("cdn=aurora", "stall"), ("region=Bavaria", "stall"), True),
        (("cdn=aurora", "stall"), ("region=Bavaria", "slow_start"), False),
        (("cdn=aurora", "stall"), ("cdn=drift", "stall"), False),
        (("cdn=aurora|isp=A", "stall"), ("cdn=aurora|isp=B", "stall"), False),
        (("all", "stall"), ("isp=A", "slow_start"), True),
    ],
)
def test_cells_that_may_share_a_fault_are_related(
    one: tuple[str, str], other: tuple[str, str], related: bool
) -> None:
    mine, theirs = ({"cell": cell, "metric": metric} for cell, metric in (one, other))
    assert are_related(mine, theirs) is are_related(theirs, mine) is related


def test_a_fault_that_shows_in_many_cells_is_one_incident_and_another_is_another() -> None:
    alarms = [
        alarm(10, "cdn=aurora", 9, affected=20.0), alarm(10, "cdn=aurora|region=Bavaria", 15, affected=12.0),
        alarm(10, "cdn=drift", 8, metric="slow_start"), alarm(11, "region=Bavaria", 30, affected=4.0),
    ]  # fmt: skip
    first, second = sorted(of_day(alarms, [], DAY, MERGING), key=lambda row: -row["alarms"])
    assert (first["alarms"], first["opened_at"], first["last_alarm_at"]) == (
        3, MIDNIGHT + timedelta(hours=10), MIDNIGHT + timedelta(hours=11),
    )  # fmt: skip
    # The widest cell of each hour counts, and the cell with the strongest evidence is named.
    assert (first["affected_sessions"], first["lost_minutes"], first["cell"]) == (
        24.0,
        14.0,
        "region=Bavaria",
    )
    assert first["peak_at"] == MIDNIGHT + timedelta(hours=10)
    assert [member["cell"] for member in first["members"]] == [
        "cdn=aurora",
        "cdn=aurora|region=Bavaria",
        "region=Bavaria",
    ]
    assert (second["cell"], second["metric"], second["state"]) == (
        "cdn=drift",
        "slow_start",
        "closed",
    )


def test_what_comes_back_within_the_hours_goes_on_and_what_comes_later_is_new() -> None:
    back = of_day([alarm(1, "cdn=aurora"), alarm(4, "cdn=aurora")], [], DAY, MERGING)
    assert [row["alarms"] for row in back] == [2]
    later = of_day([alarm(1, "cdn=aurora"), alarm(5, "cdn=aurora")], [], DAY, MERGING)
    assert [row["alarms"] for row in later] == [1, 1]
    assert len({row["incident_id"] for row in later}) == 2


@pytest.mark.parametrize(
    ("last", "state", "closed"),
    [(23, "open", None), (22, "recovering", None), (20, "closed", MIDNIGHT + timedelta(hours=21))],
)
def test_an_incident_recovers_and_closes(last: int, state: str, closed: datetime | None) -> None:
    (row,) = of_day([alarm(last - 1, "cdn=aurora"), alarm(last, "cdn=aurora")], [], DAY, MERGING)
    assert (row["state"], row["closed_at"]) == (state, closed)


def test_it_goes_on_over_midnight_and_closes_on_a_day_without_any_data() -> None:
    yesterday = of_day([alarm(22, "cdn=aurora"), alarm(23, "cdn=aurora", 20.0)], [], DAY, MERGING)
    today = of_day(
        [alarm(25, "cdn=aurora|region=Bavaria", 5)], yesterday, DAY + timedelta(days=1), MERGING
    )
    assert [(r["incident_id"], r["alarms"], r["evidence"]) for r in today] == [
        (yesterday[0]["incident_id"], 3, 20)
    ]
    (quiet,) = of_day([], yesterday, DAY + timedelta(days=1), MERGING)
    assert (quiet["state"], quiet["closed_at"]) == ("closed", MIDNIGHT + timedelta(hours=24))
    assert of_day([], [], DAY, MERGING) == []
    # The row of the day before is as it was.
    assert yesterday[0]["alarms"] == 2


ALARMS = st.lists(st.builds(alarm, st.integers(0, 23), st.sampled_from(CELLS), st.integers(3, 9).map(float)),
                  max_size=12, unique_by=lambda one: (one["bucket_at"], one["cell"]))  # fmt: skip


@given(ALARMS, st.randoms())
def test_every_alarm_is_in_one_incident_whatever_their_order(
    alarms: list[dict[str, Any]], dice: Any
) -> None:
    rows_ = of_day(alarms, [], DAY, MERGING)
    assert sum(row["alarms"] for row in rows_) == len(alarms)
    assert len({row["incident_id"] for row in rows_}) == len(rows_)
    mixed = list(alarms)
    dice.shuffle(mixed)
    assert of_day(mixed, [], DAY, MERGING) == rows_


@given(
    st.lists(
        st.builds(
            alarm, st.integers(0, 5), st.sampled_from((*CELLS, "isp=A", "isp=A|region=Tokyo")),
            st.integers(3, 9).map(float), st.sampled_from(("stall", "slow_start")),
        ),
        max_size=12, unique_by=lambda one: (one["bucket_at"], one["cell"], one["metric"]),
    )
)  # fmt: skip
def test_alarms_are_one_incident_if_a_chain_of_related_ones_leads_from_one_to_the_other(
    alarms: list[dict[str, Any]],
) -> None:
    """By comparing all with all, of hours that do not reach each other."""
    far = [one | {"bucket_at": MIDNIGHT + (one["bucket_at"] - MIDNIGHT) * 4} for one in alarms]
    left, chains = list(far), []
    while left:
        chain = [left.pop()]
        for member in chain:
            near = [one for one in left if one["bucket_at"] == member["bucket_at"]]
            joined = [one for one in near if are_related(one, member)]
            chain += joined
            left = [one for one in left if one not in joined]
        chains.append(sorted((one["cell"], one["metric"]) for one in chain))
    found = of_day(far, [], DAY, MERGING)
    told = [[(one["cell"], one["metric"]) for one in row["members"]] for row in found]
    assert sorted(told) == sorted(chains)


def test_thousands_of_alarms_that_have_nothing_in_common_take_no_time() -> None:
    """Of 4,000 providers two hours, and one of the whole service that all belong to."""
    isps = [f"isp={number:04}" for number in range(4000)]
    twice = [alarm(hour, isp) for isp in isps for hour in (1, 2)]
    started = time.perf_counter()
    apart = of_day(twice, [], DAY, MERGING)
    together = of_day([alarm(0, "all"), *twice], [], DAY, MERGING)
    assert time.perf_counter() - started < 5
    assert {row["alarms"] for row in apart} == {2}
    assert [row["alarms"] for row in together] == [8001]
    assert len(apart) == 4000


def test_spark_makes_of_a_day_what_python_does(spark: SparkSession) -> None:
    told = [
        alarm(22, "cdn=aurora"),
        alarm(23, "cdn=aurora", 20.0),
        alarm(3, "region=Bavaria", metric="slow_start"),
    ]
    quiet = alarm(5, "all") | {"is_alarm": False}
    given_ = [
        {"is_alarm": True, "anomaly_date": DAY, "subset": "x"} | one for one in [*told, quiet]
    ]
    made = incidents(rows(spark, QOE_ANOMALIES, *given_), rows(spark, QOE_INCIDENTS), DAY, MERGING)
    found = [row.asDict(recursive=True) for row in made.orderBy("incident_id").collect()]
    assert found == of_day(told, [], DAY, MERGING)

    # What is closed is over; the other goes on the next day, without an alarm.
    filled = made.select(
        "*",
        F.lit(None).cast("string").alias("verdict"),
        F.array().cast(QOE_INCIDENTS.schema["causes"].dataType).alias("causes"),
    )
    assert set(FOUND_LATER) == {"verdict", "causes"}
    nothing = rows(spark, QOE_ANOMALIES)
    (next_day,) = incidents(nothing, filled, DAY + timedelta(days=1), MERGING).collect()
    assert (next_day["cell"], next_day["state"], next_day["alarms"]) == ("cdn=aurora", "closed", 2)
