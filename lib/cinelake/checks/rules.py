"""The rules of a contract as one column: which of them a row breaks.

Method: a row breaks a rule when the rule's SQL predicate is FALSE; as in a SQL CHECK constraint, NULL is no breach.
The same predicates become Delta constraints and expectations, so that the three gates agree about every row.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from cinelake.tables.contract import Table


def reasons(table: Table) -> Column:
    """`array<string>`: the names of the rules that a row breaks, in contract order; empty for a good row."""
    none = F.array().cast("array<string>")
    if not table.rules:
        return none
    broken = {name: ~F.expr(f"({predicate})") for name, predicate in table.rules.items()}
    # Nearly all rows are good, and for them one boolean is computed and a constant handed out. Building the
    # array for every row and dropping its nulls costs five times as much (2 M rows, ten rules).
    any_broken = reduce(or_, broken.values())
    named = F.array(*(F.when(is_broken, F.lit(name)) for name, is_broken in broken.items()))
    return F.when(any_broken, F.array_compact(named)).otherwise(none)
