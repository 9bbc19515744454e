"""Small MovieLens folders in each layout, as dictionaries of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

CSV = {
    "movies.csv": b"movieId,title,genres\n"
    b"1,Toy Story (1995),Adventure|Animation\n"
    b'2,"American President, The (1995)",Comedy|Drama|Romance\n'
    b'3,"City of Lost Children, The (Cit\xc3\xa9 des enfants perdus, La) (1995)",Fantasy\n'
    b'4,"He said ""no""",(no genres listed)\n',
    "ratings.csv": b"userId,movieId,rating,timestamp\n"
    b"1,1,4.0,964982703\n"
    b"1,2,0.5,964982931\n"
    b"7,3,5.0,1147880044\n",
    "tags.csv": b"userId,movieId,tag,timestamp\n"
    b"1,1,pixar,1000000000\n"
    b'7,1,"fun, ""really""",1000000001\n'
    b"7,3,r\xc3\xaaverie,1000000002\n",
    "links.csv": b"movieId,imdbId,tmdbId\n1,0114709,862\n2,0112346,\n",
}
ML_10M = {
    "movies.dat": "1::Toy Story (1995)::Adventure|Animation\n"
    "2::Face::Off: Caché (1997)::Action\n".encode(),
    "ratings.dat": b"1::1::4.5::964982703\n2::2::0.5::1147880044\n",
    "tags.dat": b"1::1::a::b::1000000000\n",
}
ML_1M = {
    "movies.dat": "1::Toy Story (1995)::Animation|Children's\n2::Misérables, Les (1995)::Drama\n".encode(
        "latin-1"
    ),
    "ratings.dat": b"1::1::5::978300760\n1::2::3::978302109\n",
    "users.dat": b"1::F::1::10::48067\n",
}
ML_100K = {
    "u.data": b"196\t1\t3\t881250949\n186\t2\t1\t891717742\n",
    "u.item": "1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M/1|0|1|1\n"
    "2|Télé|08-Mar-1996||http://us.imdb.com/M/2|1|0|0\n".encode("latin-1"),
    "u.genre": b"unknown|0\nAnimation|1\nComedy|2\n\n",
}
LAYOUTS = {"csv": CSV, "ml-10m": ML_10M, "ml-1m": ML_1M, "ml-100k": ML_100K}


@dataclass(frozen=True)
class FolderOfBytes:
    """A folder in memory; `block` is how many bytes come at once, at least."""

    content: Mapping[str, bytes]
    inner: Mapping[str, frozenset[str]] = field(default_factory=dict)
    block: int = 1 << 20

    @property
    def name(self) -> str:
        return "data/ml"

    def files(self) -> dict[str, int]:
        return {name: len(content) for name, content in self.content.items()}

    def subfolders(self) -> Mapping[str, frozenset[str]]:
        return self.inner

    def blocks(self, file: str) -> Iterator[bytes]:
        rest = b""
        for line in self.content[file].splitlines(keepends=True):
            rest += line
            if len(rest) >= self.block:
                yield rest
                rest = b""
        if rest:
            yield rest
