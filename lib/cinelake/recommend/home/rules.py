"""What the service's editors decide about pages, whatever anybody likes: brand rules.

- *block*: titles stand on no page.
- *pin*: a title stands at a place, on the pages of all profiles that it may be shown to and that have such a place.
- *first*: the best row of a kind comes before all others; several such come in their order.
- *cap*: of the tiles of a page at most a share is of a group.
- *share*: of the tiles of a page at least a share is of a group.

A group is `original`, what the service made itself, or a list of titles that the settings name. On a page that has too
much of a group, or too little, the tiles that are worth least give their places to the best titles that may be shown
and are wanted there: such as fit the row, and where there are none, any, as what is pinned may stand anywhere. Where
titles run out, those that are too many go. So rules hold exactly, on a page that may be shorter.

A share of a group of which a page can have nothing, as of originals where a child may see none, would leave no page at
all. That page is made without the rule, and says so. Of rules that contradict each other both are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cinelake.recommend.home.contradictions import contradicting
from cinelake.recommend.scoring import Matrix
from cinelake.spelling import hint

ORIGINAL = "original"
# Shares of whole tiles: what is equal up to so much of a tile is equal.
ROUNDING = 1e-9


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="how people call it")


class Block(_Rule):
    rule: Literal["block"] = "block"
    group: str = Field(description="which titles")


class Pin(_Rule):
    rule: Literal["pin"] = "pin"
    title: str = Field(description="title id")
    row: int = Field(0, ge=0, lt=40, description="row of the page, from 0")
    position: int = Field(0, ge=0, lt=100, description="place in the row, from 0")


class First(_Rule):
    rule: Literal["first"] = "first"
    kind: str = Field(description="kind of row")


class Cap(_Rule):
    rule: Literal["cap"] = "cap"
    group: str = Field(description="which titles")
    share: float = Field(ge=0, le=1, description="of the tiles of a page, at most")


class Share(_Rule):
    rule: Literal["share"] = "share"
    group: str = Field(description="which titles")
    share: float = Field(ge=0, le=1, description="of the tiles of a page, at least")


Rule = Annotated[Block | Pin | First | Cap | Share, Field(discriminator="rule")]


class BrandRules(BaseModel):
    """All rules, and the groups that they speak of: lists of title ids by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[str, tuple[str, ...]] = Field({}, description="titles by the name of their group")
    rules: tuple[Rule, ...] = Field((), description="block, pin, first, cap and share")

    @model_validator(mode="after")
    def _can_be_kept(self) -> BrandRules:
        for rule in self.rules:
            group = getattr(rule, "group", ORIGINAL)
            if group not in {ORIGINAL, *self.groups}:
                known = ", ".join(sorted({ORIGINAL, *self.groups}))
                raise ValueError(
                    f"rule {rule.name!r} speaks of the group {group!r}; there are {known}"
                )
        for one, other in combinations(self.rules, 2):
            for against in (*self._against(one, other), *self._against(other, one)):
                raise ValueError(
                    f"rules {one.name!r} and {other.name!r} contradict each other: {against}"
                )
        # Of titles that no group names there are always some; what is original nobody knows yet.
        told = {title for own in self.groups.values() for title in own}
        titles = sorted(told | {rule.title for rule in self.rules if isinstance(rule, Pin)})
        self._require_possible(
            [rule for rule in self.rules if getattr(rule, "group", "") != ORIGINAL],
            {name: np.isin([*titles, ""], list(own)) for name, own in self.groups.items()},
            [*titles, ""],
        )
        return self

    def members(self, ids: Sequence[str], is_original: Matrix) -> dict[str, Matrix]:
        """By group, which of the titles are in it. Raises ValueError where, by that, rules contradict each other."""
        named = {name: np.isin(ids, list(own)) for name, own in self.groups.items()}
        found = {ORIGINAL: is_original} | named
        self._require_possible(self.rules, found, ids)
        return found

    @staticmethod
    def _require_possible(
        rules: Sequence[Rule], groups: Mapping[str, Matrix], titles: Sequence[str]
    ) -> None:
        *most, last = [repr(rule.name) for rule in contradicting(rules, groups, titles)] or [""]
        if most:
            raise ValueError(
                f"rules {', '.join(most)} and {last} contradict each other: by the titles of their groups no page can "
                "keep them together"
            )

    def require_kinds(self, kinds: Sequence[str]) -> None:
        """Raises ValueError where rows of a kind are to come first that pages have none of."""
        for rule in self.rules:
            if isinstance(rule, First) and rule.kind not in kinds:
                raise ValueError(
                    f"rule {rule.name!r} puts rows of {rule.kind!r} first; {hint(rule.kind, kinds, 'pages have')}"
                )

    def _against(self, one: Rule, other: Rule) -> Iterator[str]:
        match one, other:
            case First(), First() if one.kind == other.kind:
                yield f"rows of {one.kind} cannot come first twice"
            case Pin(), Pin() if (one.row, one.position) == (other.row, other.position):
                yield f"one place, row {one.row} and position {one.position}, for two titles"
            case Pin(), Pin() if one.title == other.title:
                yield f"title {one.title!r} cannot stand at two places"
            case Pin(), Block() if one.title in self.groups.get(other.group, ()):
                yield f"title {one.title!r} is to be shown, and no title of {other.group} may be"
            case Share(), Block() if one.group == other.group and one.share > 0:
                yield f"no title of {one.group} may be shown, and {one.share:.0%} are to be"
            case Share(), Cap() if one.group == other.group and other.share < one.share:
                yield f"at most {other.share:.0%} may be of {one.group}, and at least {one.share:.0%} are to be"
            case Share(), Cap() if self._lies_in(one, other) and other.share < one.share:
                yield (
                    f"at most {other.share:.0%} may be of {other.group}, in which {one.group} lies, and at least "
                    f"{one.share:.0%} are to be of that"
                )
            case Share(), Block() if self._lies_in(one, other) and one.share > 0:
                yield (
                    f"no title of {other.group} may be shown, in which {one.group} lies, and {one.share:.0%} are to be "
                    "of that"
                )
            case Share(), Share() if self._are_apart(one, other) and one.share + other.share > 1:
                yield f"{one.group} and {other.group} are to have more than all tiles"

    def _lies_in(self, one: Share, other: Cap | Block) -> bool:
        """Whether all titles of a group are known to be of another one."""
        if one.group == other.group:
            return False
        mine, theirs = self.groups.get(one.group), self.groups.get(other.group)
        return bool(mine) and theirs is not None and set(mine or ()) <= set(theirs)

    def _are_apart(self, one: Share, other: Share) -> bool:
        """Whether two groups are known to share no title."""
        mine, theirs = self.groups.get(one.group), self.groups.get(other.group)
        return mine is not None and theirs is not None and not set(mine) & set(theirs)


