"""What viewers do in their sittings: look at a page or not, choose, watch, go on or leave.

All lanes step together: one step is one page view and at most one play of each lane. A viewer goes on with what it has
begun, or weighs the tiles that it sees (with their place, for attention falls with row and rank) against what it has in
mind; what it has in mind it searches or opens directly. Most choices come from the home page, as its makers say of
Netflix's (Gomez-Uribe and Hunt, "The Netflix Recommender System", 2015). How a play ends depends on enjoyment, the time
that is left and chance; most plays that are given up are so in the first tenth, as tastings. The shares of all these
are this project's choice.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cinelake.simulate import randomness as rnd
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, MINUTE, SECOND, Columns, Entry, Leaves
from cinelake.simulate.viewers.context import context_weights, talk_of
from cinelake.simulate.viewers.lanes import Lanes
from cinelake.simulate.viewers.page import CONTINUE, Pages, compose
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world.catalogue import Catalogue, catalogue
from cinelake.simulate.world.households import CHILD

STEP_BITS = 6
MOST_STEPS = 1 << STEP_BITS
# Attention, on the scale of utilities: a row further down, a tile further right, an unprompted thought.
ROW_COST, RANK_COST, THOUGHT_COST = 0.25, 0.30, 3.4


@dataclass(frozen=True)
class PlayDraft(Columns):
    """Plays as chosen; what does not depend on the past is added later."""

    lane: Longs
    nth: Longs  # sitting of the lane
    step: Longs
    title: Longs
    episode: Longs
    pressed_at: Longs
    start: Floats
    leave: Floats
    leaves: Longs
    entry: Longs
    row: Longs
    rank: Longs
    has_page: Bools
    binge: Longs
    enjoyment: Floats


@dataclass(frozen=True)
class PageDraft(Columns):
    """Page views; matrices by row and tile."""

    lane: Longs
    nth: Longs
    step: Longs
    shown_at: Longs
    title: NDArray[np.int32]
    row_kind: NDArray[np.int8]
    seen: Bools
    exploration: Bools
    chosen_row: Longs  # −1: nothing of the page was played
    chosen_rank: Longs
    pressed_at: Longs  # when something was played; else when the page was left
    plays: Bools  # whether a play followed, from the page or not


def page_number(sitting: Longs, step: Longs) -> Longs:
    """The number of a page view, or of a search begun from it."""
    return (sitting << STEP_BITS) | step


def pauses_of(settings: Settings, number: Longs) -> tuple[Floats, Floats]:
    """Places (shares of the play) and lengths (s) of up to three pauses of plays; 0 s means none."""
    seed, nth = settings.seed, np.arange(3)
    count = rnd.poisson(0.33, seed, "pauses", number)
    place = np.sort(rnd.uniform(seed, "pause at", number[:, None], nth), axis=1)
    length = np.exp(4.4 + 1.1 * rnd.normal(seed, "pause length", number[:, None], nth))
    length = np.where(nth < count[:, None], np.minimum(length, 2700.0), 0.0)
    return place, np.asarray(np.round(length, 1), dtype=np.float64)


class _State:
    """Where each lane stands. Two titles may be unfinished: the newest, and the one before."""

    def __init__(self, lanes: Lanes) -> None:
        count = len(lanes.count)
        none = np.full(count, -1, dtype=np.int64)
        self.nth = np.zeros(count, dtype=np.int64)
        self.step = np.zeros(count, dtype=np.int64)
        self.clock = np.zeros(count, dtype=np.int64)
        self.left = np.zeros(count)
        self.sits = np.zeros(count, dtype=bool)
        self.title = np.stack([none, none], axis=1)  # columns of unfinished titles
        self.episode = np.zeros((count, 2), dtype=np.int64)
        self.position = np.zeros((count, 2))
        self.touched = np.zeros((count, 2), dtype=np.int64)
        self.autoplays = np.zeros(count, dtype=bool)
        self.binge = np.zeros(count, dtype=np.int64)
        self.last = none.copy()  # title number
        self.weary = np.zeros(count, dtype=bool)  # has just left what it was watching
        self.watched = np.zeros(lanes.urge.shape, dtype=bool)


def simulate(settings: Settings, lanes: Lanes, keep_from: int) -> tuple[PlayDraft, PageDraft]:
    """All plays and page views from `keep_from` (µs UTC) on; earlier ones only shape later ones."""
    return _Simulation(settings, lanes, keep_from).run()


class _Simulation:
    def __init__(self, settings: Settings, lanes: Lanes, keep_from: int) -> None:
        self.settings = settings
        self.lanes = lanes
        self.keep_from = keep_from
        self.titles: Catalogue = catalogue(settings)
        self.state = _State(lanes)
        self.plays: list[PlayDraft] = []
        self.pages: list[PageDraft] = []
        first = int(lanes.starts_at[lanes.starts_at > 0].min() // DAY) - 1
        last = int(lanes.starts_at.max() // DAY) + 3
        self.first_day = first
        self.talk = np.stack([talk_of(settings, day) for day in range(first, last)])
        numbers = lanes.numbers
        self.episodes = self.titles.episodes[numbers]
        self.runtime = self.titles.runtime[numbers]
        self.is_series = self.titles.is_series[numbers]
        self.credits = self.titles.runtime[numbers] * self.titles.credits_share[numbers]

    def run(self) -> tuple[PlayDraft, PageDraft]:
        while True:
            self._sit_down()
            rows = np.flatnonzero(self.state.sits)
            if not len(rows):
                break
            self._step(rows)
        return PlayDraft.joined(self.plays), PageDraft.joined(self.pages)

    def _sit_down(self) -> None:
        """Those who are not sitting begin their next sitting; one that they are far too late for is left out."""
        state, lanes = self.state, self.lanes
        while True:
            rows = np.flatnonzero(~state.sits & (state.nth < lanes.count))
            if not len(rows):
                return
            begins = lanes.starts_at[rows, state.nth[rows]]
            at = np.maximum(begins, state.clock[rows] + 5 * MINUTE)
            missed = at > begins + 75 * MINUTE
            state.nth[rows[missed]] += 1
            rows, at = rows[~missed], at[~missed]
            state.sits[rows] = True
            state.clock[rows] = at
            state.left[rows] = lanes.budget[rows, state.nth[rows]]
            state.step[rows] = 0
            state.autoplays[rows] = False
            state.weary[rows] = False
            state.binge[rows] = 0

    def _step(self, rows: Longs) -> None:
        state, lanes, seed = self.state, self.lanes, self.settings.seed
        sitting = lanes.sitting[rows, state.nth[rows]]
        number = page_number(sitting, state.step[rows])
        auto = state.autoplays[rows]
        at = state.clock[rows]
        idle = (at[:, None] - state.touched[rows]) / DAY
        self._forget_what_is_gone(rows, at)
        unfinished = state.title[rows] >= 0
        series = self.is_series[np.maximum(state.title[rows], 0)]
        pull = np.where(series, 0.80, 0.62) * 0.5 ** (idle / 12)
        drawn = rnd.uniform(seed, "goes on", number)
        first = unfinished[:, 0] & (drawn < pull[:, 0]) & ~state.weary[rows]
        second = ~first & unfinished[:, 1] & (drawn > 1 - 0.35 * pull[:, 1]) & ~auto
        goes_on = (first | second) & ~auto
        chooses = ~auto & ~goes_on

        count = len(rows)
        entry = np.where(auto, Entry.AUTOPLAY, Entry.CONTINUE)
        row, rank = np.where(goes_on, 0, -1), np.where(goes_on, 0, -1)
        # The older of two unfinished titles stands second in its row.
        rank = np.where(second, np.where(unfinished[:, 0], 1, 0), rank)
        slot = np.where(second, 1, 0)
        column = state.title[rows, slot]
        episode, position = state.episode[rows, slot], state.position[rows, slot]
        pressed = np.where(auto, at, at + 6 * SECOND)
        plays = np.ones(count, dtype=bool)
        paged = np.flatnonzero(~auto)
        pages = None
        if len(paged):
            pages, picked = self._choose(rows[paged], number[paged], at[paged], goes_on[paged])
            chooser = chooses[paged]
            into = paged[chooser]
            plays[into] = picked["column"][chooser] >= 0
            column[into] = picked["column"][chooser]
            entry[into] = picked["entry"][chooser]
            row[into], rank[into] = picked["row"][chooser], picked["rank"][chooser]
            episode[into], position[into] = 0, 0.0
            pressed[paged] = at[paged] + (picked["browses"] * SECOND).astype(np.int64)
            linked = chooser & (picked["entry"] == Entry.DEEP_LINK) & (picked["column"] >= 0)
            self._keep_pages(paged[~linked], rows, at, pages, ~linked, row, rank, pressed, plays)
        entry = np.where(goes_on, Entry.CONTINUE, entry)
        has_page = ~auto & (entry != Entry.DEEP_LINK)

        gives_up = ~plays
        state.sits[rows[gives_up]] = False
        state.nth[rows[gives_up]] += 1
        state.clock[rows[gives_up]] = pressed[gives_up]
        w = np.flatnonzero(plays)
        self._watch(
            rows[w], number[w], column[w], episode[w], position[w], pressed[w], entry[w],
            row[w], rank[w], has_page[w],
        )  # fmt: skip

    def _forget_what_is_gone(self, rows: Longs, at: Longs) -> None:
        """What left the service cannot be gone on with; an episode that follows at once still can."""
        state = self.state
        for which in (0, 1):
            title = state.title[rows, which]
            until = self.lanes.until[rows, np.maximum(title, 0)]
            gone = (title >= 0) & (until <= at // DAY) & ~state.autoplays[rows]
            state.title[rows[gone], which] = -1

    def _choose(
        self, rows: Longs, number: Longs, at: Longs, goes_on: Bools
    ) -> tuple[Pages, dict[str, Longs]]:
        settings, lanes, state = self.settings, self.lanes, self.state
        seed, n = settings.seed, len(rows)
        nth = state.nth[rows]
        day = at // DAY
        kind = dev.kinds(settings, lanes.device[rows, nth])
        gone = (lanes.since[rows] > day[:, None]) | (lanes.until[rows] <= day[:, None])
        blocked = lanes.blocked[rows] | gone
        crowd = lanes.crowd
        pages = compose(
            settings, number, lanes.market[rows], day, lanes.genre_taste[rows], lanes.score[rows],
            lanes.best[rows], blocked | state.watched[rows], state.last[rows], kind,
            rnd.normal(seed, "patient browser", crowd.viewer[rows]), lanes.column, lanes.numbers,
        )  # fmt: skip
        unfinished = state.title[rows] >= 0
        numbers = np.where(unfinished, lanes.numbers[np.maximum(state.title[rows], 0)], -1)
        swap = ~unfinished[:, 0] & unfinished[:, 1]
        numbers[swap] = numbers[swap, ::-1]
        pages.title[:, 0, :2] = numbers
        pages.seen[:, 0, :2] = numbers >= 0
        # Whoever goes on at once looks no further than the first rows.
        pages.seen[:, 2:] &= ~goes_on[:, None, None]

        clock = lanes.local[rows, nth] + (at - lanes.starts_at[rows, nth])
        weight = context_weights(settings, lanes.market[rows], clock, kind)
        tiles = pages.title[:, 1:].reshape(n, -1)
        tile_columns = np.maximum(lanes.column[tiles], 0)
        columns = np.concatenate([tile_columns, lanes.in_mind[rows]], axis=1)
        r = np.arange(n)[:, None]
        urge = lanes.urge[rows[:, None], columns].astype(np.float64)
        shown = lanes.numbers[columns]
        urge += np.einsum("nc,nkc->nk", weight, self.titles.context[shown])
        urge += self.talk[(day - self.first_day)[:, None], shown]
        urge += 0.45 * rnd.gumbel(seed, "passing mood", number[:, None], shown)
        height, width = pages.title.shape[1] - 1, pages.title.shape[2]
        place = np.arange(height * width)
        cost = ROW_COST * (place // width) + RANK_COST * (place % width)
        usable = pages.seen[:, 1:].reshape(n, -1)
        urge[:, : height * width] += np.where(usable, -cost, -99.0)
        thought = THOUGHT_COST * (0.4 + 1.3 * rnd.exponential(seed, "thought", number))
        urge[:, height * width :] -= thought[:, None]
        urge = np.where(blocked[r, columns] | state.watched[rows[:, None], columns], -99.0, urge)
        best = np.argmax(urge, axis=1)
        value = urge[np.arange(n), best]
        from_tile = best < height * width
        # Browsing without playing: one visit in six or so.
        reserve = 6.0 + 2.6 * rnd.normal(seed, "reserve", number)
        played = value > reserve
        link = rnd.happens(0.22, seed, "deep link", number)
        looked = pages.seen.sum(axis=(1, 2))
        pace = np.exp(0.5 * rnd.normal(seed, "browses", number))
        browses = np.where(
            goes_on, 3 + 6 * pace, np.where(from_tile, 6 + 1.1 * looked * pace, 18 + 25 * pace)
        )
        return pages, {
            "column": np.where(played, columns[np.arange(n), best], -1),
            "entry": np.where(from_tile, Entry.HOME, np.where(link, Entry.DEEP_LINK, Entry.SEARCH)),
            "row": np.where(played & from_tile, 1 + best // width, -1),
            "rank": np.where(played & from_tile, best % width, -1),
            "browses": np.maximum(browses, 2.0),
        }

    def _keep_pages(
        self,
        where: Longs,
        rows: Longs,
        at: Longs,
        pages: Pages,
        part: Bools,
        row: Longs,
        rank: Longs,
        pressed: Longs,
        plays: Bools,
    ) -> None:
        late = at[where] >= self.keep_from
        where = where[late]
        index = np.flatnonzero(part)[late]
        kinds = pages.row_kind[index]
        kinds[:, 0] = CONTINUE
        self.pages.append(
            PageDraft(
                lane=rows[where],
                nth=self.state.nth[rows[where]],
                step=self.state.step[rows[where]],
                shown_at=at[where],
                title=pages.title[index],
                row_kind=kinds,
                seen=pages.seen[index],
                exploration=pages.exploration[index],
                chosen_row=row[where],
                chosen_rank=rank[where],
                pressed_at=pressed[where],
                plays=plays[where],
            )
        )

    def _watch(
        self,
        rows: Longs,
        number: Longs,
        column: Longs,
        episode: Longs,
        position: Floats,
        pressed: Longs,
        entry: Longs,
        row: Longs,
        rank: Longs,
        has_page: Bools,
    ) -> None:
        state, lanes, seed = self.state, self.lanes, self.settings.seed
        title = lanes.numbers[column]
        series = self.is_series[column]
        joy = (
            0.45 * (lanes.like[rows, column].astype(np.float64) - 5.4)
            + 0.30 * self.titles.quality[title]
            + 0.65 * rnd.normal(seed, "joy", lanes.crowd.viewer[rows], title)
        )
        runtime, credits_ = self.runtime[column], self.credits[column]
        begun = (position > 0) | (episode > 0)
        odds = np.where(series, 1.1, 0.6) + 1.0 * joy + 1.3 * begun
        content = rnd.uniform(seed, "stays", number) < 1 / (1 + np.exp(-odds))
        tasting = rnd.happens(0.62, seed, "tastes", number)
        share = np.where(
            tasting,
            np.minimum(0.02 + 0.07 * rnd.exponential(seed, "tasted", number), 0.9),
            rnd.uniform(seed, "given up at", number),
        )
        given_up = position + share * (credits_ - position)
        short = credits_ - position > state.left[rows] * 1.25
        runs_out = content & short & rnd.happens(0.5, seed, "runs out of time", number)
        out_of_time = np.clip(position + state.left[rows], position + 120, credits_ * 0.98)
        finishes = content & ~runs_out
        walks_off = rnd.happens(0.035, seed, "walks off", number)
        last = episode + 1 >= self.episodes[column]
        tired = 1 / (1 + np.exp(-(1.6 + 0.8 * joy)))
        goes_on = (
            finishes
            & series
            & ~last
            & (state.left[rows] - (credits_ - position) > 0.35 * runtime)
            & (rnd.uniform(seed, "next one", number) < tired)
            & (state.step[rows] < MOST_STEPS - 2)
        )
        sees_credits = rnd.happens(0.25, seed, "watches credits", number) & ~goes_on
        leave = np.where(
            finishes,
            np.where(sees_credits, runtime, np.minimum(credits_ + 6, runtime)),
            np.where(runs_out, out_of_time, given_up),
        )
        leaves = np.select(
            [goes_on, walks_off, finishes],
            [Leaves.AUTOPLAYS, Leaves.ABANDONS, Leaves.FINISHES],
            Leaves.STOPS,
        )
        _, paused = pauses_of(self.settings, number)
        lasts = leave - position + paused.sum(axis=1)
        ends = pressed + ((lasts + 2.0) * SECOND).astype(np.int64)
        keep = pressed >= self.keep_from
        self.plays.append(
            PlayDraft(
                lane=rows, nth=state.nth[rows], step=state.step[rows], title=title,
                episode=np.where(series, episode, -1), pressed_at=pressed, start=position,
                leave=leave, leaves=leaves, entry=entry, row=row, rank=rank, has_page=has_page,
                binge=state.binge[rows], enjoyment=joy,
            ).take(keep)
        )  # fmt: skip
        self._remember(rows, column, episode, ends, finishes & ~last, runs_out, leave)
        state.last[rows] = title
        state.left[rows] -= lasts + 20
        state.autoplays[rows] = goes_on
        state.binge[rows] = np.where(goes_on, state.binge[rows] + 1, 0)
        state.weary[rows] = ~goes_on
        state.clock[rows] = ends + np.where(goes_on, 2 * SECOND, 9 * SECOND)
        state.step[rows] += 1
        # Something given up early is often replaced; otherwise time decides.
        again = goes_on | (
            ~walks_off & (state.left[rows] > 15 * 60) & rnd.happens(0.72, seed, "looks on", number)
        )
        stops = ~again | (state.step[rows] >= MOST_STEPS - 1)
        state.sits[rows[stops]] = False
        state.nth[rows[stops]] += 1

    def _remember(
        self,
        rows: Longs,
        column: Longs,
        episode: Longs,
        ends: Longs,
        next_: Bools,
        runs_out: Bools,
        leave: Floats,
    ) -> None:
        """What is unfinished after a play: the next episode, or the rest of this one."""
        state = self.state
        unfinished = next_ | runs_out
        # Children love what they know.
        child = self.lanes.crowd.age[rows] == CHILD
        state.watched[rows, column] = (
            ~child
            | unfinished
            | ~rnd.happens(
                0.5,
                self.settings.seed,
                "again",
                self.lanes.crowd.viewer[rows],
                self.lanes.numbers[column],
                ends,
            )
        )
        was = state.title[rows, 0] == column
        was_second = state.title[rows, 1] == column
        # What was in the first place moves to the second unless it is the same.
        push = rows[~was & unfinished]
        for field in (state.title, state.episode, state.position, state.touched):
            field[push, 1] = field[push, 0]
        drop = rows[was_second & ~unfinished]
        state.title[drop, 1] = -1
        state.title[rows, 0] = np.where(unfinished, column, np.where(was, -1, state.title[rows, 0]))
        state.episode[rows, 0] = np.where(unfinished, episode + next_, state.episode[rows, 0])
        state.position[rows, 0] = np.where(
            unfinished, np.where(next_, 0.0, leave), state.position[rows, 0]
        )
        state.touched[rows, 0] = np.where(unfinished, ends, state.touched[rows, 0])


__all__ = ["PageDraft", "PlayDraft", "fields", "page_number", "pauses_of", "simulate"]
