"""One process at a time writes to a lake in a local folder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cinelake.runtime.delta import lock
from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.delta.lock import lake_lock
from cinelake.runtime.delta.turns import LakeBusy

HOLD = """
import signal, sys
from pathlib import Path
from cinelake.runtime.delta import lock
from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.delta.lock import lake_lock
with lake_lock(Path(sys.argv[1])):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_writer_is_refused_and_told_who_writes(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with (
        pytest.raises(LakeBusy, match=rf"in use: process {holder.pid} .* wait for it"),
        lake_lock(tmp_path),
    ):
        pass


def test_who_writes_is_told_to_others_and_whoever_was_killed_does_not(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    told = lock.holder(tmp_path)
    assert told is not None
    assert told.startswith(f"process {holder.pid} (")
    holder.kill()
    holder.wait()
    assert (tmp_path / "lake.lock").read_text(encoding="utf-8")
    assert lock.holder(tmp_path) is None
    assert lock.holder(tmp_path / "no lake") is None
    with lake_lock(tmp_path):
        pass
    assert lock.holder(tmp_path) is None


def test_a_killed_writer_leaves_no_lock_behind(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    holder.kill()
    holder.wait()
    with lake_lock(tmp_path, timedelta(seconds=5)):
        pass


def test_the_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with lake_lock(tmp_path):
            pass


def test_a_full_disk_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(lock, "_sign", full)
    with (
        pytest.raises(LakeError, match=r"No space left on device .*make room there"),
        lake_lock(tmp_path),
    ):
        raise AssertionError("on a full disk")
