"""Turns: who may write to a table, or read in a source, where many drivers share a lake and nothing stands between.

On S3 Delta looks whether a commit is there and then writes it, so of two drivers at once one may write over the
other's; and what a stream has read is noted by renaming a file, which S3 does not know. So a driver first makes a file
that is its turn, which S3 lets only one of many do (`If-None-Match`), and removes it afterwards. While it has the turn
it rewrites the file now and then; one that has not changed for a while is of somebody who is gone, and is taken over
on the condition that it still has not (`If-Match`). Whose clock is right does not matter: who waits counts seconds.

Caveats: who is stopped for longer than that, and then goes on, finds its turn taken, and fails; what it had written by
then stands, and the next run settles what it is worth. Writers other than this suite take no turns.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Protocol

from py4j.protocol import Py4JError

# A busy driver may be late by some seconds, and a store may ask to come again; a killed one holds up the next so long.
GONE_SECONDS = 45.0
BEAT_SECONDS = 10.0
POLL_SECONDS = 0.5


# What sysexits.h calls EX_TEMPFAIL: nothing is wrong, and the same command will do later.
IN_USE = 75


class LakeBusy(RuntimeError):
    """Another process is writing to the lake. A command that meets it ends with the code `IN_USE`."""


class TurnLost(RuntimeError):
    """Another process has taken a turn over, for its holder seemed to be gone."""


class Notes(Protocol):
    """What turns need of a store."""

    def put_new(self, path: str, text: str) -> bool: ...

    def put_over(self, path: str, text: str, tag: str) -> bool: ...

    def tag(self, path: str) -> str | None: ...

    def text(self, path: str) -> str | None: ...

    def remove(self, path: str) -> None: ...


@contextmanager
def turn(notes: Notes, path: str, wait: timedelta | None = None) -> Iterator[bool]:
    """Have the turn that the file at `path` is, for as long as the block takes; gives whether others had it before.

    Raises LakeBusy where somebody else still has it after `wait` (without one: waits for as long as they are alive),
    and TurnLost, at the end of the block, where it was taken over meanwhile.
    """
    mine = _Turn(notes, path)
    waited = mine.await_it(wait)
    ended = threading.Event()
    beating = threading.Thread(target=mine.beat_until, args=(ended,), daemon=True)
    beating.start()
    try:
        yield waited
    finally:
        ended.set()
        beating.join()
        kept = mine.give_back()
    if not kept:
        raise TurnLost(
            f"{path} was taken over by another process, for this one was not heard of for {GONE_SECONDS:.0f} s (was "
            "it stopped, or the store out of reach?); run it again"
        )


class _Turn:
    def __init__(self, notes: Notes, path: str) -> None:
        self._notes = notes
        self._path = path
        self._id = uuid.uuid4().hex
        self._beats = 0
        self._heard = 0.0

    def await_it(self, wait: timedelta | None) -> bool:
        """Return when it is ours; whether that took waiting."""
        started = unchanged_since = time.monotonic()
        seen: str | None = None
        waited = False
        while not self._notes.put_new(self._path, self._next()):
            # A store that was asked twice, for its first answer was lost, says no to what it has done.
            if not waited and self._is_ours():
                break
            waited = True
            tag, now = self._notes.tag(self._path), time.monotonic()
            if tag != seen:
                seen, unchanged_since = tag, now
            elif tag is not None and now - unchanged_since > GONE_SECONDS:
                if self._notes.put_over(self._path, self._next(), tag):
                    break
                continue
            if wait is not None and now - started >= wait.total_seconds():
                raise LakeBusy(_refusal(self._path, self._notes.text(self._path)))
            time.sleep(POLL_SECONDS)
        self._heard = time.monotonic()
        return waited

    def beat_until(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT_SECONDS):
            # A store that does not answer now may do so next time; whether that was too late shows at the end.
            with suppress(Py4JError, OSError):
                tag = self._notes.tag(self._path)
                # If it is ours after the tag was told, so it was then, and the tag is of ours.
                if tag is None or not self._is_ours():
                    return
                if not self._notes.put_over(self._path, self._next(), tag):
                    return
                self._heard = time.monotonic()

    def give_back(self) -> bool:
        """Whether it was ours to the end."""
        # Nobody takes over so soon, and there is no need to look.
        soon = time.monotonic() - self._heard < GONE_SECONDS / 2
        if not soon and not self._is_ours():
            return False
        self._notes.remove(self._path)
        return True

    def _is_ours(self) -> bool:
        return self._id in (self._notes.text(self._path) or "")

    def _next(self) -> str:
        self._beats += 1
        who = {"host": socket.gethostname(), "pid": os.getpid()}
        return json.dumps(who | {"turn": self._id, "beats": self._beats})


def _refusal(path: str, text: str | None) -> str:
    try:
        holder = json.loads(text or "")
        who = f"process {holder['pid']} on {holder['host']} has the turn"
    except (json.JSONDecodeError, KeyError):
        who = "another process has the turn"
    return f"{path} is in use: {who}; wait for it, or let this command wait with --set lake.lock_wait=10m"
