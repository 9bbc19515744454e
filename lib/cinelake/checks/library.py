"""Great Expectations, kept quiet: no telemetry, no progress bars, no log of what it finds in the rows.

The module is named in `gate` and `docs`, the two that need the library itself.
"""

from __future__ import annotations

import logging
import os

# Read when the library is imported, so it comes before.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)

# It turns warnings into log records for the whole process when it is imported.
logging.captureWarnings(False)

# Its errors quote values of rows; what went wrong reaches us in the validation result as well.
logging.getLogger("great_expectations").setLevel(logging.CRITICAL)


def quiet_context() -> EphemeralDataContext:
    """A context that lives in memory and belongs to the caller alone."""
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)
