"""MovieLens folders become landing records of the sources titles, ratings and tags.

Source: the data sets of GroupLens (Harper, Konstan: The MovieLens Datasets: History and Context, ACM TiiS 5,
2015), in the four layouts that they were published in: csv with a header (ml-latest-small, ml-latest, ml-20m,
ml-25m, ml-32m; UTF-8), `::` with half stars (ml-10m; UTF-8), `::` (ml-1m; Latin-1) and tabs (ml-100k;
Latin-1). People's age, sex and address in the two old layouts are not read.

Grain: a record each line of the ratings, tags and movies files. A line of links.csv becomes part of its
title's record, so it is a record of its own only when it is rejected.

Method: ratings and tags are read twice, in blocks: first for the newest and the oldest time and for repeated
keys, with eight bytes of memory a row, then to be written. Of two rows with one key (user and movie; for tags
also the words) the first counts.

There is no clock: a record is taken to be received at the midnight (UTC) after the newest time in the folder,
so that the last day is complete. Titles carry no time; they are dated at the start of the day of the oldest
rating or tag, so that each title is known when it is rated.

Event ids are made from what a line says (`ml-<user>-<movie>-<time>`), so the same rating in a later release
of a set is known to be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cinelake.sources.importer import Folder, Lines, Recognised
from cinelake.sources.movielens.layouts import (
    BadMovieLensFile,
    NotMovieLens,
    layout_of,
    recognised_layout,
)
from cinelake.sources.movielens.lines import nothing_readable
from cinelake.sources.movielens.records import rating_lines, tag_lines, title_lines
from cinelake.sources.movielens.rows import rating_rows, tag_rows
from cinelake.sources.movielens.survey import Survey
from cinelake.sources.movielens.titles import read_titles

__all__ = ["IMPORTER", "BadMovieLensFile", "MovieLens", "NotMovieLens"]


@dataclass(frozen=True)
class MovieLens:
    """Land the titles, ratings and tags of a MovieLens folder, in any of its published layouts."""

    name: str = "movielens"
    version: int = 1

    def recognise(self, folder: Folder) -> Recognised:
        """The layout of `folder`, by its file names; raises NotMovieLens."""
        return recognised_layout(folder)

    def lines(self, folder: Folder, recognised: Recognised) -> Iterator[Lines]:
        """Records of titles, then ratings, then tags; raises BadMovieLensFile before the first."""
        layout = layout_of(recognised)
        has_tags = layout.tags in recognised.files
        titles = read_titles(folder, layout, with_links="links.csv" in recognised.files)
        known = titles.known
        survey = Survey()
        for rows in rating_rows(folder, layout, known):
            survey.add(rows)
        if not survey.good:
            raise BadMovieLensFile(nothing_readable(folder, layout.ratings, survey.first_reject))
        ratings_once = survey.once()
        if has_tags:
            for rows in tag_rows(folder, layout, known):
                survey.add(rows)
        tags_once = survey.once()
        times = survey.times()
        yield title_lines(titles, times)
        for rows in rating_rows(folder, layout, known):
            yield rating_lines(ratings_once.marked(rows), layout, times)
        if has_tags:
            for rows in tag_rows(folder, layout, known):
                yield tag_lines(tags_once.marked(rows), layout, times)


IMPORTER = MovieLens()
