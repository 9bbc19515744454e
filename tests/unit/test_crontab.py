"""The crontab of docs/scheduling.md mails what somebody should see, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cinelake.runtime.delta.turns import IN_USE

PAGE = Path(__file__).parents[2] / "docs" / "scheduling.md"


def printed(command: str, ends_with: int, folder: Path) -> str:
    """What cron would mail of `command`, a line of the crontab, when `cinelake` ends so."""
    (line,) = (
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if " * * *  cd /opt/cinelake" in line and f" {command} >>" in line
    )
    installed = folder / ".venv" / "bin" / "cinelake"
    installed.parent.mkdir(parents=True)
    installed.write_text(f"#!/bin/sh\necho said; echo complained >&2\nexit {ends_with}\n")
    installed.chmod(0o755)
    here = line.partition("  ")[2].replace("/opt/", f"{folder.parent}/")
    here = here.replace("/var/lib/cinelake/", f"{folder}/")
    ran = subprocess.run(
        ["/bin/sh", "-c", here],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert (folder / "log").read_text() == "said\ncomplained\n"
    return ran.stdout.replace(str(folder), "")


@pytest.mark.parametrize(
    ("command", "ends_with", "mailed"),
    [
        ("run", 0, ""),
        ("run", IN_USE, ""),
        ("run", 1, "cinelake run: see /log\n"),
        ("run", 3, "cinelake run: see /log\n"),
        ("maintain", 0, ""),
        ("maintain", 3, "cinelake maintain: see /log\n"),
    ],
)
def test_what_goes_well_is_not_mailed_and_what_does_not_is_one_line(
    tmp_path: Path, command: str, ends_with: int, mailed: str
) -> None:
    assert printed(command, ends_with, tmp_path / "cinelake") == mailed
