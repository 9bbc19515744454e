"""What running a job needs to hand: the lake, its ledger, what the ledger says, MLflow and the parameters."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import RLock
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.given import JobParams
from cinelake.runtime.job import Job, Maintenance
from cinelake.runtime.keys import Keyring
from cinelake.runtime.runs.books import Books, Entry
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.tracking.runs import Tracking
from cinelake.tables.contract import Model

log = logging.getLogger(__name__)

# What the operating system says; causes of another kind may quote rows.
OF_THE_MACHINE = (
    "No space left on device",
    "Disk quota exceeded",
    "Permission denied",
    "Input/output error",
    "Stale file handle",
    "Too many open files",
    "Connection refused",
)


@dataclass
class Context:
    """One process's hold on one lake; `books` follow every entry made through it.

    Jobs that run side by side share it: who changes the books holds `lock`.
    """

    lake: Lake
    ledger: Ledger
    books: Books
    tracking: Tracking
    params: Callable[[Job | Maintenance], JobParams]
    # Asked for when a job first makes pseudonyms.
    keyring: Callable[[], Keyring] | None = None
    lock: RLock = field(default_factory=RLock)

    def enter(self, entry: Entry, transaction: tuple[str, int] | None = None) -> None:
        """Write an entry into the ledger and take it into account."""
        with self.lock:
            placed = self.ledger.record(entry, transaction)
            # A micro-batch that was entered before it was ended is in the books already.
            if placed is not None:
                self.books.apply(placed)

    def enter_if_possible(self, entry: Entry) -> None:
        """Enter that something failed; a lake that takes no entry, as on a full disk, is no reason to lose that."""
        try:
            self.enter(entry)
        except (Py4JError, PySparkException, OSError) as error:
            log.warning("the failure of %s could not be entered: %s", entry.job, said(error))

    def reread(self) -> None:
        """Take into account what others have entered."""
        with self.lock:
            self.books = self.ledger.books()

    def model_version(self, model: Model, day: date) -> str:
        """The version that a window starting on `day` would use, as text."""
        version = self.tracking.newest_approved(model, day)
        return str(version.version) if version else "none"


def new_entry(job: str, kind: str, status: str = "succeeded", **details: Any) -> Entry:
    """An entry made now, as a run that took its `seconds` ends, by this version of the code."""
    began = datetime.now(UTC) - timedelta(seconds=details.get("seconds", 0.0))
    details.setdefault("run_id", new_run_id())
    details.setdefault("started_at", began)
    return Entry(job=job, kind=kind, status=status, code_version=code_version(), **details)


def said(error: BaseException) -> str:
    """What an error says, fit for ledgers and logs: Spark's own errors end where they begin to quote rows.

    What the machine lacked is said with them, however deep it stands among the causes.
    """
    if isinstance(error, Py4JJavaError):
        java: Any = error.java_exception
        # Spark says so of whatever went wrong in a thread of its own.
        while "Exception thrown in awaitResult" in str(java.toString()) and java.getCause():
            java = java.getCause()
        text = str(java.toString())
    elif isinstance(error, PySparkException):
        text = f"{type(error).__name__}: {error}"
    else:
        return f"{type(error).__name__}: {error}"[:2000]
    first = text.strip().splitlines()[0][:500]
    lacked = next((reason for reason in OF_THE_MACHINE if reason in str(error)), None)
    return first if lacked is None or lacked in first else f"{lacked}: {first}"


def new_run_id() -> str:
    """Unique, and sorted by time for people who list them."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:10]}"
