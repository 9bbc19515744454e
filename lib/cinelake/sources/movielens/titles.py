"""Titles of a MovieLens folder, with their links to other catalogues; tens of thousands, read line by line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cinelake.sources.importer import Folder
from cinelake.sources.movielens.layouts import ML_100K, BadMovieLensFile, Layout
from cinelake.sources.movielens.lines import (
    Malformed,
    Reject,
    blocks,
    fields_around,
    fields_of,
    nothing_readable,
    single_lines,
    text_of,
    whole_number,
)
from cinelake.sources.movielens.rows import LAST_ID, Ints

NO_GENRES = frozenset({"", "unknown", "(no genres listed)"})
# A last line that was cut off may still have all its fields; then its last genre is none of these.
GENRES = NO_GENRES | {
    *(
        "Action",
        "Adventure",
        "Animation",
        "Children",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
    ),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "IMAX", "Musical", "Mystery", "Romance", "Sci-Fi"),
    *("Thriller", "War", "Western"),
}
TITLE_WITH_YEAR = re.compile(r"(?P<name>.*\S)\s*\((?P<year>[0-9]{4})(?:[-–][0-9]{0,4})?\)")
RELEASED = re.compile(r"[0-9]{2}-[A-Z][a-z]{2}-(?P<year>[0-9]{4})")


@dataclass(frozen=True)
class Title:
    """A movie."""

    movie: int
    name: str
    year: int | None
    genres: list[str]
    imdb: str | None = None
    tmdb: str | None = None


@dataclass(frozen=True)
class Titles:
    """What could be read of the movies file, and what could not."""

    good: list[Title]
    rejects: list[Reject]

    @property
    def known(self) -> Ints:
        return np.array(sorted(title.movie for title in self.good), dtype=np.int64)


def read_titles(folder: Folder, layout: Layout, *, with_links: bool) -> Titles:
    """All titles; raises BadMovieLensFile when there is none, or when the encoding is not the layout's."""
    _check_encoding(folder, layout)
    named = _genre_names(folder) if layout is ML_100K else []
    titles: dict[int, Title] = {}
    rejects: list[Reject] = []
    for block, index, line, cut_off in single_lines(folder, layout, layout.movies):
        reasons: list[str] = []
        title = _title(layout, line, named, reasons, cut_off=cut_off)
        if title is not None and title.movie in titles:
            reasons.append("duplicate")
        if title is None or reasons:
            rejects.append(
                Reject(block.file, block.first + index, tuple(reasons), text_of(line, layout))
            )
        else:
            titles[title.movie] = title
    if not titles:
        first = rejects[0] if rejects else None
        raise BadMovieLensFile(nothing_readable(folder, layout.movies, first))
    if with_links:
        _link(folder, layout, titles, rejects)
    return Titles(list(titles.values()), rejects)


def _check_encoding(folder: Folder, layout: Layout) -> None:
    """One odd line is rejected by itself; when all are odd, the file was saved in another encoding."""
    readable = unreadable = 0
    for block in blocks(folder, layout.movies, header=layout.headers):
        if block.data.isascii():
            continue
        for line in block.lines:
            if not line.isascii():
                try:
                    line.decode("utf-8")
                    readable += 1
                except UnicodeDecodeError:
                    unreadable += 1
    file = f"{folder.name}/{layout.movies}"
    if layout.encoding == "utf-8" and unreadable >= 2 and not readable:
        raise BadMovieLensFile(
            f"{file} is not UTF-8, as {layout.sets} are; take the file as published, or convert it back: "
            f"iconv -f latin1 -t utf-8"
        )
    if layout.encoding == "latin-1" and readable >= 2 and not unreadable:
        raise BadMovieLensFile(
            f"{file} is UTF-8, where {layout.sets} is Latin-1; take the file as published, or convert it back: "
            f"iconv -f utf-8 -t latin1"
        )


