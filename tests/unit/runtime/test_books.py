"""The books: what entries of the ledger add up to."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelake.runtime.runs.books import Books, DayEntry, Entry, differing_inputs, read_digest
from cinelake.runtime.runs.digest import EMPTY, Digest

D1, D2, D3, D4 = (date(2026, 1, day) for day in (1, 2, 3, 4))
ONE, TWO = Digest(1, 11, 11), Digest(2, 22, 22)


def published(day: date, digest: Digest, *, table: str = "t", **details: object) -> Entry:
    entry = DayEntry(day, "in=1", {table: digest})
    return Entry("r", "job", "job", "succeeded", days=(entry,), **details)  # type: ignore[arg-type]


def landed(day: date, digest: Digest, **details: object) -> Entry:
    return Entry(
        "b", "load", "ingest", "succeeded", days=(DayEntry(day, "", {"t": digest}),), **details
    )  # type: ignore[arg-type]


def test_what_was_published_last_is_the_content_of_a_day() -> None:
    books = Books([published(D1, ONE), published(D1, TWO)])
    assert books.digest("t", D1) == TWO


def test_batches_of_an_ingest_add_up() -> None:
    assert Books([landed(D1, ONE), landed(D1, TWO)]).digest("t", D1) == ONE + TWO


def test_a_failed_run_counts_for_nothing() -> None:
    failed = Entry("r", "job", "job", "failed", days=(DayEntry(D1, "in=1", {"t": ONE}),))
    books = Books([failed])
    assert books.digest("t", D1) is None
    assert books.done("job", D1) is None


def test_the_value_of_a_range_changes_with_the_content_inside_and_only_with_it() -> None:
    books = Books([published(D1, ONE), published(D3, ONE)])
    before_inside, before_outside = books.value("t", D1, D3), books.value("t", D3, D4)
    books.apply(published(D2, TWO))
    assert books.value("t", D1, D3) != before_inside
    assert books.value("t", D3, D4) == before_outside


def test_equal_content_on_another_day_is_other_content() -> None:
    assert Books([published(D1, ONE)]).value("t", D1, D4) != Books([published(D2, ONE)]).value(
        "t", D1, D4
    )


def test_a_day_without_rows_is_worth_nothing() -> None:
    assert Books([published(D1, EMPTY)]).value("t", D1, D2) == 0


@given(st.lists(st.tuples(st.sampled_from([D1, D2, D3]), st.integers(1, 9)), max_size=12))
def test_the_order_in_which_batches_landed_does_not_count(batches: list[tuple[date, int]]) -> None:
    entries = [landed(day, Digest(n, n * 7919, n * 104729)) for day, n in batches]
    forth, back = Books(entries), Books(entries[::-1])
    assert forth.value("t", D1, D4) == back.value("t", D1, D4)
    assert forth.rows("t", D1, D4) == sum(n for _, n in batches)


def test_a_commit_by_somebody_else_disturbs_the_days_it_touched_until_they_are_published_again() -> (
    None
):
    books = Books([published(D1, ONE), published(D2, ONE)])
    before = books.value("t", D1, D2), books.value("t", D2, D3)
    books.apply(
        Entry("t@5", "somebody", "foreign", "succeeded", start=D1, end=D2, output_versions={"t": 5})
    )
    assert books.digest("t", D1) is None
    assert books.value("t", D1, D2) != before[0]
    assert books.value("t", D2, D3) == before[1]
    books.apply(published(D1, ONE))
    assert (books.value("t", D1, D2), books.value("t", D2, D3)) == before


def test_a_commit_of_unknown_reach_disturbs_every_day() -> None:
    books = Books([published(D1, ONE), published(D2, ONE)])
    books.apply(Entry("t@5", "somebody", "foreign", "succeeded", output_versions={"t": 5}))
    assert books.digest("t", D1) is None
    assert books.digest("t", D2) is None


def test_retention_leaves_values_alone_and_remembers_from_where_rows_are_kept() -> None:
    books = Books([published(D1, ONE), published(D2, ONE)])
    before = books.value("t", D1, D4)
    books.apply(Entry("x", "retention", "retention", "succeeded", end=D2, output_versions={"t": 3}))
    assert books.value("t", D1, D4) == before
    assert books.retained_from == {"t": D2}


def test_a_reset_forgets_content_windows_and_landed_files() -> None:
    books = Books([landed(D1, ONE), Entry("b", "load", "ingest", "succeeded", fingerprint="3:99")])
    assert books.landing_seen == {"load": "3:99"}
    books.apply(Entry("x", "load", "reset", "succeeded", output_versions={"t": 0}))
    assert books.value("t", D1, D4) == 0
    assert books.landing_seen == {}


def test_the_newest_receipt_is_kept() -> None:
    early, late = datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 1, 10, tzinfo=UTC)
    books = Books([landed(D1, ONE, received_through=late), landed(D1, ONE, received_through=early)])
    assert books.received_through == late


def test_a_reset_takes_back_the_newest_receipt_of_its_source_and_of_no_other() -> None:
    due, wrong = datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    others = Entry("c", "load_other", "ingest", "succeeded", received_through=due)
    books = Books([landed(D1, ONE, received_through=wrong), others])
    assert books.received_through == wrong
    books.apply(Entry("x", "load", "reset", "succeeded", output_versions={"t": 0}))
    assert books.received_through == due


def test_quarantined_days_are_remembered_until_a_run_has_none() -> None:
    books = Books([published(D1, ONE, quarantined={"t": 2})])
    assert books.has_quarantined("job", "t", [D1, D2])
    assert not books.has_quarantined("job", "t", [D2])
    books.apply(published(D1, ONE))
    assert not books.has_quarantined("job", "t", [D1])


def test_an_entry_of_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind 'wish'"):
        Books([Entry("r", "job", "wish", "succeeded")])


def test_the_inputs_that_differ_are_named() -> None:
    before = read_digest({"titles": 1, "ratings": 2, "model": "3"})
    now = read_digest({"titles": 1, "ratings": 5, "model": "4"})
    assert list(differing_inputs(before, now)) == ["model", "ratings"]
