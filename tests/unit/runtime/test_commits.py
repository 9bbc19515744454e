"""A log is read as numbered files; one that was cut off is told from one that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from cinelake.runtime.delta.commits import EXPIRED, CommitLog, LogDamaged

WHOLE = '{"commitInfo":{"operation":"WRITE","operationMetrics":{"numOutputRows":"2"}}}\n{"add":{"path":"a"}}\n'


class Files:
    """The log of a table, as text by version."""

    def __init__(self, *texts: str | None) -> None:
        self.texts = {f"/t/_delta_log/{n:020d}.json": text for n, text in enumerate(texts)}

    def text(self, path: str) -> str | None:
        return self.texts.get(path)


def log(*texts: str | None) -> CommitLog:
    storage: Any = Files(*texts)
    return CommitLog(storage, "/t")


def test_commits_come_in_order_and_one_that_expired_says_so() -> None:
    found = list(log(None, WHOLE).between(-1, 1))
    assert [(c.version, c.operation) for c in found] == [(0, EXPIRED), (1, "WRITE")]
    assert found[1].rows_written == 2


@pytest.mark.parametrize("left", ["", "\n", WHOLE[:40], WHOLE[:-9]])
def test_a_commit_that_was_cut_off_is_named_wherever_that_was(left: str) -> None:
    cut = log(WHOLE, left)
    cut.require_whole(0)
    with pytest.raises(LogDamaged, match=r"/t/_delta_log/0{19}1\.json cannot be read to its end"):
        cut.require_whole(1)
    with pytest.raises(LogDamaged, match="cinelake fsck"):
        list(cut.between(-1, 1))
