"""Spark's daemon of Python workers, ready for many short tasks.

Workers are many, for one ends whenever a query has seen enough of it. Spark's own daemon forks them with nothing
imported, so each begins with most of a second of pandas and PyArrow; and after every task a worker looks through all
that it has imported for garbage. Here they are forked with everything in place and set aside (`gc.freeze`).

Forking after PyArrow has started its one thread, which gives memory back, is safe: its allocator is told of forks.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable

import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pyarrow.compute as pc  # noqa: F401
import scipy.sparse as sp  # noqa: F401
from pyspark import daemon, worker  # noqa: F401

Work = Callable[[socket.socket, bool], int]


def calmly(work: Work) -> Work:
    """The same work, which does not take it for an error that a query had seen enough and hung up."""

    def worked(connection: socket.socket, authenticated: bool) -> int:
        try:
            return work(connection, authenticated)
        except BrokenPipeError:
            return 1

    return worked


if __name__ == "__main__":
    setattr(daemon, "worker", calmly(daemon.worker))  # noqa: B010 - a function that is told the same
    gc.freeze()
    daemon.manager()