@dataclass(frozen=True)
class Quotas:
    """Caps and shares, of groups that say of each title whether it is in."""

    rules: Sequence[Cap | Share]
    groups: Mapping[str, Matrix]

    @classmethod
    def of(cls, rules: Sequence[Rule], groups: Mapping[str, Matrix]) -> Quotas:
        return cls([rule for rule in rules if isinstance(rule, Cap | Share)], groups)

    def wanted(self) -> list[tuple[Matrix, float]]:
        """Which titles each rule wants, and of which share of the tiles at least: a cap wants all others."""
        return [
            (~self.groups[rule.group], 1 - rule.share)
            if isinstance(rule, Cap)
            else (self.groups[rule.group], rule.share)
            for rule in self.rules
        ]


@dataclass(frozen=True)
class Stock:
    """What may take the places of a page's tiles: `titles` that may be shown and stand nowhere on it, the best first;
    `fits` says of a tile's row which of all titles belong there, `stays` of each tile whether it keeps its title.
    """

    titles: Matrix
    fits: Callable[[int], Matrix]
    stays: Matrix


def settled(
    titles: Matrix, worth: Matrix, worth_of: Matrix, quotas: Quotas, stock: Stock
) -> tuple[Matrix, Matrix, tuple[str, ...]]:
    """The titles of a page's tiles once its quotas hold, which tiles stay, and the names of shares that cannot hold.

    `titles` and `worth` are of its tiles, `worth_of` of all titles.
    """
    after = exchanged(titles, worth, quotas, stock)
    now = np.where(after != titles, worth_of[after], worth)
    unmet = [
        rule
        for rule in quotas.rules
        if isinstance(rule, Share)
        and rule.share * len(titles) > ROUNDING
        and not quotas.groups[rule.group][after].any()
    ]
    binding = [rule for rule in quotas.rules if rule not in unmet]
    stays = obeyed(after, now, binding, quotas.groups)
    missed = [rule for rule in binding if isinstance(rule, Share)]
    if missed and not stays.any():
        # Caps and shares can leave nothing together: what is too much is worse than what is missing.
        unmet += missed
        caps = Quotas([rule for rule in binding if isinstance(rule, Cap)], quotas.groups)
        after, stays, _ = settled(titles, worth, worth_of, caps, stock)
    return after, stays, tuple(rule.name for rule in unmet)


def exchanged(titles: Matrix, worth: Matrix, quotas: Quotas, stock: Stock) -> Matrix:
    """The titles of a page's tiles after those that are worth least have given place to what rules want more of.

    No exchange breaks a rule that holds, or makes worse one that does not.
    """
    found, wanted, count = titles.copy(), quotas.wanted(), len(titles)
    order = np.argsort(worth, kind="stable")
    free = np.ones(len(stock.titles), bool)
    own = np.array([int(mask[titles].sum()) for mask, _ in wanted])
    least = np.array([share * count - ROUNDING for _, share in wanted])
    for in_row in (True, False):
        for number, (mask, _) in enumerate(wanted):
            for tile in order:
                if own[number] >= least[number]:
                    break
                if stock.stays[tile] or mask[found[tile]]:
                    continue
                fits = free & mask[stock.titles]
                if in_row:
                    fits &= stock.fits(int(tile))[stock.titles]
                for other, (theirs, _) in enumerate(wanted):
                    if theirs[found[tile]] and own[other] - 1 < least[other]:
                        fits &= theirs[stock.titles]
                if not fits.any():
                    continue
                place = int(np.argmax(fits))
                new = stock.titles[place]
                own += [int(mask[new]) - int(mask[found[tile]]) for mask, _ in wanted]
                found[tile], free[place] = new, False
    return found


def obeyed(
    titles: Matrix, worth: Matrix, rules: Sequence[Rule], groups: Mapping[str, Matrix]
) -> Matrix:
    """Which tiles of a page stay; `titles` and `worth` are of its tiles, `groups` say of each title whether it is in.

    What goes first is worth least. With caps and shares together tiles go until all hold.
    """
    stays = np.ones(len(titles), bool)
    order = np.argsort(worth, kind="stable")
    while True:
        goes = None
        for rule in rules:
            if not isinstance(rule, Cap | Share):
                continue
            of_group = groups[rule.group][titles]
            own, all_ = int((stays & of_group).sum()), int(stays.sum())
            if isinstance(rule, Cap) and own > rule.share * all_ + ROUNDING:
                goes = of_group
            elif isinstance(rule, Share) and own < rule.share * all_ - ROUNDING:
                goes = ~of_group
            if goes is not None:
                break
        if goes is None:
            return stays
        least = order[(stays & goes)[order]][0]
        stays[least] = False
