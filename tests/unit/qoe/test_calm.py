"""A rise is measured against calm times."""

from __future__ import annotations

import numpy as np

from cinelake.qoe.localisation.history import calm


def test_times_that_were_bad_already_are_no_history() -> None:
    bad = np.array([2.0, 2.0, 1.0, 2.6, 2.7, 9.0])
    total = np.full(6, 100.0)
    # The median is 2.3 %, and 1.3 times that 2.99 %.
    assert calm(bad, total).tolist() == [True, True, True, True, True, False]


def test_times_without_viewers_are_left_out() -> None:
    assert calm(np.array([0.0, 3.0]), np.array([0.0, 100.0])).tolist() == [False, True]
    assert calm(np.zeros(2), np.zeros(2)).tolist() == [False, False]
    assert calm(np.zeros(2), np.full(2, 5.0)).tolist() == [True, True]
    assert calm(np.zeros(0), np.zeros(0)).tolist() == []