def _genre_names(folder: Folder) -> list[str]:
    names: dict[int, str] = {}
    for block, index, line, _ in single_lines(folder, ML_100K, "u.genre"):
        name, _, number = line.decode("latin-1").partition("|")
        if not (number.isascii() and number.isdigit()):
            raise BadMovieLensFile(
                f"{folder.name}/u.genre, line {block.first + index}: not of the form name|number; "
                f"take the file as published"
            )
        names[int(number)] = name
    if sorted(names) != list(range(len(names))) or not names:
        raise BadMovieLensFile(
            f"{folder.name}/u.genre does not number its genres from 0; take the file as published"
        )
    return [names[number] for number in range(len(names))]


def _title(
    layout: Layout, line: bytes, named: Sequence[str], reasons: list[str], *, cut_off: bool
) -> Title | None:
    """The title that the line tells of; None, with the reasons added, when it tells of none."""
    try:
        if layout is ML_100K:
            fields = _flagged_fields(layout, line, named, cut_off=cut_off)
        else:
            fields = _listed_fields(layout, line, cut_off=cut_off)
    except Malformed as malformed:
        reasons.append(str(malformed))
        return None
    movie = whole_number("movieId", fields.number, reasons)
    text = fields.title.strip()
    if movie > LAST_ID:
        reasons.append("number_out_of_range: movieId")
    if not text:
        reasons.append("empty_field: title")
    if reasons:
        return None
    dated = TITLE_WITH_YEAR.fullmatch(text)
    year = dated or RELEASED.fullmatch(fields.released)
    return Title(
        movie,
        name=dated["name"] if dated else text,
        year=_plausible_year(year["year"]) if year else None,
        genres=[genre for genre in dict.fromkeys(fields.genres) if genre not in NO_GENRES],
    )


@dataclass(frozen=True)
class _Fields:
    number: str
    title: str
    genres: list[str]
    released: str = ""


def _listed_fields(layout: Layout, line: bytes, *, cut_off: bool) -> _Fields:
    """id, title, genres with bars between them."""
    if layout.separator == ",":
        number, title, listed = fields_of(layout, line, 3, cut_off=cut_off)
    else:
        # A title may hold the separator; id and genres cannot.
        number, rest = fields_around(layout, line, 1, cut_off=cut_off)
        title, _, listed = rest.rpartition(layout.separator)
    genres = listed.split("|")
    if cut_off and genres[-1] not in GENRES:
        raise Malformed("truncated_line: the last genre is cut off")
    return _Fields(number, title, genres)


def _flagged_fields(layout: Layout, line: bytes, named: Sequence[str], *, cut_off: bool) -> _Fields:
    """id, title, three more, and a flag for each genre."""
    barred = replace(layout, separator="|")
    number, title, released, _, _, *flags = fields_of(barred, line, 5 + len(named), cut_off=cut_off)
    if set(flags) - {"0", "1"}:
        raise Malformed("malformed_line: a genre flag is neither 0 nor 1")
    genres = [name for name, flag in zip(named, flags, strict=True) if flag == "1"]
    return _Fields(number, title, genres, released)


def _plausible_year(text: str) -> int | None:
    return int(text) if 1870 <= int(text) <= 2100 else None


def _link(folder: Folder, layout: Layout, titles: dict[int, Title], rejects: list[Reject]) -> None:
    """Add the ids of links.csv to the titles."""
    linked: set[int] = set()
    for block, index, line, cut_off in single_lines(folder, layout, "links.csv"):
        reasons: list[str] = []
        try:
            number, imdb, tmdb = fields_of(layout, line, 3, cut_off=cut_off)
        except Malformed as malformed:
            reasons.append(str(malformed))
        else:
            movie = whole_number("movieId", number, reasons)
            for name, text in (("imdbId", imdb), ("tmdbId", tmdb)):
                if text:
                    whole_number(name, text, reasons)
            if not reasons and movie not in titles:
                reasons.append("unknown_title")
            if not reasons and movie in linked:
                reasons.append("duplicate")
            if not reasons:
                linked.add(movie)
                # IMDb writes its numbers with at least seven digits.
                imdb_id = f"tt{imdb.strip().zfill(7)}" if imdb else None
                titles[movie] = replace(titles[movie], imdb=imdb_id, tmdb=tmdb.strip() or None)
        if reasons:
            rejects.append(
                Reject(block.file, block.first + index, tuple(reasons), text_of(line, layout))
            )
