"""What the catalogue says of titles, as terms: `genre drama`, `cast A. Name`, `synopsis island`.

Grain: one row a title and term. A term begins with its facet. Episodes are parts of their series, and no titles of
their own. Names stand as the catalogue writes them; of the synopsis each longer word is a term, in lower case.
"""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.titles import words

# Facets with several values, by the column of the catalogue; and those with one.
SEVERAL = {
    "genre": "genres",
    "mood": "moods",
    "theme": "themes",
    "director": "directors",
    "cast": "cast",
}
ONE = {"language": "language", "pace": "pace", "maturity": "maturity"}
SYNOPSIS = "synopsis"
FACETS = (*SEVERAL, *ONE, SYNOPSIS)
# What is read of a title.
SAID = ("kind", *SEVERAL.values(), *ONE.values(), SYNOPSIS, "release_date")
# Letters of any script; shorter words say little.
_NO_LETTERS, _SHORTEST = r"[^\p{L}]+", 4


def terms(titles: DataFrame, facets: Collection[str]) -> DataFrame:
    """`title_id, term` of these facets, each pair once, of titles with the columns `SAID`."""
    found = [
        _named(facet, words(F.col(many))) for facet, many in SEVERAL.items() if facet in facets
    ]
    found += [
        _named(facet, words(F.array(F.col(one)))) for facet, one in ONE.items() if facet in facets
    ]
    if SYNOPSIS in facets:
        of_text = F.split(F.lower(F.coalesce(SYNOPSIS, F.lit(""))), _NO_LETTERS)
        found.append(_named(SYNOPSIS, F.filter(of_text, lambda word: F.length(word) >= _SHORTEST)))
    told = F.array_distinct(F.concat(F.array().cast("array<string>"), *found))
    return whole(titles).select("title_id", F.explode(told).alias("term"))


def whole(titles: DataFrame) -> DataFrame:
    """Those that are no part of another; where the catalogue does not say, a title is a film."""
    return titles.where(F.coalesce("kind", F.lit("film")) != "episode")


def facet(term: Column) -> Column:
    """The facet that a term begins with."""
    return F.substring_index(term, " ", 1)


def _named(facet: str, values: Column) -> Column:
    return F.transform(values, lambda value: F.concat(F.lit(f"{facet} "), value))
