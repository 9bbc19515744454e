"""What jobs logged while MLflow could not be reached, kept in the lake until it can.

A file a run, `<lake>/tracking/<run id>.json`, whole or not at all; texts and pictures are in it. Delivering one twice
gives the run once: it is found again by the lake's own run id, and what it has is set to the same values.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Protocol


class Files(Protocol):
    """Small files of the lake; `runtime/delta/storage.py` has them on any file system."""

    def names(self, folder: str) -> list[str]: ...

    def text(self, path: str) -> str | None: ...

    def put(self, path: str, text: str) -> None: ...

    def remove(self, path: str) -> None: ...


@dataclass
class Kept:
    """One run as it would have been logged; times are in milliseconds since 1970.

    `mlflow_run_id` is there where the run had been opened before MLflow went away. `inputs` are places and versions of
    tables by name; texts, and pictures in base 64, stand by their names, too.
    """

    run_id: str
    area: str
    name: str
    started_ms: int
    mlflow_run_id: str | None = None
    ended_ms: int | None = None
    status: str = "RUNNING"
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    inputs: dict[str, tuple[str, int]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)

    def add_picture(self, name: str, content: bytes) -> None:
        self.pictures[name] = b64encode(content).decode()

    def picture(self, name: str) -> bytes:
        return b64decode(self.pictures[name])

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Kept:
        found = cls(**json.loads(text))
        found.inputs = {
            name: (str(at), int(version)) for name, (at, version) in found.inputs.items()
        }
        found.metrics = [(str(k), float(v), int(ms), int(step)) for k, v, ms, step in found.metrics]
        return found


class Buffer:
    """The runs that wait to be delivered."""

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self.folder = folder

    def keep(self, run: Kept) -> None:
        self._files.put(self._path(run.run_id), run.to_json())

    def waiting(self) -> list[str]:
        """The ids of the runs, oldest first."""
        names = self._files.names(self.folder)
        return [name.removesuffix(".json") for name in names if name.endswith(".json")]

    def runs(self) -> Iterator[Kept]:
        for name in self.waiting():
            text = self._files.text(self._path(name))
            if text is not None:
                yield Kept.from_json(text)

    def forget(self, run: Kept) -> None:
        self._files.remove(self._path(run.run_id))

    def _path(self, run_id: str) -> str:
        # A micro-batch's id holds a colon, which Hadoop's paths may not.
        return f"{self.folder}/{run_id.replace(':', '-')}.json"
