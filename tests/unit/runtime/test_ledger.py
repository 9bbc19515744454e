"""The ledger says what to do where its newest commit was cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cinelake.runtime.delta.commits import LogDamaged
from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.runs.fsck import AtWork
from cinelake.runtime.runs.ledger import Ledger


class CutOff:
    """A lake whose ledger's newest commit was cut off."""

    def version(self, table: object) -> int:
        raise LogDamaged("/lake/tables/system/job_runs/_delta_log/7.json")


@pytest.mark.parametrize("ask", [lambda lake: Ledger(lake).books(), AtWork], ids=["a run", "fsck"])
def test_a_ledger_that_was_cut_off_names_the_file_to_remove_and_no_command_that_needs_it(
    ask: Callable[[Any], object],
) -> None:
    with pytest.raises(LakeError, match="job_runs is damaged: .*/7.json .*remove the file") as told:
        ask(CutOff())
    assert "fsck" not in str(told.value)
