"""Drivers take turns by files that a store lets one of many make: on a store in memory, in seconds that are short."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from cinelake.runtime.delta import turns
from cinelake.runtime.delta.turns import LakeBusy, TurnLost, turn

PATH = "s3a://lake/turns/ratings"


class Store:
    """Files with tags, each written at once, as on S3."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, int]] = {}
        self.answers = True
        self._writes = 0
        self._lock = threading.Lock()

    def put_new(self, path: str, text: str) -> bool:
        with self._lock:
            return path not in self.files and self._put(path, text)

    def put_over(self, path: str, text: str, tag: str) -> bool:
        if not self.answers:
            raise OSError("out of reach")
        with self._lock:
            there = path in self.files and str(self.files[path][1]) == tag
            return there and self._put(path, text)

    def tag(self, path: str) -> str | None:
        return str(self.files[path][1]) if path in self.files else None

    def text(self, path: str) -> str | None:
        return self.files[path][0] if path in self.files else None

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def _put(self, path: str, text: str) -> bool:
        self._writes += 1
        self.files[path] = text, self._writes
        return True


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(turns, "GONE_SECONDS", 0.3)
    monkeypatch.setattr(turns, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(turns, "POLL_SECONDS", 0.005)
    return Store()


def test_of_many_at_once_one_has_the_turn(store: Store) -> None:
    inside, most, order = 0, 0, threading.Lock()

    def work(_: int) -> bool:
        nonlocal inside, most
        with turn(store, PATH) as waited:
            with order:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with order:
                inside -= 1
            return waited

    with ThreadPoolExecutor(6) as pool:
        waited = list(pool.map(work, range(6)))
    assert most == 1
    assert sorted(waited)[0] is False
    assert store.files == {}


def test_who_is_at_work_for_long_keeps_the_turn_and_who_is_gone_loses_it(store: Store) -> None:
    with turn(store, PATH):
        with pytest.raises(LakeBusy, match=r"ratings is in use: process \d+ on .*lock_wait"):
            # Longer than it takes to be thought gone.
            turn(store, PATH, timedelta(seconds=0.6)).__enter__()
        assert store.put_new(PATH, "") is False
    store.put_new(PATH, "somebody who was killed")
    started = time.monotonic()
    with turn(store, PATH) as waited:
        assert waited
        assert 0.3 < time.monotonic() - started < 5


def test_who_was_thought_gone_and_comes_back_is_told(store: Store) -> None:
    store.answers = True
    stopped = turn(store, PATH)
    stopped.__enter__()
    store.answers = False
    time.sleep(0.4)
    # The other one finds the store in order.
    tag = store.tag(PATH)
    store.answers = True
    taken = store.put_over(PATH, "another", str(tag))
    assert taken
    with pytest.raises(TurnLost, match="was taken over by another process.*run it again"):
        stopped.__exit__(None, None, None)
    assert store.text(PATH) == "another"


def test_a_store_that_answers_again_in_time_is_no_loss(store: Store) -> None:
    with turn(store, PATH):
        store.answers = False
        time.sleep(0.1)
        store.answers = True
        time.sleep(0.1)
        first = store.tag(PATH)
        time.sleep(0.1)
        assert store.tag(PATH) != first
    assert store.files == {}


def test_what_went_wrong_inside_is_what_is_raised(store: Store) -> None:
    with pytest.raises(ValueError, match="inside"), turn(store, PATH):
        raise ValueError("inside")
    assert store.files == {}


def test_an_answer_that_was_lost_is_no_other_driver(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put_twice(path: str, text: str) -> bool:
        Store.put_new(store, path, text)
        return Store.put_new(store, path, text)

    monkeypatch.setattr(store, "put_new", put_twice)
    with turn(store, PATH, timedelta(0)) as waited:
        assert not waited
