"""What a check found, and what checks say alike."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Status(StrEnum):
    """`warn` may still work; `fail` will not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was found, and what to do about it."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def nearest_existing(path: Path) -> Path:
    """It, or the nearest folder above that is there."""
    while not path.exists():
        path = path.parent
    return path


def user() -> str:
    """Who runs this, for those who give rights."""
    return os.environ.get("USER") or f"user {os.getuid()}"
