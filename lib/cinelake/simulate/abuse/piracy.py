"""Scraping-like viewing: a machine or a patient person plays the catalogue through, one title after the other.

Some run round the clock with short even gaps, some keep office hours and gaps like people's; some from home, some from
a hosting company. Every day is laid out alone: a keyed start, then titles in keyed order at full length.
"""

from __future__ import annotations

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.abuse.misuse import PIRATE
from cinelake.simulate.randomness import Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import (
    DAY,
    DEVICES,
    HOUR,
    PROFILES,
    SECOND,
    VIEWERS,
    Entry,
    Leaves,
    Offender,
    Pauses,
    PlayColumns,
    Plays,
    Seeks,
)
from cinelake.simulate.viewers.page import on_offer
from cinelake.simulate.viewers.people import Batch
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world import networks as net
from cinelake.simulate.world.catalogue import catalogue

MOST = 40  # plays a day


def piracy_plays(settings: Settings, batch: Batch, start_us: int, end_us: int) -> Plays:
    """The plays of pirates that are pressed in a window."""
    seed, plan = settings.seed, batch.misuse
    titles = catalogue(settings)
    days = np.arange(start_us // DAY - 1, (end_us - 1) // DAY + 1)
    home, day = (part.ravel() for part in np.meshgrid(np.flatnonzero(plan.piracy), days))
    account = batch.homes.account[home]
    nth = np.arange(MOST)
    # How many hours a day, and how human the gaps are, is each pirate's own.
    hours = 9 + 14.5 * rnd.uniform(seed, "pirate's hours", account)
    human = rnd.uniform(seed, "pirate's gaps", account)
    begin = day * DAY + ((24 - hours) * rnd.uniform(seed, "pirate's start", account) * HOUR).astype(
        np.int64
    )
    market = batch.homes.market[home]
    title = np.zeros((len(home), MOST), dtype=np.int64)
    walk = rnd.integers(10_000, seed, "pirate's place", account) + day * 16
    for d in np.unique(day):
        offered, size = on_offer(settings, int(d))
        rows = np.flatnonzero(day == d)
        place = (walk[rows][:, None] + nth) % size[market[rows]][:, None]
        title[rows] = offered[market[rows][:, None], place]
    episode = np.where(
        titles.is_series[title],
        rnd.integers(
            titles.episodes[title], seed, "pirate's episode", account[:, None], day[:, None], nth
        ),
        -1,
    )
    gap = (
        8
        + rnd.exponential(seed, "pirate's gap", account[:, None], day[:, None], nth)
        * np.where(human > 0.6, 400, 6 + 20 * human)[:, None]
    )
    length = titles.runtime[title] + gap
    since = np.cumsum(length, axis=1) - length
    pressed = begin[:, None] + (since * SECOND).astype(np.int64)
    keep = (since + titles.runtime[title] < (hours * 3600)[:, None]) & (
        (pressed >= plan.piracy_from[home][:, None])
        & (pressed < np.minimum(plan.piracy_until, batch.cancelled_at)[home][:, None])
        & (pressed >= start_us)
        & (pressed < end_us)
    )
    row, n = np.nonzero(keep)
    return _columns(
        settings, batch, home[row], day[row], n, title[row, n], episode[row, n], pressed[row, n]
    )


def _columns(
    settings: Settings,
    batch: Batch,
    home: Longs,
    day: Longs,
    nth: Longs,
    title: Longs,
    episode: Longs,
    pressed: Longs,
) -> Plays:
    seed, titles, account = settings.seed, catalogue(settings), batch.homes.account[home]
    plan = batch.misuse
    count = len(home)
    runtime = titles.runtime[title]
    hosted = rnd.happens(0.4, seed, "pirate hosted", account)
    exit_ = rnd.integers(40, seed, "pirate's exit", account)
    network = np.where(
        hosted, net.common_network(0, exit_), net.home_network(settings, account, pressed)
    )
    shared = ~np.isin(plan.sharing[home], [Offender.FRIEND, Offender.BUYER]) & ~plan.screens[home]
    profile = np.where(shared & rnd.happens(0.5, seed, "pirate's profile", account), 7, 0)
    whole = rnd.happens(0.9, seed, "pirate to the end", account, day, nth)
    share = np.where(whole, 1.0, rnd.uniform(seed, "pirate stops", account, day, nth))
    viewer = account * VIEWERS + PIRATE
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float64)
    rows = PlayColumns(
        account=account,
        profile=account * PROFILES + profile,
        viewer=viewer,
        device=account * DEVICES + dev.PERSONAL + 3 * PIRATE + 2,
        network=network,
        sitting=(viewer << 17) | (day * 4),
        title=title.astype(np.int32),
        episode=episode.astype(np.int16),
        pressed_at=pressed,
        start_position=np.zeros(count),
        runtime=runtime,
        intro_start=titles.intro_start[title],
        intro_end=titles.intro_end[title],
        credits_start=runtime * titles.credits_share[title],
        leave_position=np.maximum(runtime * share, 5.0),
        leaves=np.where(whole, Leaves.FINISHES, Leaves.STOPS).astype(np.int8),
        entry=np.full(count, Entry.DEEP_LINK, dtype=np.int8),
        row=np.full(count, -1, dtype=np.int16),
        rank=np.full(count, -1, dtype=np.int16),
        page=np.zeros(count, dtype=np.int64),
        impression=np.zeros(count, dtype=np.int64),
        search=np.zeros(count, dtype=np.int64),
        patience=np.full(count, 90.0),
        skips_intro=np.zeros(count, dtype=bool),
        skips_credits=np.zeros(count, dtype=bool),
        binge_position=np.zeros(count, dtype=np.int16),
        offender=np.full(count, Offender.PIRATE, dtype=np.int8),
        enjoyment=np.zeros(count),
    )
    return Plays(rows, Pauses(none, nothing, nothing), Seeks(none, nothing, nothing))
