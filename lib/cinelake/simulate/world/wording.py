"""Invented names: of titles, of people, of places in addresses; and the words of genres, moods and themes."""

from __future__ import annotations

import numpy as np

from cinelake.simulate.randomness import Longs, integers


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GENRES = (
    "Action",
    "Animation",
    "Anime",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Family",
    "Fantasy",
    "Horror",
    "Mystery",
    "Reality",
    "Romance",
    "Science Fiction",
    "Sport",
    "Thriller",
)
# How common each is in the catalogue.
GENRE_WEIGHTS = (9, 5, 5, 12, 8, 8, 13, 6, 5, 5, 4, 5, 7, 5, 2, 8)

MOODS = (
    "dark",
    "feel-good",
    "tense",
    "quirky",
    "emotional",
    "gritty",
    "witty",
    "epic",
    "cosy",
    "eerie",
    "inspiring",
    "bittersweet",
    "cerebral",
    "rousing",
)
THEMES = (
    "revenge",
    "first love",
    "heist",
    "small town",
    "survival",
    "friendship",
    "family secrets",
    "coming of age",
    "time travel",
    "courtroom",
    "war",
    "space",
    "road trip",
    "conspiracy",
    "cooking",
    "royalty",
    "haunted house",
    "underdogs",
    "artificial minds",
    "the sea",
)

_ADJECTIVES = _words(
    "Silent Broken Golden Hidden Crimson Distant Hollow Electric Frozen Gentle Savage Lonely Midnight "
    "Burning Paper Velvet Iron Glass Restless Northern Southern Lucky Borrowed Secret Final Second Wild "
    "Scarlet Faded Infinite Quiet Bitter Sweet Stolen Forgotten Rising Falling Painted Endless Little"
)
_NOUNS = _words(
    "River Harbour Orchard Empire Garden Mirror Station Lantern Winter Summer Witness Promise Kingdom "
    "Shadow Horizon Compass Letter Window Bridge Island Theory Machine Wedding Detective Dragon Forest "
    "Bakery Sisters Brothers Captain Ghost Signal Circus Valley Tide Archive Verdict Heart Stranger "
    "Neighbour Comet Season Crown Highway Doctor Pirate Robot Village Storm Dancer Painter Thief Clock "
    "Mountain Diner Queen Fox Raven Carousel Lighthouse Echo"
)
_PLACES = _words(
    "Lisbon Ashford Kyoto Memphis Bergen Havana Oakwell Trieste Salvador Jaipur Reno Cork"
)

_FIRST = _words(
    "Ada Bruno Clara Davi Elena Farid Greta Hugo Ines Jonas Kiran Lena Mateo Nadia Oskar Priya Quentin "
    "Rosa Sanjay Tove Uma Victor Wanda Xenia Yuki Zoe Amir Bella Carlos Dana Emil Fiona Gita Haruto Iris "
    "Jack Kenji Laura Milo Nora Olga Paul Ravi Sofia Thiago Ulla Vera Will Yara Zack"
)
_LAST = _words(
    "Abbott Berger Castro Dahl Evans Fischer Garcia Hoffman Ivanov Jensen Kapoor Lopes Mori Nakamura "
    "Oliveira Patel Quinn Rossi Schmidt Tanaka Underwood Vogel Weber Xavier Young Zimmer Almeida Brooks "
    "Chandra Dubois Ekberg Foster Gupta Hayes Ito Jones Keller Lindqvist Mendes Novak"
)
_STREETS = _words("Elm Oak Station Church Mill Park Garden Lake Hill Market School River")


def title_names(count: int, seed: int) -> list[str]:
    """Names of titles, no two alike; some share words, as franchises and namesakes do."""
    index = np.arange(count)
    adjective = integers(len(_ADJECTIVES), seed, "name adjective", index)
    noun = integers(len(_NOUNS), seed, "name noun", index)
    other = integers(len(_NOUNS), seed, "name second noun", index)
    place = integers(len(_PLACES), seed, "name place", index)
    form = integers(7, seed, "name form", index)
    names: list[str] = []
    taken: dict[str, int] = {}
    for a, n, o, p, f in zip(adjective, noun, other, place, form, strict=True):
        name = (
            f"The {_ADJECTIVES[a]} {_NOUNS[n]}",
            f"{_ADJECTIVES[a]} {_NOUNS[n]}",
            f"{_NOUNS[n]} of {_PLACES[p]}",
            f"The {_NOUNS[n]} and the {_NOUNS[o]}",
            f"{_NOUNS[n]}s",
            f"{_ADJECTIVES[a]} {_PLACES[p]}",
            f"{_NOUNS[n]} {_NOUNS[o]}",
        )[f]
        taken[name] = taken.get(name, 0) + 1
        # The second of a name is its sequel.
        names.append(name if taken[name] == 1 else f"{name} {taken[name]}")
    return names


def person_name(number: int) -> str:
    """One of 80,000 names."""
    number = int(number) % (len(_FIRST) * len(_LAST) * 40)
    first, rest = _FIRST[number % len(_FIRST)], number // len(_FIRST)
    last, middle = _LAST[rest % len(_LAST)], rest // len(_LAST)
    return f"{first} {last}" if middle == 0 else f"{first} {chr(65 + middle % 26)}. {last}"


def first_names(numbers: Longs) -> list[str]:
    """First names, as profiles are called."""
    return [_FIRST[int(number) % len(_FIRST)] for number in numbers]


def mail_address(name: str, number: int) -> str:
    """A mail address at a domain reserved for examples (RFC 2606)."""
    words = "".join(c if c.isalnum() else "." for c in name.lower()).replace("..", ".")
    return f"{words}{int(number) % 1000}@example.{('com', 'net', 'org')[int(number) % 3]}"


def postal_address(number: int, region: str) -> str:
    """A street and town that do not exist."""
    number = int(number)
    return f"{number % 180 + 1} {_STREETS[number // 180 % len(_STREETS)]} Street, {region}"


def phone_number(number: int) -> str:
    """A number of the block that is kept for fiction (555-0100 to 555-0199)."""
    return f"+1-{200 + int(number) % 700}-555-01{int(number) // 700 % 100:02d}"
