"""What the service's editors decide about pages, whatever anybody likes: brand rules.

- *block*: titles stand on no page.
- *pin*: a title stands at a place, on the pages of all profiles that it may be shown to and that have such a place.
- *first*: the best row of a kind comes before all others; several such come in their order.
- *cap*: of the tiles of a page at most a share is of a group.
- *share*: of the tiles of a page at least a share is of a group.

A group is `original`, what the service made itself, or a list of titles that the settings name. A page that has too
much of a group loses the tiles of it that are worth least; where other titles are too many, it loses those. So rules
hold exactly, on a page that may be shorter. Of rules that contradict each other both are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cinelake.recommend.scoring import Matrix
from cinelake.spelling import hint

ORIGINAL = "original"


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
        return self

    def members(self, ids: Sequence[str], is_original: Matrix) -> dict[str, Matrix]:
        """By group, which of the titles are in it."""
        named = {name: np.isin(ids, list(own)) for name, own in self.groups.items()}
        return {ORIGINAL: is_original} | named

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
            case Share(), Share() if self._are_apart(one, other) and one.share + other.share > 1:
                yield f"{one.group} and {other.group} are to have more than all tiles"

    def _are_apart(self, one: Share, other: Share) -> bool:
        """Whether two groups are known to share no title."""
        mine, theirs = self.groups.get(one.group), self.groups.get(other.group)
        return mine is not None and theirs is not None and not set(mine) & set(theirs)


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
            # Shares of whole tiles: what is equal up to rounding is equal.
            if isinstance(rule, Cap) and own > rule.share * all_ + 1e-9:
                goes = of_group
            elif isinstance(rule, Share) and own < rule.share * all_ - 1e-9:
                goes = ~of_group
            if goes is not None:
                break
        if goes is None:
            return stays
        least = order[(stays & goes)[order]][0]
        stays[least] = False
