"""Whether brand rules can be kept together, by which titles are in which groups.

To rules a page is what shares its tiles have of kinds of title, where titles that are in the same groups are of one
kind; and what rules ask for are linear inequalities of these shares. Whether anything meets them all, a linear program
says. Where nothing does, rules are left out one by one as long as nothing does without them; what remains contradicts
each other, and would not without any one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

from cinelake.recommend.scoring import Matrix

if TYPE_CHECKING:
    from cinelake.recommend.home.rules import Rule

# What a pinned title has of a page: more than nothing.
LEAST = 1e-6


def contradicting(
    rules: Sequence[Rule], groups: Mapping[str, Matrix], titles: Sequence[str]
) -> list[Rule]:
    """Rules that cannot be kept together; none where all can.

    `groups` say of each of the titles whether it is in. A share of a group that has no title is none of them: a page
    is made without it. Neither is a pin of a title that is not there, nor a rule that nothing could meet alone.
    """
    there = set(titles)

    def says_something(rule: Rule) -> bool:
        if rule.rule == "first":
            return False
        if rule.rule == "pin":
            return rule.title in there
        return rule.rule != "share" or bool(groups[rule.group].any())

    binding = [rule for rule in rules if says_something(rule)]
    binding = [rule for rule in binding if _can_be_kept([rule], groups, titles)]
    if _can_be_kept(binding, groups, titles):
        return []
    for rule in list(binding):
        others = [other for other in binding if other is not rule]
        if not _can_be_kept(others, groups, titles):
            binding = others
    return binding


def _can_be_kept(
    rules: Sequence[Rule], groups: Mapping[str, Matrix], titles: Sequence[str]
) -> bool:
    if not rules:
        return True
    pinned = sorted({rule.title for rule in rules if rule.rule == "pin"})
    marks = [np.asarray(groups[name], bool) for name in groups]
    marks += [np.isin(titles, [title]) for title in pinned]
    kinds = np.unique(np.stack([*marks, np.ones(len(titles), bool)], axis=1), axis=0)
    of_group = {name: kinds[:, at] for at, name in enumerate(groups)}
    of_pin = {title: kinds[:, len(groups) + at] for at, title in enumerate(pinned)}
    least, most = np.zeros(len(kinds)), np.ones(len(kinds))
    bounds: list[tuple[Matrix, float]] = []
    for rule in rules:
        if rule.rule == "block":
            most[of_group[rule.group]] = 0.0
        elif rule.rule == "pin":
            least[of_pin[rule.title]] = LEAST
        elif rule.rule == "cap":
            bounds.append((of_group[rule.group].astype(float), rule.share))
        elif rule.rule == "share":
            bounds.append((-of_group[rule.group].astype(float), -rule.share))
    if (least > most).any():
        return False
    found = linprog(
        np.zeros(len(kinds)),
        A_ub=np.stack([of for of, _ in bounds]) if bounds else None,
        b_ub=[share for _, share in bounds] or None,
        A_eq=np.ones((1, len(kinds))),
        b_eq=[1.0],
        bounds=np.stack([least, most], axis=1),
    )
    return bool(found.status == 0)
