"""Labels that something is learned from, whatever learns."""

from __future__ import annotations


class OneSided(ValueError):
    """All that was to be learned from came to the same: there is nothing to learn."""
