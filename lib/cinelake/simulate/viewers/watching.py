"""From choices to plays: who really sits where, and the small habits of watching.

When two of a household want the same screen at once, whoever comes second takes its own device. Pauses, jumps, skipped
intros and patience are drawn per play. Viewers begin to leave when a start takes more than two seconds (Krishnan and
Sitaraman, "Video Stream Quality Impacts Viewer Behavior", IMC 2012: 5.8 % more for each second beyond).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.randomness import Bools, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import (
    SECOND,
    Entry,
    Leaves,
    Offender,
    Pauses,
    PlayColumns,
    Plays,
    Seeks,
)
from cinelake.simulate.viewers.choices import PageDraft, PlayDraft, page_number, pauses_of
from cinelake.simulate.viewers.lanes import Lanes
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world.catalogue import catalogue

TILE_BITS = 12


def impression_order(page: Longs, row: Longs, rank: Longs) -> Longs:
    """The order of a tile's record among an account's impressions."""
    return (page << TILE_BITS) | (row << 6) | rank


@dataclass(frozen=True)
class Seats:
    """The device of each sitting, lanes × sittings, after conflicts are settled."""

    device: Longs


def seats(settings: Settings, lanes: Lanes, plays: PlayDraft, pages: PageDraft) -> Seats:
    """Settle who has which device: of overlapping sittings at a device, all but the first fall back on their own.

    Whether a sitting is in the way is judged by where it was first meant to be, so that no chains arise and a window
    needs to know only what overlaps it.
    """
    width = lanes.device.shape[1]
    begin = np.full(lanes.device.size, np.iinfo(np.int64).max)
    end = np.zeros(lanes.device.size, dtype=np.int64)
    at_play = plays.lane * width + plays.nth
    at_page = pages.lane * width + pages.nth
    np.minimum.at(begin, at_play, plays.pressed_at)
    np.minimum.at(begin, at_page, pages.shown_at)
    number = page_number(lanes.sitting[plays.lane, plays.nth], plays.step)
    _, paused = pauses_of(settings, number)
    lasts = (plays.leave - plays.start + paused.sum(axis=1)) * SECOND
    np.maximum.at(end, at_play, plays.pressed_at + lasts.astype(np.int64))
    np.maximum.at(end, at_page, pages.pressed_at)
    used = np.flatnonzero(end > 0)
    device = lanes.device.ravel()[used]
    order = np.lexsort((lanes.sitting.ravel()[used], begin[used], device))
    used = used[order]
    device = device[order]
    new = np.append(True, device[1:] != device[:-1]) if len(device) else np.zeros(0, dtype=bool)
    group = np.cumsum(new)
    # The latest end so far at each device; groups are kept apart by a stretch longer than any window.
    base = int(begin[used].min()) if len(used) else 0
    apart = np.int64(1) << 28
    seconds = (end[used] - base) // SECOND + 1 + group * apart
    latest = np.maximum.accumulate(seconds) if len(used) else seconds
    starts = (begin[used] - base) // SECOND + group * apart
    busy = np.zeros(len(used), dtype=bool)
    busy[1:] = ~new[1:] & (starts[1:] <= latest[:-1])
    result = lanes.device.ravel().copy()
    result[used[busy]] = lanes.fallback.ravel()[used[busy]]
    return Seats(result.reshape(lanes.device.shape))


def to_plays(settings: Settings, lanes: Lanes, seat: Seats, draft: PlayDraft) -> Plays:
    """The plays of a draft with all their columns."""
    seed = settings.seed
    titles = catalogue(settings)
    crowd = lanes.crowd
    lane, title = draft.lane, draft.title
    sitting = lanes.sitting[lane, draft.nth]
    number = page_number(sitting, draft.step)
    viewer = crowd.viewer[lane]
    runtime = titles.runtime[title]
    start, end = titles.intro_start[title], titles.intro_end[title]
    fond = rnd.uniform(seed, "skips intros", viewer)
    skips = rnd.uniform(seed, "skips this intro", number) < np.where(
        draft.binge > 0, 0.35 + 0.6 * fond, 0.8 * fond
    )
    offends = (draft.pressed_at >= crowd.offends_from[lane]) & (
        draft.pressed_at < crowd.offends_until[lane]
    )
    finished = np.isin(draft.leaves, [Leaves.FINISHES, Leaves.AUTOPLAYS])
    from_home = draft.row >= 0
    page = np.where(draft.has_page, number, 0)
    searched = draft.entry == Entry.SEARCH
    rows = PlayColumns(
        account=crowd.account[lane],
        profile=crowd.profile[lane],
        viewer=viewer,
        device=seat.device[lane, draft.nth],
        network=lanes.network[lane, draft.nth],
        sitting=sitting,
        title=title.astype(np.int32),
        episode=draft.episode.astype(np.int16),
        pressed_at=draft.pressed_at,
        start_position=draft.start,
        runtime=runtime,
        intro_start=start,
        intro_end=end,
        credits_start=runtime * titles.credits_share[title],
        leave_position=draft.leave,
        leaves=draft.leaves.astype(np.int8),
        entry=draft.entry.astype(np.int8),
        row=draft.row.astype(np.int16),
        rank=draft.rank.astype(np.int16),
        page=page,
        impression=np.where(
            from_home,
            impression_order(number, np.maximum(draft.row, 0), np.maximum(draft.rank, 0)),
            0,
        ),
        search=np.where(searched, number, 0),
        patience=2.0
        + 17.0
        * rnd.exponential(seed, "patience", number)
        * np.exp(0.4 * np.clip(draft.enjoyment, -2, 2) + 0.4 * rnd.normal(seed, "calm", viewer)),
        skips_intro=skips & (end > start) & (draft.start < start) & (draft.leave > end),
        skips_credits=finished & (draft.leave < runtime - 8),
        binge_position=draft.binge.astype(np.int16),
        offender=np.where(offends, crowd.offender[lane], Offender.HONEST).astype(np.int8),
        enjoyment=draft.enjoyment,
    )
    return Plays(rows, _pauses(settings, number, draft), _seeks(settings, number, rows))


def _pauses(settings: Settings, number: Longs, draft: PlayDraft) -> Pauses:
    place, length = pauses_of(settings, number)
    play, nth = np.nonzero(length > 0)
    span = (draft.leave - draft.start)[play]
    return Pauses(play, draft.start[play] + place[play, nth] * span, length[play, nth])


def _seeks(settings: Settings, number: Longs, rows: PlayColumns) -> Seeks:
    """Up to three jumps a play. Half of the jumps back end where a title's best scene begins: all see that twice."""
    seed, nth = settings.seed, np.arange(3)
    count = rnd.poisson(0.35, seed, "seeks", number)
    key = (number[:, None], nth)
    place = np.sort(rnd.uniform(seed, "seek at", *key), axis=1)
    exists: Bools = (nth < count[:, None]) & (rows.leave_position - rows.start_position > 60)[
        :, None
    ]
    play, n = np.nonzero(exists)
    begin, end = rows.start_position[play], rows.leave_position[play]
    position = begin + place[play, n] * (end - begin)
    back = rnd.happens(0.62, seed, "seeks back", *key)[play, n]
    steps = 1 + rnd.poisson(0.8, seed, "seek steps", *key)[play, n]
    small = 10.0 * steps.astype(np.float64)
    far = np.minimum(20 + 90 * rnd.exponential(seed, "seek far", *key)[play, n], 600.0)
    title, episode = rows.title[play].astype(np.int64), rows.episode[play].astype(np.int64)
    scene = (0.15 + 0.7 * rnd.uniform(seed, "best scene", title, episode)) * rows.runtime[play]
    to_scene = back & rnd.happens(0.5, seed, "sees the scene again", *key)[play, n]
    seen = to_scene & (scene > begin) & (scene + 60 < end)
    position = np.where(seen, scene + 35 + 20 * place[play, n], position)
    target = np.where(seen, scene, np.where(back, position - small, position + far))
    target = np.clip(target, begin, end - 5)
    order = np.lexsort((position, play))
    keep = order[np.abs(target - position)[order] > 2]
    return Seeks(play[keep], position[keep], target[keep])


def on_television(settings: Settings, device: Longs) -> Bools:
    """Whether devices are televisions or consoles."""
    return np.isin(dev.kinds(settings, device), [dev.TV, dev.CONSOLE])
