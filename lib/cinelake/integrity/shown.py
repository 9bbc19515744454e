"""Cases as a person reads them on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cinelake.paragraphs import paragraph, so_many


def as_list(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Cases, a paragraph each."""
    return Group(
        *(
            paragraph(
                row["case_id"],
                f"  {row['kind']}, {row['severity']}, {row['probability']:.0%} likely, since {row['opened_on']}, "
                f"{so_many(row['signal_days'], 'day')}",
                f"{row['stake_ms'] / 3_600_000:.1f} hours at stake; suggested: "
                + row["suggested_action"].replace("_", " "),
                "; ".join(each["text"] for each in row["reasons"][:2]),
            )
            for row in rows
        )
    )


def as_file(
    states: Sequence[Mapping[str, Any]],
    streams: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]],
    where: Sequence[str] = (),
) -> RenderableType:
    """All states of one case, oldest first, as a person reads them; `where` are lines about places."""
    now = states[-1]
    lines: list[RenderableType] = [
        Text(
            f"Case {now['case_id']}: {now['kind']}, {now['severity']}, {now['status']}",
            style="bold",
        ),
        Text(
            f"account {now['account_id']}, since {now['opened_on']}, last seen {now['last_signal_on']}, "
            f"{so_many(now['signal_days'], 'day')} with a signal"
        ),
        Text(
            f"{now['probability']:.0%} likely, {now['stake_ms'] / 3_600_000:.1f} hours at stake; the policy suggests "
            f"to {now['suggested_action'].replace('_', ' ')}, a person decides"
        ),
        Text("Because", style="bold"),
        *(Text(f"  {each['weight']:+.2f} {each['text']}") for each in now["reasons"]),
        Text("Evidence", style="bold"),
        *(Text(f"  {line}") for line in now["evidence"]),
    ]
    if streams:
        lines.append(Text("Streams at once", style="bold"))
        lines += [Text(f"  {line}") for excess in streams for line in _excess(excess)]
    if where:
        lines.append(Text("Where", style="bold"))
        lines += [Text(f"  {line}") for line in where]
    lines.append(Text("How it went on", style="bold"))
    lines += [Text(f"  {line}") for line in changes(states)]
    lines += [
        Text(f"  {each['given_on']} {each['verdict']} by {each['given_by']}: {each['why']}")
        for each in verdicts
    ]
    return Group(*lines)


def changes(states: Sequence[Mapping[str, Any]]) -> list[str]:
    """The days on which a case's state changed, in words."""
    told, before = [], None
    for state in states:
        now = (state["status"], state["severity"], state["signal_days"])
        if now != before:
            told.append(
                f"{state['state_date']} {state['status']}, {state['severity']}, "
                f"{state['probability']:.0%}, day {state['signal_days']} with a signal"
            )
        before = now
    return told


def _excess(row: Mapping[str, Any]) -> list[str]:
    head = f"{row['from_at']:%Y-%m-%d %H:%M} to {row['until_at']:%H:%M}: {row['streams']} of {row['allowed']}"
    return [
        head,
        *(
            f"    device {each['device_id'][:8]} in {each['region']}, {each['country']}, "
            f"{each['from_at']:%H:%M} to {each['until_at']:%H:%M}"
            for each in row["evidence"]
        ),
    ]
