"""What the commands say where there is nothing to show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from cinelake.integrity.commands import register
from cinelake.runtime.workspace import Workspace


@pytest.fixture
def app() -> typer.Typer:
    lake: Any = SimpleNamespace(exists=lambda _: False)
    found = typer.Typer()
    register(found, lambda: cast(Workspace, SimpleNamespace(lake=lake)))
    return found


def test_where_no_case_was_opened_the_list_says_so_and_one_that_is_asked_for_is_refused(
    app: typer.Typer,
) -> None:
    listed = CliRunner().invoke(app, ["cases"])
    assert (listed.exit_code, "No case has been opened yet" in listed.output) == (0, True)
    asked = CliRunner().invoke(app, ["case", "3fa4"])
    assert (asked.exit_code, "there are no cases yet" in asked.output) == (2, True)
