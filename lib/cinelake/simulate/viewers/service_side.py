"""Everything that accounts do, up to what their players are asked to play: the entry point of this half.

`generate` gives the plays, records and truth of any accounts in any window; `standing` what stood when a window
began. Both are functions of their arguments: the same rows whatever the batches, and a window cut from a longer one.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from cinelake.simulate.abuse.confounders import confounders
from cinelake.simulate.abuse.misuse import misuse
from cinelake.simulate.abuse.piracy import piracy_plays
from cinelake.simulate.calendar import midnight
from cinelake.simulate.randomness import Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import (
    DAY,
    VIEWERS,
    Offender,
    Pauses,
    PlayColumns,
    Plays,
    Records,
    Seeks,
    Truths,
)
from cinelake.simulate.viewers import secrets
from cinelake.simulate.viewers.belongings import device_records, devices_of, profile_records
from cinelake.simulate.viewers.billing import Burden, account_changes, cancellations
from cinelake.simulate.viewers.choices import PageDraft, PlayDraft, simulate
from cinelake.simulate.viewers.encoding import within
from cinelake.simulate.viewers.feedback import feedback
from cinelake.simulate.viewers.lanes import Lanes, lanes
from cinelake.simulate.viewers.log_ins import Arrivals, attempts, log_in_records
from cinelake.simulate.viewers.people import Batch, people
from cinelake.simulate.viewers.searching import searches
from cinelake.simulate.viewers.traces import Tiles, impressions, tile_acts
from cinelake.simulate.viewers.watching import Seats, seats, to_plays
from cinelake.simulate.world.announcements import (
    availability_records,
    standing_titles,
    title_records,
)
from cinelake.simulate.world.households import households

# What began before a window may reach into it: nothing lasts longer.
REACH = DAY


def require_window(settings: Settings, start_us: int, end_us: int) -> None:
    """Raises ValueError for a window that is empty or outside the world."""
    first, last = midnight(settings.world.founded), midnight(settings.world.ends)
    if start_us >= end_us:
        raise ValueError("the window is empty: its end must come after its start")
    if start_us < first or end_us > last:
        raise ValueError(
            f"the simulated world lasts from {settings.world.founded} to {settings.world.ends}; "
            "choose a window inside, or set world.founded and world.ends"
        )


def batch_of(settings: Settings, accounts: Longs, burden: Burden | None = None) -> Batch:
    """The accounts with all their traits, in order of number."""
    homes = households(settings, np.sort(np.asarray(accounts, dtype=np.int64)))
    cancelled_at, cause = cancellations(settings, homes, burden)
    return Batch(homes, confounders(settings, homes), misuse(settings, homes), cancelled_at, cause)


def generate(
    settings: Settings,
    accounts: Longs,
    start_us: int,
    end_us: int,
    burden: Burden | None = None,
) -> tuple[Plays, list[Records], Truths]:
    """The plays pressed and the records that happen in [start_us, end_us), and the truth that touches it.

    `burden(networks, months since 1970)` says what share of a network's viewing in a month incidents spoil (0 … 1);
    cancellation for quality follows it.
    """
    require_window(settings, start_us, end_us)
    batch = batch_of(settings, accounts, burden)
    crowd = people(settings, batch, start_us - REACH - 60 * DAY, end_us)
    owned = devices_of(settings, batch, start_us, end_us)
    records = [
        account_changes(settings, batch, start_us, end_us),
        profile_records(settings, batch, start_us, end_us),
        device_records(settings, owned),
    ]
    found = lanes(settings, batch, crowd, start_us - REACH, end_us)
    pirates = piracy_plays(settings, batch, start_us - REACH, end_us)
    plays, arrivals = pirates, _arrivals(pirates.rows)
    if found is not None:
        draft, pages = simulate(settings, found, start_us - REACH)
        seat = seats(settings, found, draft, pages)
        honest = to_plays(settings, found, seat, draft)
        plays = _sorted(_joined([honest, pirates]))
        arrivals = Arrivals.joined([_sat_down(found, seat, draft, pages), arrivals])
        records += _page_traces(settings, found, seat, draft, pages, start_us, end_us)
    # A viewer presses play once at a time.
    number = plays.rows.pressed_at * VIEWERS + plays.rows.viewer % VIEWERS
    records += feedback(settings, plays.rows, number, start_us, end_us)
    tries = attempts(settings, batch, owned, arrivals, start_us, end_us)
    records.append(log_in_records(settings, tries))
    inside = (plays.rows.pressed_at >= start_us) & (plays.rows.pressed_at < end_us)
    truths = Truths(
        {
            "accounts": secrets.account_truth(settings, batch, end_us),
            "viewers": secrets.viewer_truth(
                settings, crowd.take((crowd.from_us < end_us) & (crowd.until_us > start_us))
            ),
            "abuse": secrets.misuse_truth(settings, batch, start_us, end_us),
            "confounders": secrets.confounder_truth(settings, batch, start_us, end_us),
        }
    )
    kept = [within(part, start_us, end_us) for part in records]
    return plays.take(np.flatnonzero(inside)), [part for part in kept if len(part)], truths


def standing(
    settings: Settings, accounts: Longs, at_us: int, burden: Burden | None = None
) -> list[Records]:
    """Accounts, profiles and devices as they stand at a moment: the newest record of each before it."""
    require_window(settings, at_us, at_us + 1)
    batch = batch_of(settings, accounts, burden)
    floor = midnight(dt.date(1990, 1, 1))
    owned = devices_of(settings, batch, at_us, at_us + 1)
    found = [account_changes(settings, batch, at_us, at_us + 1, standing=True)]
    for part, kind in (
        (profile_records(settings, batch, at_us, at_us + 1), "profile_id"),
        (device_records(settings, owned), "device_id"),
    ):
        before = within(part, floor, at_us)
        entity = before.payload[kind].cast("string").to_numpy(zero_copy_only=False)
        order = np.lexsort((before.order, before.happened, entity))
        last = (
            np.append(entity[order][1:] != entity[order][:-1], True) if len(order) else order == 0
        )
        found.append(within(before.take(order[last]), floor, at_us))
    return found


def generate_world(settings: Settings, start_us: int, end_us: int) -> tuple[list[Records], Truths]:
    """Titles and availability that become known in a window, and the truth of all titles known at its end."""
    require_window(settings, start_us, end_us)
    records = [
        title_records(settings, start_us, end_us),
        availability_records(settings, start_us, end_us),
    ]
    kept = [within(part, start_us, end_us) for part in records]
    return kept, Truths({"titles": secrets.title_truth(settings, end_us)})


def standing_world(settings: Settings, at_us: int) -> list[Records]:
    """Titles and availability as they stand at a moment."""
    return [within(part, -(1 << 60), at_us) for part in standing_titles(settings, at_us)]


def _page_traces(
    settings: Settings,
    found: Lanes,
    seat: Seats,
    draft: PlayDraft,
    pages: PageDraft,
    start_us: int,
    end_us: int,
) -> list[Records]:
    tiles = Tiles(found, seat, pages)
    return [
        impressions(settings, tiles, start_us, end_us),
        tile_acts(settings, found, tiles, start_us, end_us),
        searches(settings, found, seat, draft, pages, start_us, end_us),
    ]


def _joined(parts: list[Plays]) -> Plays:
    offsets = np.cumsum([0, *(len(part) for part in parts[:-1])])

    pauses = [
        Pauses(part.pauses.play + offset, part.pauses.position, part.pauses.seconds)
        for part, offset in zip(parts, offsets, strict=True)
    ]
    seeks = [
        Seeks(part.seeks.play + offset, part.seeks.position, part.seeks.target)
        for part, offset in zip(parts, offsets, strict=True)
    ]
    return Plays(
        PlayColumns.joined([part.rows for part in parts]),
        Pauses.joined(pauses),
        Seeks.joined(seeks),
    )


def _sorted(plays: Plays) -> Plays:
    rows = plays.rows
    return plays.take(np.lexsort((rows.pressed_at, rows.sitting, rows.account)))


def _sat_down(found: Lanes, seat: Seats, draft: PlayDraft, pages: PageDraft) -> Arrivals:
    """Sittings that begin in the drafts: those whose first page or play is there."""
    lane = np.concatenate([draft.lane, pages.lane])
    nth = np.concatenate([draft.nth, pages.nth])
    step = np.concatenate([draft.step, pages.step])
    at = np.concatenate([draft.pressed_at, pages.shown_at])
    kind = np.concatenate([np.ones(len(draft)), np.zeros(len(pages))])
    first = np.flatnonzero(step == 0)
    order = first[np.lexsort((kind[first], nth[first], lane[first]))]
    lane, nth, at = lane[order], nth[order], at[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (lane[1:] != lane[:-1]) | (nth[1:] != nth[:-1])
    keep = np.flatnonzero(new)
    lane, nth, at = lane[keep], nth[keep], at[keep]
    crowd = found.crowd
    offends = (at >= crowd.offends_from[lane]) & (at < crowd.offends_until[lane])
    return Arrivals(
        account=crowd.account[lane],
        profile=crowd.profile[lane],
        viewer=crowd.viewer[lane],
        device=seat.device[lane, nth],
        network=found.network[lane, nth],
        sitting=found.sitting[lane, nth],
        at=at,
        offender=np.where(offends, crowd.offender[lane], Offender.HONEST),
    )


def _arrivals(rows: PlayColumns) -> Arrivals:
    """Pirates' days: the first play of each that the window holds may not be the day's first, so none is taken."""
    none = rows.take(np.zeros(0, dtype=np.int64))
    return Arrivals(
        account=none.account,
        profile=none.profile,
        viewer=none.viewer,
        device=none.device,
        network=none.network,
        sitting=none.sitting,
        at=none.pressed_at,
        offender=none.offender.astype(np.int64),
    )


__all__ = ["generate", "generate_world", "require_window", "standing", "standing_world"]
