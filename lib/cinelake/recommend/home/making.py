"""Pages of a batch of profiles, crowd by crowd: candidate rows, pages in each circumstance, what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from cinelake.recommend.home.compose import Candidates, compose
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.crowds import Crowd, Crowds, Positions
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.rules import First
from cinelake.recommend.home.shelving import OwnRows, Shelving, joined
from cinelake.recommend.home.slots import Editing, Slots
from cinelake.recommend.rows.kind import ANCHOR
from cinelake.recommend.scoring import Matrix, cells

Batches = Iterator[pa.RecordBatch]


class Maker:
    """Makes the pages of batches of profiles by one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.positions = plan, Positions(plan.idx)
        self.crowds = Crowds(plan, self.positions)
        self.shelving = Shelving(plan, self.positions)
        self.editing = Editing(plan, len(self.shelving.own_kinds))

    def make(self, batch: pa.RecordBatch) -> Batches:
        """Batches of tiles, of the schema of `pages`."""
        for crowd in self.crowds.of(batch):
            yield from self._pages(crowd)

    def _pages(self, crowd: Crowd) -> Batches:
        plan = self.plan
        shelving = self.shelving
        own = shelving.own(crowd)
        crowd = shelving.without_kept(crowd, own)
        shared, offers = shelving.shared(crowd), shelving.offers(crowd.market)
        tastes = self._tastes(crowd.batch)
        first = [shelving.kind[rule.kind] for rule in plan.rules.rules if isinstance(rule, First)]
        every = np.arange(len(crowd))[:, None, None]
        made = []
        for number, circumstances in enumerate(plan.circumstances):
            rows = joined(shelving.own_at(own, circumstances, len(crowd)), shared)
            at = np.where(rows.titles >= 0, rows.titles, 0)
            worth = crowd.odds[every, at] + plan.at[crowd.market][number][at]
            worth = np.where(np.isnan(rows.odds), worth, rows.odds)
            rows = replace(rows, odds=worth).in_order(worth)
            given = Candidates(rows.titles, rows.odds)
            looked_at = plan.attention.of(
                circumstances.device_class, plan.grid.rows, plan.grid.titles
            )
            page = compose(given, offers, tastes, plan.genres, looked_at, plan.grid, first)
            profile, row, position = np.nonzero(page.slots >= 0)
            candidate = page.rows[profile, row]
            cell = profile, candidate, page.slots[profile, row, position]
            slots = Slots(
                profile, row, position, candidate, rows.titles[cell], rows.odds[cell],
                rows.title_at[cell], rows.row_at[profile, candidate], np.full(len(row), np.nan),
            )  # fmt: skip
            self.editing.explored(slots, crowd, number)
            made.append(self.editing.ruled(slots, crowd, number))
        because = self._because(crowd, made)
        for circumstances, slots, sources in zip(plan.circumstances, made, because, strict=True):
            yield self._told(slots, crowd, circumstances, own, sources)

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
        sources = pa.array(found, pa.string()).take(pa.array(back))
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
        sources: pa.Array,
    ) -> pa.RecordBatch:
        count = len(slots.title)
        nowhere = slots.title_at < 0
        at = pa.array(np.where(nowhere, 0, slots.title_at), mask=nowhere)
        rows = self._called(slots, own, crowd.market)
        anchors = rows.pop("anchor")
        columns = {
            "profile_id": crowd.batch.column("profile_id").take(pa.array(slots.profile)),
            "device_class": pa.repeat(circumstances.device_class, count),
            "daypart": pa.repeat(circumstances.daypart, count),
            "row": pa.array(slots.row.astype(np.int32)),
            "position": pa.array(slots.position.astype(np.int32)),
            "title_id": self.plan.ids.take(pa.array(slots.title)),
            **rows,
            "score": pa.array(1 / (1 + np.exp(-slots.odds.astype(np.float64)))),
            "because": pa.compute.coalesce(anchors, sources),
            "episode_id": own.told.field("episode_id").take(at),
            "position_s": own.told.field("position_s").take(at),
            "propensity": pa.array(slots.propensity, mask=np.isnan(slots.propensity)),
        }
        return pa.RecordBatch.from_pydict(columns)

    def _called(self, slots: Slots, own: OwnRows, market: str) -> dict[str, pa.Array]:
        """Kind, key, text and anchor of the rows that tiles stand in."""
        kinds = [self.plan.kinds[at] for at in self.shelving.own_kinds.tolist()]
        whole = [(kind.kind, "", kind.text) for kind in kinds]
        whole += [(shelf.kind, shelf.key, shelf.text) for shelf in self.shelving.shelves(market)]
        pairs, of_tile = np.unique(
            np.stack([slots.candidate, slots.row_at]), axis=1, return_inverse=True
        )
        told = []
        for candidate, row in pairs.T.tolist():
            kind, key, text = whole[candidate]
            anchor = own.anchors[row].as_py() if row >= 0 else None
            key = own.keys[row].as_py() if row >= 0 else key
            told.append((kind, key, text.replace(ANCHOR, self._name(anchor)), anchor))
        names = ("row_kind", "row_key", "row_text", "anchor")
        of_tiles = pa.array(of_tile.reshape(-1))
        return {
            name: pa.array([row[n] for row in told], pa.string()).take(of_tiles)
            for n, name in enumerate(names)
        }

    def _name(self, title: str | None) -> str:
        return self._names.get(title or "", f"title {title}")

    @cached_property
    def _names(self) -> dict[str, str]:
        return dict(zip(self.plan.ids.to_pylist(), self.plan.names, strict=True))
