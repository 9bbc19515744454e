"""Pictures of a simulated service: how it lives, how hard it is, and what is hidden in it.

Each takes an exhibit and gives a figure; nothing is shown or saved here.
"""

from __future__ import annotations

from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cinelake.simulate.calendar import weekday
from cinelake.simulate.exhibit import Exhibit
from cinelake.simulate.player.incidents import CONGESTION, KINDS
from cinelake.simulate.player.scene import play_numbers, scenes
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.surroundings import places
from cinelake.simulate.trace import CONNECTIONS, DAY, DEVICE_KINDS, HOUR, Entry, Offender, ids
from cinelake.simulate.viewers.tastes import liking, renown, taste_vectors
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.households import ADULT, MEMBERS
from cinelake.simulate.world.markets import geography
from cinelake.simulate.world.wording import GENRES

INK, QUIET, WARM, COLD = "#22303c", "#b8c4ce", "#d1495b", "#2e6f9e"
_HONEST = Offender.HONEST


def _axes(
    rows: int, columns: int, width: float, height: float, title: str
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(colors=INK, labelsize=9)
        each.title.set_fontsize(10)
    return figure, axes


def week(shown: Exhibit) -> Figure:
    """When people watch: plays by local hour and weekday, and the evening by age."""
    figure, (grid, curve) = _axes(1, 2, 11, 3.6, "A week of the service, in local time")
    local = shown.local
    # A day begins at five.
    turn = (local % DAY // HOUR - 5) % 24
    table = np.zeros((7, 24))
    np.add.at(table, (weekday((local - 5 * HOUR) // DAY), turn), 1)
    image = grid.imshow(table, aspect="auto", cmap="YlGnBu")
    grid.set_yticks(range(7), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    grid.set_xticks(range(0, 24, 3), [str((n + 5) % 24) for n in range(0, 24, 3)])
    grid.set_title("plays by weekday and hour", loc="left")
    figure.colorbar(image, ax=grid, shrink=0.8)
    rows = shown.plays.rows
    member = rows.viewer % 16
    home = np.searchsorted(shown.batch.homes.account, rows.account)
    age = np.where(
        member < MEMBERS, shown.batch.homes.age[home, np.minimum(member, MEMBERS - 1)], ADULT
    )
    for group, name, colour in (
        (0, "adults", COLD),
        (1, "teenagers", "#e0a030"),
        (2, "children", WARM),
    ):
        share = np.bincount(turn[age == group], minlength=24) / max((age == group).sum(), 1)
        curve.plot(range(24), 100 * share, label=name, color=colour, lw=2)
    curve.set_xticks(range(0, 24, 3), [str((n + 5) % 24) for n in range(0, 24, 3)])
    curve.set_title("share of an age's plays by hour (%)", loc="left")
    curve.legend(frameon=False)
    return figure


def titles(shown: Exhibit) -> Figure:
    """The long tail, and that quality, which is hidden, explains little of it."""
    figure, (tail, scatter) = _axes(1, 2, 11, 3.6, "Few titles draw much, and not for being good")
    rows, known = shown.plays.rows, catalogue(shown.settings)
    pairs = np.unique(np.stack([rows.viewer, rows.title.astype(np.int64)]), axis=1)[1]
    counts = np.bincount(pairs, minlength=len(known))
    ranked = np.sort(counts[counts > 0])[::-1]
    tail.loglog(np.arange(1, len(ranked) + 1), ranked, ".", ms=4, color=COLD)
    head = ranked[: max(len(ranked) // 10, 1)].sum() / ranked.sum()
    tail.axvline(max(len(ranked) // 10, 1), color=QUIET, lw=1)
    tail.set_title(f"viewers by rank; a tenth of the titles draws {head:.0%}", loc="left")
    seen = counts > 0
    points = scatter.scatter(
        known.fame[seen], counts[seen], c=known.quality[seen], s=14, cmap="RdYlBu", alpha=0.85
    )
    scatter.set_yscale("log")
    scatter.set_xlabel("fame (hidden)", fontsize=9)
    scatter.set_title("viewers by fame, coloured by quality (hidden)", loc="left")
    figure.colorbar(points, ax=scatter, shrink=0.8)
    return figure


def _dots(axes: Axes, at: Floats, **style: Any) -> None:
    axes.scatter(at[:, 0], at[:, 1], **style)


def tastes(shown: Exhibit) -> Figure:
    """Titles and viewers in the hidden space, and how far choices follow taste rather than fame."""
    figure, (space, ranks) = _axes(1, 2, 11, 4.2, "Tastes: what only the truth knows")
    settings, known = shown.settings, catalogue(shown.settings)
    _, _, axis = np.linalg.svd(known.vector - known.vector.mean(axis=0), full_matrices=False)
    at = known.vector @ axis[:2].T
    common = np.argsort(-np.bincount(known.genre, minlength=len(GENRES)))[:6]
    _dots(space, at[~np.isin(known.genre, common)], s=5, color=QUIET, alpha=0.5)
    for n, genre in enumerate(common):
        _dots(space, at[known.genre == genre], s=9, color=f"C{n}", alpha=0.6, label=GENRES[genre])
    rows = shown.plays.rows
    viewers, first = np.unique(rows.viewer, return_index=True)
    home = np.searchsorted(shown.batch.homes.account, rows.account[first])
    slot = np.minimum(viewers % 16, MEMBERS - 1)
    age = np.where(viewers % 16 < MEMBERS, shown.batch.homes.age[home, slot], ADULT)
    moment = np.full(len(viewers), shown.start)
    taste = taste_vectors(settings, viewers, age, moment)
    _dots(space, taste @ axis[:2].T, s=16, marker="x", lw=0.8, color=INK, label="viewers")
    space.legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    space.set_title("titles by genre, and viewers, on the two main hidden axes", loc="left")

    every = np.arange(len(known))
    liked = liking(settings, taste, known, every)
    market = shown.batch.homes.market[home]
    fame = renown(settings, known, every, market, moment // DAY)
    day = shown.start // DAY
    here = ((known.available_from <= day) & (known.available_until > day)).T[market]
    who = np.searchsorted(viewers, rows.viewer)
    chosen = np.isin(rows.entry, [Entry.HOME, Entry.SEARCH, Entry.DEEP_LINK])
    chosen &= here[who, rows.title]
    for score, name, colour in (
        (liked, "taste alone", COLD),
        (fame, "fame alone", WARM),
        (liked + fame, "both", INK),
    ):
        # What is not on offer yet, or no more, stands last.
        order = np.argsort(np.argsort(np.where(here, -score, np.inf), axis=1), axis=1)
        place = order / here.sum(axis=1, keepdims=True)
        mine = np.sort(place[who[chosen], rows.title[chosen]])
        ranks.plot(
            100 * mine, 100 * np.arange(len(mine)) / len(mine), label=name, color=colour, lw=2
        )
    ranks.plot([0, 100], [0, 100], color=QUIET, lw=1)
    ranks.set_xlabel("best … per cent of what is on offer, ordered by", fontsize=9)
    ranks.set_title("share of new choices found there (%)", loc="left")
    ranks.legend(frameon=False)
    return figure


def home_page(shown: Exhibit) -> Figure:
    """Position bias: what is seen and played by row and rank."""
    figure, axes = _axes(1, 3, 11, 3.2, "The home page: attention falls with row and rank")
    page = next(part for part in shown.records if part.source == "impressions")
    row, rank = (page.payload[name].to_numpy() for name in ("row", "rank"))
    seen = np.asarray(page.payload["seen"].to_numpy(zero_copy_only=False), dtype=bool)
    explored = np.asarray(page.payload["is_exploration"].to_numpy(zero_copy_only=False), dtype=bool)
    shape = (int(row.max()) + 1, int(rank.max()) + 1)
    rows = shown.plays.rows
    home = rows.row > 0
    delivered, looked, played, random = (np.zeros(shape) for _ in range(4))
    np.add.at(delivered, (row, rank), 1)
    np.add.at(looked, (row[seen], rank[seen]), 1)
    np.add.at(played, (rows.row[home], rows.rank[home]), 1)
    np.add.at(random, (row[explored], rank[explored]), 1)
    for axis, table, name in (
        (axes[0], 100 * looked / max(looked[1:].max(), 1), "looks, the best place being 100"),
        (axes[1], 1000 * played / np.maximum(looked, 1), "plays per 1,000 looks"),
        (axes[2], 100 * random / np.maximum(delivered, 1), "tiles filled at random (%)"),
    ):
        # The first row continues what was begun and is chosen from in another way.
        image = axis.imshow(table[1:], aspect="auto", cmap="YlGnBu", vmin=0)
        axis.set_title(name, loc="left")
        axis.set_xlabel("rank", fontsize=9)
        axis.set_yticks(range(shape[0] - 1), [str(n) for n in range(1, shape[0])])
        figure.colorbar(image, ax=axis, shrink=0.8)
    axes[0].set_ylabel("row", fontsize=9)
    return figure


def quality(shown: Exhibit) -> Figure:
    """Start-up times by line, stalls by hour, and the incident that was felt most."""
    figure, (join, evening, trouble) = _axes(1, 3, 13, 3.8, "Quality: lines, evenings, incidents")
    truth, around = shown.watched.truth, shown.around
    kept = _kept(shown)
    seconds = truth["join_s"].to_numpy().astype(np.float64)
    started = ~np.isnan(seconds)
    line = around.networks.connection[kept]
    for n, kind in enumerate(("fibre", "cable", "dsl", "mobile", "satellite")):
        mine = np.sort(seconds[started & (line == CONNECTIONS.index(kind))])
        if len(mine) > 20:
            join.plot(mine, np.arange(len(mine)) / len(mine), label=kind, color=f"C{n}")
    join.set_xscale("log")
    join.axvline(2, color=QUIET, lw=1)
    join.set_title("start-up time (s); at 2 s people begin to leave", loc="left")
    join.legend(frameon=False, fontsize=8)

    waited, played = (truth[name].to_numpy() for name in ("rebuffer_s", "seconds_watched"))
    hour = shown.local[kept] % DAY // HOUR
    late = [np.bincount(hour, part, minlength=24) for part in (waited, played)]
    evening.bar(range(24), 1000 * late[0] / np.maximum(late[0] + late[1], 1), color=COLD)
    evening.set_title("rebuffering by local hour (‰)", loc="left")

    number = _most_felt(shown)
    if number < 0:
        trouble.set_title("no congestion was felt", loc="left")
        return figure
    one = shown.incidents.take(np.array([number]))
    begin, end = int(one.start[0]), int(one.end[0])
    cell = _cell(shown, one.where[0], kept)
    at = truth["pressed_at"].cast("int64").to_numpy()
    slot = (at - begin) // HOUR
    for mask, colour, name in ((cell, WARM, "where it strikes"), (~cell, COLD, "elsewhere")):
        span = mask & (slot >= -24) & (slot < (end - begin) // HOUR + 24)
        wait, play = (np.bincount(slot[span] + 24, part[span]) for part in (waited, played))
        share = 1000 * wait / np.maximum(wait + play, 1)
        trouble.plot(np.arange(len(share)) - 24, share, color=colour, label=name, lw=1.8)
    trouble.axvspan(0, (end - begin) / HOUR, color=WARM, alpha=0.12, lw=0)
    named = [places(shown.settings).names(d)[w] for d, w in enumerate(one.where[0]) if w >= 0]
    trouble.set_title(f"{KINDS[one.kind[0]]} on {', '.join(named)}: rebuffering (‰)", loc="left")
    trouble.set_xlabel("hours since onset", fontsize=9)
    trouble.legend(frameon=False, fontsize=8)
    return figure


def _kept(shown: Exhibit) -> Longs:
    """The rows of the meant plays that came about."""
    told = set(shown.watched.truth["play_id"].to_pylist())
    seed = shown.settings.seed
    every = ids(seed, "play", play_numbers(shown.plays.rows, seed)).to_pylist()
    return np.array([n for n, name in enumerate(every) if name in told], dtype=np.int64)


def _most_felt(shown: Exhibit) -> int:
    """The place of the congestion that most plays felt; −1 if none did."""
    names = ids(shown.settings.seed, "incident", shown.incidents.number).to_pylist()
    felt = shown.watched.truth["incident_ids"].combine_chunks().flatten().to_pylist()
    counts = [
        felt.count(name) if kind == CONGESTION else 0
        for name, kind in zip(names, shown.incidents.kind.tolist(), strict=True)
    ]
    best = int(np.argmax(counts)) if counts else -1
    return best if best >= 0 and counts[best] else -1


def _cell(shown: Exhibit, where: Longs, kept: Longs) -> Bools:
    """Which plays run where an incident strikes."""
    around, settings = shown.around, shown.settings
    scene = scenes(
        shown.plays.rows, around.networks, around.devices, around.utc_offset_s, around.premiere,
        settings.player, settings.seed,
    ).where()[kept]  # fmt: skip
    hit: Bools = ((where < 0) | (scene == where)).all(axis=1)
    return hit


def two_accounts(shown: Exhibit) -> Figure:
    """An account that somebody shares, and an honest one that looks like it: which is which?"""
    figure, axes = _axes(
        2, 1, 11, 5.2, "Who shares, and who only travels? Devices by time, coloured by place"
    )
    rows, seed = shown.plays.rows, shown.settings.seed
    region = shown.around.networks.region
    shared = np.unique(rows.account[np.isin(rows.offender, [1, 2, 3])])
    numbers = np.unique(rows.account)
    names = ids(seed, "account", numbers).to_pylist()
    abused = set(shown.truth["abuse"]["account_id"].to_pylist())
    honest = np.array(
        [n for n, name in zip(numbers.tolist(), names, strict=True) if name not in abused]
    )
    regions = geography(shown.settings.world.markets).regions
    for axis, group, what in ((axes[0], shared, "shared"), (axes[1], honest, "honest")):
        if not len(group):
            axis.set_title(f"nobody is {what} here", loc="left")
            continue
        spread = [
            len(np.unique(region[rows.account == n])) * (rows.account == n).sum() for n in group
        ]
        account = int(group[int(np.argmax(spread))])
        mine = np.flatnonzero(rows.account == account)
        devices, place = np.unique(rows.device[mine], return_inverse=True)
        where = np.unique(region[mine])
        colour = {int(n): f"C{i % 10}" for i, n in enumerate(where)}
        begin = rows.pressed_at[mine]
        lasts = (rows.leave_position - rows.start_position)[mine]
        for at, length, line, spot, guest in zip(
            begin.tolist(), lasts.tolist(), place.tolist(), region[mine].tolist(),
            (rows.offender[mine] != _HONEST).tolist(), strict=True,
        ):  # fmt: skip
            span = np.array([at, at + int(max(length, 1200) * 1e6)], dtype="datetime64[us]")
            axis.plot(
                span, [line, line], color=colour[spot], lw=7, solid_capstyle="butt", alpha=0.9
            )
            if guest:
                axis.plot(span[:1], [line + 0.38], "v", ms=4, color=INK)
        kinds = shown.around.devices.kind
        label = [
            DEVICE_KINDS[kinds[mine[np.flatnonzero(place == n)[0]]]] for n in range(len(devices))
        ]
        axis.set_yticks(range(len(devices)), label)
        axis.xaxis.set_major_formatter(mdates.DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
        marks = [Line2D([], [], color=colour[int(n)], lw=6, label=regions[n]) for n in where[:8]]
        axis.legend(
            handles=marks,
            frameon=False,
            fontsize=8,
            ncols=4,
            loc="lower right",
            bbox_to_anchor=(1, 1),
        )
        note = (
            "triangles mark who should not be there"
            if what == "shared"
            else "nobody but its own household"
        )
        axis.set_title(f"{what}: {note}", loc="left")
    return figure


def delivery(shown: Exhibit) -> Figure:
    """What goes wrong on the way, and how late records are."""
    figure, (bars, late) = _axes(1, 2, 11, 3.8, "Delivery: faults, all of which the truth counts")
    totals: dict[str, int] = {}
    for row in shown.faults.to_pylist():
        totals[row["kind"]] = totals.get(row["kind"], 0) + row["records"]
    landed = totals.pop("landed")
    order = sorted((kind for kind in totals if totals[kind]), key=totals.__getitem__)
    bars.barh(
        [kind.replace("_", " ") for kind in order],
        [totals[kind] / landed for kind in order],
        color=COLD,
    )
    bars.set_xscale("log")
    bars.set_title(f"share of {landed:,} lines", loc="left")
    seconds: Floats = np.maximum(shown.delays_s, 1e-2)
    late.hist(np.log10(seconds), bins=120, color=COLD, log=True)
    ticks = {0.1: ".1 s", 1: "1 s", 10: "10 s", 60: "1 min", 3600: "1 h", 86_400: "1 d"}
    late.set_xticks(np.log10(list(ticks)), list(ticks.values()))
    late.set_title("records by time from event to receipt", loc="left")
    return figure
