"""What is spent of a limit in minutes."""

from __future__ import annotations

from cinelake.runtime.time_limit import share_spent


def test_a_limit_is_spent_as_time_passes_and_none_at_all_is_spent_at_once() -> None:
    now = [100.0]
    limit, nothing = share_spent(2, lambda: now[0]), share_spent(0, lambda: now[0])
    assert (limit(), nothing()) == (0.0, 1.0)
    now[0] += 90
    assert (limit(), nothing()) == (0.75, 1.0)
    now[0] += 60
    assert limit() == 1.25
