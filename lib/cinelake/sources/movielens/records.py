"""Landing records of what was read from a MovieLens folder."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cinelake.sources.importer import Lines
from cinelake.sources.movielens.layouts import Layout
from cinelake.sources.movielens.lines import Reject
from cinelake.sources.movielens.rows import Ints, Rows, rejects_of
from cinelake.sources.movielens.survey import SECONDS_A_DAY, Times
from cinelake.sources.movielens.titles import Title, Titles
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.tags import TAGS_SOURCE
from cinelake.sources.titles import TITLES_SOURCE


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def title_lines(titles: Titles, times: Times) -> Lines:
    """All of the source titles."""
    records = [_title_record(title, times) for title in titles.good]
    return _with_rejects(
        TITLES_SOURCE.name, "".join(records).encode(), len(records), titles.rejects, times
    )


def _title_record(title: Title, times: Times) -> str:
    content = {
        "title_id": str(title.movie),
        "name": title.name,
        "release_year": title.year,
        "genres": title.genres,
        "imdb_id": title.imdb,
        "tmdb_id": title.tmdb,
    }
    said = {name: value for name, value in content.items() if value is not None}
    # A title that a later release describes otherwise is another event.
    print_ = zlib.crc32(json.dumps(said).encode())
    envelope = {
        "event_id": f"ml-{title.movie}-{times.first_day:%Y%m%d}-{print_:08x}",
        "schema_version": TITLES_SOURCE.schema_version,
        "event_time": _iso(times.first_day),
        "received_at": _iso(times.received_at),
    }
    return json.dumps(envelope | said, ensure_ascii=False) + "\n"


def rating_lines(rows: Rows, layout: Layout, times: Times) -> Lines:
    """One piece of the source ratings."""
    good = rows.good
    user, movie, time, stars = rows.user, rows.movie, rows.time, rows.stars
    if not good.all():
        user, movie, time, stars = user[good], movie[good], time[good], stars[good]
    written = pa.array([str(half / 2) for half in range(11)])
    data = _joined(
        user,
        movie,
        time,
        times,
        middle='","rating":',
        value=written.take(pa.array((stars * 2).astype(np.int8))),
        end="}\n",
    )
    return _with_rejects(
        RATINGS_SOURCE.name, data, len(user), list(rejects_of(rows, layout)), times
    )


def tag_lines(rows: Rows, layout: Layout, times: Times) -> Lines:
    """One piece of the source tags."""
    assert rows.text is not None
    kept = np.flatnonzero(rows.good)
    texts = [rows.text[index] for index in kept.tolist()]
    data = _joined(
        rows.user[kept],
        rows.movie[kept],
        rows.time[kept],
        times,
        suffix=pa.array([f"-{zlib.crc32(text):08x}" for text in texts], pa.string()),
        middle='","tag":"',
        value=pa.array(texts, pa.binary()).cast(pa.string()),
        end='"}\n',
    )
    return _with_rejects(TAGS_SOURCE.name, data, len(kept), list(rejects_of(rows, layout)), times)


def _joined(
    user: Ints,
    movie: Ints,
    time: Ints,
    times: Times,
    *,
    middle: str,
    value: pa.Array,
    end: str,
    suffix: pa.Array | str = "",
) -> bytes | memoryview:
    """JSON lines, put together as columns of strings: the joined column's buffer is the file."""
    if not len(user):
        return b""
    users, movies, stamps = (pc.cast(pa.array(c), pa.string()) for c in (user, movie, time))
    lines = pc.binary_join_element_wise(
        '{"event_id":"ml-',
        users,
        "-",
        movies,
        "-",
        stamps,
        suffix,
        '","schema_version":1,"event_time":"',
        _iso_column(time),
        f'","received_at":"{_iso(times.received_at)}","profile_id":"',
        users,
        '","title_id":"',
        movies,
        middle,
        value,
        end,
        "",
    )
    _, _, data = lines.buffers()
    return memoryview(data)


_DIGITS_OF_DAY = np.array(
    [f"{h:02}:{m:02}:{s:02}".encode() for h in range(24) for m in range(60) for s in range(60)]
)


def _iso_column(time: Ints) -> pa.Array:
    """Seconds since 1970 as `2009-02-28T06:29:53Z`, by table: ten times as fast as Arrow's own cast."""
    day, second = np.divmod(time, SECONDS_A_DAY)
    first, last = int(day.min()), int(day.max())
    days = np.arange(first, last + 1).astype("datetime64[D]").astype("S10")
    text = np.empty((len(time), 20), np.uint8)
    text[:, :10] = days.view(np.uint8).reshape(-1, 10)[day - first]
    text[:, 10] = ord("T")
    text[:, 11:19] = _DIGITS_OF_DAY.view(np.uint8).reshape(-1, 8)[second]
    text[:, 19] = ord("Z")
    offsets = np.arange(0, 20 * len(time) + 1, 20, dtype=np.int32)
    return pa.StringArray.from_buffers(len(time), pa.py_buffer(offsets), pa.py_buffer(text))


def _with_rejects(
    source: str, data: bytes | memoryview, good: int, rejects: list[Reject], times: Times
) -> Lines:
    if rejects:
        records = "".join(_rejected_record(reject, times) for reject in rejects)
        data = bytes(data) + records.encode()
    reasons = Counter(reason.partition(":")[0] for r in rejects for reason in r.reasons)
    return Lines(source, times.received_at, data, good, len(rejects), reasons)


def _rejected_record(reject: Reject, times: Times) -> str:
    record = {
        "event_id": f"ml-{reject.file}-{reject.line}",
        "schema_version": 1,
        "received_at": _iso(times.received_at),
        "rejected": {
            "reasons": list(reject.reasons),
            "file": reject.file,
            "line": reject.line,
            "text": reject.text,
        },
    }
    return json.dumps(record, ensure_ascii=False) + "\n"
