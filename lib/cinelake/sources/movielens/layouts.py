"""The layouts that MovieLens folders come in, and which of them a folder is in."""

from __future__ import annotations

from dataclasses import dataclass

from cinelake.sources.importer import Folder, ImportFailed, Recognised


class NotMovieLens(ImportFailed):
    """The folder is no MovieLens folder; the message says what each layout that comes near lacks."""


class BadMovieLensFile(ImportFailed):
    """A file as a whole cannot be read; the message names it and what to do."""


@dataclass(frozen=True)
class Layout:
    """How one generation of the data sets looks on disk."""

    name: str
    sets: str
    ratings: str
    movies: str
    others: tuple[str, ...]
    optional: tuple[str, ...]
    encoding: str
    separator: str
    lowest: float
    step: float
    headers: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        return (self.ratings, self.movies, *self.others)

    @property
    def tags(self) -> str | None:
        names = [name for name in (*self.others, *self.optional) if name.startswith("tags")]
        return names[0] if names else None


CSV = Layout(
    name="csv",
    sets="ml-latest-small, ml-latest, ml-20m, ml-25m, ml-32m",
    ratings="ratings.csv",
    movies="movies.csv",
    others=(),
    optional=("tags.csv", "links.csv"),
    encoding="utf-8",
    separator=",",
    lowest=0.5,
    step=0.5,
    headers=True,
)
ML_10M = Layout(
    name="ml-10m",
    sets="ml-10m",
    ratings="ratings.dat",
    movies="movies.dat",
    others=("tags.dat",),
    optional=(),
    encoding="utf-8",
    separator="::",
    lowest=0.5,
    step=0.5,
)
ML_1M = Layout(
    name="ml-1m",
    sets="ml-1m",
    ratings="ratings.dat",
    movies="movies.dat",
    others=("users.dat",),
    optional=(),
    encoding="latin-1",
    separator="::",
    lowest=1,
    step=1,
)
ML_100K = Layout(
    name="ml-100k",
    sets="ml-100k",
    ratings="u.data",
    movies="u.item",
    others=("u.genre",),
    optional=(),
    encoding="latin-1",
    separator="\t",
    lowest=1,
    step=1,
)
LAYOUTS = (CSV, ML_10M, ML_1M, ML_100K)
HEADERS = {
    "ratings.csv": "userId,movieId,rating,timestamp",
    "movies.csv": "movieId,title,genres",
    "tags.csv": "userId,movieId,tag,timestamp",
    "links.csv": "movieId,imdbId,tmdbId",
}


def recognised_layout(folder: Folder) -> Recognised:
    """The layout of `folder`, by its file names; raises NotMovieLens."""
    present = folder.files()
    for layout in LAYOUTS:
        if all(name in present for name in layout.required):
            # Who rated is known by id only; the file merely tells ml-1m from ml-10m.
            wanted = [n for n in (*layout.required, *layout.optional) if n != "users.dat"]
            missing = tuple(
                f"there is no {name}, which {layout.sets} have"
                for name in layout.optional
                if name not in present
            )
            used = tuple(name for name in wanted if name in present)
            return Recognised(layout.name, used, missing)
    raise NotMovieLens(_what_is_missing(folder))


def layout_of(recognised: Recognised) -> Layout:
    """The layout by its name."""
    [layout] = [known for known in LAYOUTS if known.name == recognised.layout]
    return layout


def _what_is_missing(folder: Folder) -> str:
    present = set(folder.files())
    if not present and not folder.subfolders():
        return (
            f"{folder.name} is an empty folder; give the folder that a MovieLens archive unpacks to"
        )
    nearest = max(len(present & set(layout.required)) for layout in LAYOUTS)
    lacks = [
        f"{layout.sets} would need {' and '.join(sorted(set(layout.required) - present))} too"
        if nearest
        else f"{layout.sets} would need {', '.join(layout.required)}"
        for layout in LAYOUTS
        if len(present & set(layout.required)) == nearest
    ]
    inside = [
        name
        for name, files in sorted(folder.subfolders().items())
        if any(set(layout.required) <= files for layout in LAYOUTS)
    ]
    hint = f"; did you mean {folder.name}/{inside[0]}?" if inside else ""
    return f"{folder.name} is no MovieLens folder: " + "; ".join(lacks) + hint
