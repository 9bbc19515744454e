"""Pages of a batch of profiles, crowd by crowd: candidate rows, pages in each circumstance, what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from cinelake.recommend.home.compose import compose
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.crowds import Crowd, Crowds, Positions
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.rules import First
from cinelake.recommend.home.shelving import OwnRows, Shelving
from cinelake.recommend.home.slots import Editing, Slots
from cinelake.recommend.rows.kind import ANCHOR
from cinelake.recommend.scoring import Matrix, cells

Batches = Iterator[pa.RecordBatch]
# What is told of a tile beside its row.
TILE = ("title_id", "score", "because", "episode_id", "position_s", "propensity")


class Maker:
    """Makes the pages of batches of profiles by one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.positions = plan, Positions(plan.idx)
        self.crowds = Crowds(plan, self.positions)
        self.shelving = Shelving(plan, self.positions)
        self.editing = Editing(plan, self.shelving)
        self._of_market: dict[str, tuple[pa.Array, pa.Array, pa.Array]] = {}

    def make(self, batch: pa.RecordBatch) -> Batches:
        """Batches of the rows of pages, of the schema `ROWS` of pages.py."""
        for crowd in self.crowds.of(batch):
            yield from self._pages(crowd)

    def _pages(self, crowd: Crowd) -> Batches:
        plan = self.plan
        shelving = self.shelving
        own = shelving.own(crowd)
        crowd = shelving.without_kept(crowd, own)
        rows, offers = shelving.shared(crowd), shelving.offers(crowd.market)
        tastes = self._tastes(crowd.batch)
        first = [shelving.kind[rule.kind] for rule in plan.rules.rules if isinstance(rule, First)]
        made = []
        for number, circumstances in enumerate(plan.circumstances):
            shelving.own_at(own, circumstances, rows)
            here = plan.at[crowd.market][number].astype(np.float32)
            given, title_at = rows.in_order(crowd.odds, here)
            given.titles[:, shelving.elsewhen(crowd.market, circumstances)] = -1
            looked_at = plan.attention.of(
                circumstances.device_class, plan.grid.rows, plan.grid.titles
            )
            page = compose(given, offers, tastes, plan.genres, looked_at, plan.grid, first)
            profile, row, position = np.nonzero(page.slots >= 0)
            candidate = page.rows[profile, row]
            cell = profile, candidate, page.slots[profile, row, position]
            slots = Slots(
                profile, row, position, candidate, given.titles[cell], given.odds[cell],
                title_at[cell], rows.row_at[profile, candidate], np.full(len(row), np.nan),
                np.zeros(len(row), np.int64),
            )  # fmt: skip
            self.editing.explored(slots, crowd, number)
            made.append(self.editing.ruled(slots, crowd, number))
        because, texts = self._because(crowd, made), self._texts(own)
        for circumstances, slots, sources in zip(plan.circumstances, made, because, strict=True):
            yield self._told(slots, crowd, circumstances, own, texts, sources)

    def _tastes(self, batch: pa.RecordBatch) -> Matrix:
        """Shares of genres among what each profile liked; even shares where nothing is known."""
        row, liked = cells(batch.column("liked"))
        position = self.positions.of(liked)
        known, genres = position >= 0, self.plan.genres
        shape = (batch.num_rows, genres.shape[0])
        history = csr_array((np.ones(int(known.sum())), (row[known], position[known])), shape=shape)
        found = (history @ genres).toarray()
        total = found.sum(axis=1, keepdims=True)
        even = np.full_like(found, 1 / genres.shape[1])
        shares: Matrix = np.divide(found, total, out=even, where=total > 0)
        return shares

    # ---- what is told of them

    def _because(self, crowd: Crowd, made: list[Slots]) -> list[pa.Array]:
        """The title of the history that speaks most for each tile, page by page; null where nothing does."""
        lengths = [len(slots.title) for slots in made]
        if self.plan.tastes is None:
            return [pa.nulls(length, pa.string()) for length in lengths]
        profile, title = (
            np.concatenate([getattr(slots, name) for slots in made])
            for name in ("profile", "title")
        )
        order = np.argsort(profile, kind="stable")
        found = self.plan.tastes.sources(crowd.batch, profile[order], title[order])
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        sources = found.take(pa.array(back))
        ends = np.cumsum(lengths)
        return [
            sources.slice(end - length, length) for end, length in zip(ends, lengths, strict=True)
        ]

    def _told(
        self,
        slots: Slots,
        crowd: Crowd,
        circumstances: Circumstances,
        own: OwnRows,
        texts: pa.Array,
        sources: pa.Array,
    ) -> pa.RecordBatch:
        """A row each of the pages, with its tiles as `TILE`."""
        begins = np.flatnonzero(np.diff(slots.of_row, prepend=-1))
        ends = np.append(begins, len(slots.row)).astype(np.int32)
        at = _places(slots.title_at)
        tiles = pa.StructArray.from_arrays(
            [
                self.plan.ids.take(pa.array(slots.title)),
                pa.array(1 / (1 + np.exp(-slots.odds.astype(np.float64)))),
                sources,
                own.told.field("episode_id").take(at),
                own.told.field("position_s").take(at),
                pa.array(slots.propensity, mask=np.isnan(slots.propensity)),
            ],
            names=TILE,
        )
        candidate, row_at = slots.candidate[begins], _places(slots.row_at[begins])
        kinds, keys, whole = (part.take(pa.array(candidate)) for part in self._words(crowd.market))
        columns = {
            "profile_id": crowd.batch.column("profile_id").take(pa.array(slots.profile[begins])),
            "device_class": pa.repeat(circumstances.device_class, len(begins)),
            "daypart": pa.repeat(circumstances.daypart, len(begins)),
            "row": pa.array(slots.row[begins].astype(np.int32)),
            "row_kind": kinds,
            "row_key": pa.compute.coalesce(own.keys.take(row_at), keys),
            "row_text": pa.compute.coalesce(texts.take(row_at), whole),
            "anchor": own.anchors.take(row_at),
            "unmet": pa.array(
                [list(self.editing.unmet[at]) or None for at in slots.unmet[begins].tolist()],
                pa.list_(pa.string()),
            ),
            "tiles": pa.ListArray.from_arrays(pa.array(ends), tiles),
        }
        return pa.RecordBatch.from_pydict(columns)

    def _words(self, market: str) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Kind, key and text of the candidate rows of a market; those of profiles' own say more by themselves."""
        if market not in self._of_market:
            kinds = [self.plan.kinds[at] for at in self.shelving.own_kinds.tolist()]
            told = [(kind.kind, "", kind.text) for kind in kinds]
            told += [(shelf.kind, shelf.key, shelf.text) for shelf in self.shelving.shelves(market)]
            kind, key, text = (pa.array(part, pa.string()) for part in zip(*told, strict=True))
            self._of_market[market] = kind, key, text
        return self._of_market[market]

    def _texts(self, own: OwnRows) -> pa.Array:
        """What stands over each own row; of one that is too many, which stands nowhere, that of any."""
        place = np.minimum(own.place, len(self.shelving.own_kinds) - 1)
        kinds = [self.plan.kinds[at] for at in self.shelving.own_kinds[place].tolist()]
        texts = [
            kind.text.replace(ANCHOR, self._name(anchor)) if anchor else kind.text
            for kind, anchor in zip(kinds, own.anchors.to_pylist(), strict=True)
        ]
        return pa.array(texts, pa.string())

    def _name(self, title: str) -> str:
        return self._names.get(title, f"title {title}")

    @cached_property
    def _names(self) -> dict[str, str]:
        return dict(zip(self.plan.ids.to_pylist(), self.plan.names, strict=True))


def _places(at: Matrix) -> pa.Array:
    """For `take`: null where nothing is told."""
    return pa.array(np.maximum(at, 0), mask=at < 0)
