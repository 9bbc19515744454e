"""Cases: one while it lasts, heeding what people decided."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, Row, SparkSession
from unit.tables.rows import rows

from cinelake.integrity.cases import CaseRules, cases
from cinelake.tables.integrity import ALLOW_LIST, INTEGRITY_SIGNALS, VERDICTS

DAY = date(2026, 3, 1)
RULES = CaseRules(quiet_days=5, suppress_days=30)
END = 60


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def signal(who: str, number: int, probability: float = 0.95, **more: Any) -> dict[str, Any]:
    told = {
        "account_id": who,
        "signal_date": day(number),
        "kind": "sharing",
        "subject": "a party",
        "probability": probability,
        "stake_ms": 36_000_000,
        "evidence": [f"on day {number}"],
    }
    return told | more


SIGNALS = [
    *(signal("lasting", n) for n in (0, 3, 8)),
    # Weak once: nothing. Weak twice: a case from the second day on.
    signal("weak once", 0, 0.6),
    *(signal("weak twice", n, 0.6) for n in (0, 2)),
    # Quiet for more than five days: another case.
    *(signal("comes back", n) for n in (0, 10)),
    *(signal("rejected", n) for n in (0, 1, 20, 50)),
    *(signal("appealed", n) for n in (0, 20)),
    *(signal("allowed", n) for n in range(8)),
    *(signal("two kinds", 0, kind=kind) for kind in ("sharing", "takeover")),
    signal("small", 0, stake_ms=1000),
    signal("binge", 0, kind="playback"),
    *(signal("machine", n, kind="playback") for n in range(2)),
]


def ids(spark: SparkSession, who: str) -> list[str]:
    found = told(spark, [], []).where(f"account_id = '{who}'").select("opened_on", "case_id")
    return [row["case_id"] for row in found.distinct().orderBy("opened_on").collect()]


def told(
    spark: SparkSession, verdicts: list[dict[str, Any]], leave: list[dict[str, Any]], first: int = 0
) -> DataFrame:
    return cases(
        rows(spark, INTEGRITY_SIGNALS, *SIGNALS),
        rows(spark, VERDICTS, *verdicts),
        rows(spark, ALLOW_LIST, *leave),
        day(first),
        day(END),
        RULES,
    )


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> list[Row]:
    case, appealed = ids(spark, "rejected")[0], ids(spark, "appealed")[0]
    verdicts = [
        {"case_id": case, "given_on": day(2), "number": 1, "verdict": "reject"},
        {"case_id": appealed, "given_on": day(1), "number": 1, "verdict": "reject"},
        {"case_id": appealed, "given_on": day(3), "number": 2, "verdict": "appeal"},
    ]
    leave = [{"account_id": "allowed", "kind": "sharing", "from_on": day(2), "until_on": day(4)}]
    return told(spark, verdicts, leave).orderBy("state_date").collect()


def of(found: list[Row], who: str) -> list[Row]:
    return [row for row in found if row["account_id"] == who]


def test_signals_in_a_row_are_one_case_until_all_is_quiet(found: list[Row]) -> None:
    own = of(found, "lasting")
    assert len({row["case_id"] for row in own}) == 1
    assert [row["state_date"] for row in own] == [day(n) for n in range(14)]
    assert [row["signal_days"] for row in own] == [1] * 3 + [2] * 5 + [3] * 6


def test_a_long_quiet_ends_a_case_and_the_next_signal_opens_another(found: list[Row]) -> None:
    own = of(found, "comes back")
    assert len({row["case_id"] for row in own}) == 2
    assert [row["state_date"] for row in own] == [day(n) for n in (*range(6), *range(10, 16))]


def test_one_weak_evening_is_no_case(found: list[Row]) -> None:
    assert of(found, "weak once") == []
    assert of(found, "weak twice")[0]["state_date"] == day(2)


def test_a_night_played_through_is_no_case_and_two_are(found: list[Row]) -> None:
    assert not [row for row in found if row["account_id"] == "binge"]
    first = min(row["state_date"] for row in found if row["account_id"] == "machine")
    assert first == day(1)


def test_a_case_waits_for_a_person_and_severity_follows_what_is_at_stake(found: list[Row]) -> None:
    (first, *_) = of(found, "lasting")
    assert (first["status"], first["severity"], first["suggested_action"]) == (
        "needs_review",
        "high",
        "limit",
    )
    assert of(found, "small")[0]["severity"] == "medium"


def test_a_rejection_holds_from_its_day_and_suppresses_repeats_for_a_time(
    found: list[Row],
) -> None:
    status = {row["state_date"]: row["status"] for row in of(found, "rejected")}
    assert status[day(1)] == "needs_review"
    assert status[day(2)] == "rejected"
    assert status[day(20)] == "rejected"
    # More than thirty days after the verdict.
    assert status[day(50)] == "needs_review"


def test_an_appeal_lifts_a_rejection(found: list[Row]) -> None:
    status = {row["state_date"]: row["status"] for row in of(found, "appealed")}
    assert [status[day(n)] for n in (0, 1, 3, 20)] == [
        "needs_review",
        "rejected",
        "needs_review",
        "needs_review",
    ]


def test_leave_expires(found: list[Row]) -> None:
    status = [row["status"] for row in of(found, "allowed")]
    assert status[:6] == ["needs_review"] * 2 + ["allowed"] * 2 + ["needs_review"] * 2


def test_kinds_are_cases_of_their_own(found: list[Row]) -> None:
    assert len({row["case_id"] for row in of(found, "two kinds")}) == 2


@pytest.mark.thorough
def test_a_window_alone_tells_what_a_longer_one_does(spark: SparkSession) -> None:
    late = told(spark, [], [], first=9).collect()
    whole = told(spark, [], []).where(f"state_date >= DATE'{day(9)}'").collect()
    assert sorted(map(str, late)) == sorted(map(str, whole))


def test_a_policy_says_what_it_says_of_kinds_it_names_and_of_others_what_is_shipped() -> None:
    rules = CaseRules(actions={"sharing": ("notify", "limit", "block")})
    assert rules.actions["sharing"] == ("notify", "limit", "block")
    assert rules.actions["takeover"] == CaseRules().actions["takeover"]
    with pytest.raises(ValidationError, match="sharings"):
        CaseRules.model_validate({"actions": {"sharings": ("notify", "limit", "block")}})
