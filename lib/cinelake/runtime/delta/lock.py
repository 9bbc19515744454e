"""One writer at a time on a lake in a local folder, where Delta's commits are not safe among processes.

The operating system drops the lock with its process, so a killed run leaves none behind. On S3 drivers take turns
instead (turns.py); on other stores Delta's log store arbitrates.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.delta.turns import LakeBusy

POLL_SECONDS = 0.2


@contextmanager
def lake_lock(root: Path, wait: timedelta = timedelta(0)) -> Iterator[None]:
    """Hold the lake's lock; raises LakeBusy naming the holder when it is not free within `wait`.

    Raises LakeError where the folder cannot be written to.
    """
    path = root / "lake.lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        opened = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise _unwritable(root, error) from error
    with opened as file:
        try:
            locked(file, wait.total_seconds())
        except BlockingIOError:
            raise LakeBusy(_refusal(path)) from None
        try:
            _sign(file)
        except OSError as error:
            raise _unwritable(root, error) from error
        try:
            yield
        finally:
            file.truncate(0)


def holder(root: Path) -> str | None:
    """Who holds the lake's lock, in words; None where nobody does. Waits for nobody."""
    path = root / "lake.lock"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    if not text:
        return None
    # Who was killed has left its name, and no lock.
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _who(text)
    return None


def locked(file: IO[str], wait_seconds: float) -> None:
    """Lock an open file until it is closed; raises BlockingIOError when it is not free in time."""
    # At least twice: who looks whether it is free (`holder`) has it for a moment.
    deadline = time.monotonic() + max(wait_seconds, POLL_SECONDS)
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def _sign(file: IO[str]) -> None:
    file.truncate(0)
    who = {"pid": os.getpid(), "command": " ".join(sys.argv)}
    file.write(json.dumps(who | {"since": f"{datetime.now(UTC):%F %T} UTC"}))
    file.flush()


def _unwritable(root: Path, error: OSError) -> LakeError:
    remedy = "give the user of this command write access there"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "make room there, and run it again"
    return LakeError(
        f"the lake {root} cannot be written to: {error.strerror} ({error.filename or 'lake.lock'}); {remedy}, or set "
        "lake.root to another place"
    )


def _refusal(path: Path) -> str:
    who = _who(path.read_text(encoding="utf-8"))
    return (
        f"the lake {path.parent} is in use: {who}. A lake in a local folder takes one writer at a time; "
        "wait for it, or let this command wait with --set lake.lock_wait=10m"
    )


def _who(text: str) -> str:
    try:
        signed = json.loads(text)
        return f"process {signed['pid']} ({signed['command']}) has been writing since {signed['since']}"
    except (json.JSONDecodeError, KeyError):
        return "another process is writing"
