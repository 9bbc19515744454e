"""MovieLens folders of every layout become landing records; what is wrong is said of file and line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.sources.folders import CSV, LAYOUTS, ML_1M, ML_10M, ML_100K, FolderOfBytes

from cinelake.sources.importer import Lines
from cinelake.sources.movielens import IMPORTER, BadMovieLensFile, NotMovieLens
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.tags import TAGS_SOURCE
from cinelake.sources.titles import TITLES_SOURCE

SOURCES = {source.name: source for source in (RATINGS_SOURCE, TITLES_SOURCE, TAGS_SOURCE)}


@dataclass
class Landed:
    """All records of an import, and the counts that came with them."""

    records: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in SOURCES}
    )
    good: int = 0
    rejections: int = 0

    def good_of(self, source: str) -> list[dict[str, Any]]:
        return [record for record in self.records[source] if "rejected" not in record]

    def rejected_of(self, source: str) -> list[tuple[str, int, list[str]]]:
        said = [r["rejected"] for r in self.records[source] if "rejected" in r]
        return sorted((r["file"], r["line"], r["reasons"]) for r in said)


def landed(content: Mapping[str, bytes], block: int = 1 << 20) -> Landed:
    folder = FolderOfBytes(content, block=block)
    result = Landed()
    for lines in IMPORTER.lines(folder, IMPORTER.recognise(folder)):
        found = [json.loads(line) for line in bytes(lines.data).splitlines()]
        assert len(found) == lines.good + lines.rejections
        result.records[lines.source] += found
        result.good += lines.good
        result.rejections += lines.rejections
    return result


def with_ratings(*lines: bytes, end: bytes = b"\n") -> dict[str, bytes]:
    """The csv folder with one good rating, then `lines` from line 3 on."""
    text = b"\n".join([b"userId,movieId,rating,timestamp", b"1,1,4.0,964982703", *lines])
    return CSV | {"ratings.csv": text + end}


def pick(records: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(record.get(name) for name in names) for record in records]


# ---- each layout


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_recognised_and_lands_whole(name: str) -> None:
    folder = FolderOfBytes(LAYOUTS[name])
    assert IMPORTER.recognise(folder).layout == name
    result = landed(LAYOUTS[name])
    assert result.rejections == 0
    assert all(result.records[source] for source in ("titles", "ratings"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_record_obeys_the_schema_of_its_source(name: str) -> None:
    for source, records in landed(LAYOUTS[name]).records.items():
        validator = jsonschema.Draft202012Validator(SOURCES[source].json_schema())
        for record in records:
            validator.validate(record)


def test_csv_titles_have_name_year_genres_and_links() -> None:
    titles = landed(CSV).good_of("titles")
    columns = ("title_id", "name", "release_year", "genres", "imdb_id", "tmdb_id")
    lost = "City of Lost Children, The (Cité des enfants perdus, La)"
    assert pick(titles, *columns) == [
        ("1", "Toy Story", 1995, ["Adventure", "Animation"], "tt0114709", "862"),
        ("2", "American President, The", 1995, ["Comedy", "Drama", "Romance"], "tt0112346", None),
        ("3", lost, 1995, ["Fantasy"], None, None),
        ("4", 'He said "no"', None, [], None, None),
    ]


def test_csv_ratings_and_tags_keep_what_was_said_and_when() -> None:
    result = landed(CSV)
    columns = ("profile_id", "title_id", "event_time", "event_id")
    assert pick(result.good_of("ratings"), "rating", *columns) == [
        (4.0, "1", "1", "2000-07-30T18:45:03Z", "ml-1-1-964982703"),
        (0.5, "1", "2", "2000-07-30T18:48:51Z", "ml-1-2-964982931"),
        (5.0, "7", "3", "2006-05-17T15:34:04Z", "ml-7-3-1147880044"),
    ]
    tags = pick(result.good_of("tags"), "tag", "profile_id", "title_id")
    assert sorted(tags) == [('fun, "really"', "7", "1"), ("pixar", "1", "1"), ("rêverie", "7", "3")]


def test_titles_are_known_from_the_first_day_and_all_is_received_after_the_last() -> None:
    result = landed(CSV)
    assert {record["event_time"] for record in result.good_of("titles")} == {"2000-07-30T00:00:00Z"}
    received = {record["received_at"] for records in result.records.values() for record in records}
    assert received == {"2006-05-18T00:00:00Z"}


def test_the_old_layouts_are_read_in_latin_1() -> None:
    names = [record["name"] for record in landed(ML_1M).good_of("titles")]
    assert names == ["Toy Story", "Misérables, Les"]


def test_a_title_or_tag_may_hold_the_separator_of_its_layout() -> None:
    result = landed(ML_10M)
    assert [record["name"] for record in result.good_of("titles")][1] == "Face::Off: Caché"
    assert [record["tag"] for record in result.good_of("tags")] == ["a::b"]


def test_genre_flags_get_their_names_and_the_release_date_fills_in_for_a_missing_year() -> None:
    titles = landed(ML_100K).good_of("titles")
    assert pick(titles, "name", "release_year", "genres") == [
        ("Toy Story", 1995, ["Animation", "Comedy"]),
        ("Télé", 1996, []),
    ]


def test_line_ends_of_windows_a_byte_order_mark_and_blank_lines_do_no_harm() -> None:
    odd = {name: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") for name, text in CSV.items()}
    odd["ratings.csv"] += b"\r\n\r\n"
    assert landed(odd).records == landed(CSV).records


def test_links_and_tags_may_be_missing_and_it_is_noted() -> None:
    bare = {name: CSV[name] for name in ("movies.csv", "ratings.csv")}
    recognised = IMPORTER.recognise(FolderOfBytes(bare))
    assert ["tags.csv" in note or "links.csv" in note for note in recognised.notes] == [True, True]
    assert landed(bare).rejections == 0


def test_equal_ratings_of_one_user_land() -> None:
    only = with_ratings(b"1,2,4.0,964982703", b"1,3,4.0,964982703")
    assert len(landed(only).good_of("ratings")) == 3


# ---- lines that cannot be taken


WRONG_RATINGS: dict[str, tuple[bytes, list[str]]] = {
    "a field too few": (b"1,2,3.0", ["malformed_line: 3 fields instead of 4"]),
    "a field too many": (b"1,2,3.0,964982703,5", ["malformed_line: 5 fields instead of 4"]),
    "a word": (b"1,2,good,964982703", ["not_a_number: rating"]),
    "a full-width digit": ("1,2,\uff14.0,964982703".encode(), ["not_a_number: rating"]),
    "a full-width id": ("\uff11,2,4.0,964982703".encode(), ["not_a_number: userId"]),
    "bytes of Latin-1": (b"1,2,\xe9,964982703", ["undecodable_bytes: not UTF-8"]),
    "an unclosed quote": (b'1,2,"4.0,964982703', ["unclosed_quote"]),
    "text after a quote": (b'1,2,"4"x,964982703', ["malformed_line: text after a closing quote"]),
    "an empty user": (b",2,4.0,964982703", ["empty_field: userId"]),
    "an empty title": (b"1,,4.0,964982703", ["empty_field: movieId"]),
    "no rating": (b"1,2,,964982703", ["empty_field: rating"]),
    "above the scale": (b"1,2,5.5,964982703", ["rating_off_scale"]),
    "zero": (b"1,2,0,964982703", ["rating_off_scale"]),
    "below zero": (b"1,2,-1,964982703", ["rating_off_scale"]),
    "between two steps": (b"1,2,3.7,964982703", ["rating_off_step"]),
    "not a number at all": (b"1,2,nan,964982703", ["not_a_number: rating"]),
    "a time in milliseconds": (b"1,2,4.0,964982703000", ["timestamp_is_absurd"]),
    "a time cut short": (b"1,2,4.0,96498270", ["timestamp_is_absurd"]),
    "a time before 1970": (b"1,2,4.0,-5", ["not_a_number: timestamp"]),
    "an unknown title": (b"1,99,4.0,964982703", ["unknown_title"]),
    "the same again": (b"1,1,3.0,964982999", ["duplicate"]),
    "an id of 19 digits": (b"1234567890123456789,2,4.0,964982703", ["number_out_of_range: userId"]),
    "an id of 10 digits": (b"2147483648,2,4.0,964982703", ["number_out_of_range: userId"]),
    "two things": (b"1,99,9,964982703", ["rating_off_scale", "unknown_title"]),
}


@pytest.mark.parametrize("case", WRONG_RATINGS)
def test_a_rating_that_cannot_be_taken_is_named_with_file_line_and_reason(case: str) -> None:
    line, reasons = WRONG_RATINGS[case]
    result = landed(with_ratings(line, b"7,3,5.0,964982703"))
    assert result.rejected_of("ratings") == [("ratings.csv", 3, reasons)]
    assert len(result.good_of("ratings")) == 2


def test_all_wrong_ratings_at_once_are_told_apart_whatever_the_blocks() -> None:
    content = with_ratings(*(line for line, _ in WRONG_RATINGS.values()))
    wanted = [
        ("ratings.csv", number, reasons)
        for number, (_, reasons) in enumerate(WRONG_RATINGS.values(), start=3)
    ]
    for block in (1, 40, 1 << 20):
        assert landed(content, block).rejected_of("ratings") == wanted


def test_the_text_of_a_rejected_line_is_kept_readable() -> None:
    [record] = [
        r for r in landed(with_ratings(b"1,2,\xe9,9")).records["ratings"] if "rejected" in r
    ]
    assert record["rejected"]["text"] == r"1,2,\xe9,9"
    assert record["event_id"] == "ml-ratings.csv-3"


def test_numbers_in_quotes_or_with_spaces_are_numbers() -> None:
    result = landed(with_ratings(b'"1","2","3.5","964982703"', b" 1 ,3, 3 ,964982703"))
    assert result.rejections == 0
    assert [r["rating"] for r in result.good_of("ratings")] == [4.0, 3.5, 3.0]


def test_a_last_line_that_was_cut_off_is_told_as_such() -> None:
    cut = with_ratings(b"7,3,5.0,964982703", b"7,2,4", end=b"")
    reasons = ["truncated_line: 3 fields instead of 4"]
    assert landed(cut).rejected_of("ratings") == [("ratings.csv", 4, reasons)]


def test_a_last_line_that_merely_lacks_its_end_is_taken() -> None:
    assert landed(with_ratings(b"7,3,5.0,964982703", end=b"")).rejections == 0


def test_a_duplicate_of_a_rejected_rating_is_no_duplicate() -> None:
    result = landed(with_ratings(b"7,2,9.0,964982703", b"7,2,4.0,964982703", b"7,2,3.0,964982704"))
    assert result.rejected_of("ratings") == [
        ("ratings.csv", 3, ["rating_off_scale"]),
        ("ratings.csv", 5, ["duplicate"]),
    ]


def test_of_duplicates_the_first_line_counts_even_when_it_is_oddly_written() -> None:
    result = landed(with_ratings(b'7,2,"4.0",964982703', b"7,2,3.0,964982704"))
    assert [r["rating"] for r in result.good_of("ratings")] == [4.0, 4.0]
    assert result.rejected_of("ratings") == [("ratings.csv", 4, ["duplicate"])]


@pytest.mark.parametrize(("layout", "line"), [(ML_1M, b"1::2::2.5::978302109\n")])
def test_the_scale_is_that_of_the_layout(layout: dict[str, bytes], line: bytes) -> None:
    half = {**layout, "ratings.dat": b"1::1::0.5::978300760\n" + line + b"2::1::5::978300760\n"}
    assert landed(half).rejected_of("ratings") == [
        ("ratings.dat", 1, ["rating_off_scale", "rating_off_step"]),
        ("ratings.dat", 2, ["rating_off_step"]),
    ]


def test_titles_that_cannot_be_taken_drag_their_ratings_along() -> None:
    movies = (
        b"movieId,title,genres\n1,Toy Story (1995),Animation\n"
        b'2,"American President, The (1995),Comedy\n1,Twice (1995),Drama\nx,No number,Drama\n'
        b"3,,Drama\n5,Sudden Death (1995),Act"
    )
    result = landed(CSV | {"movies.csv": movies, "tags.csv": b"userId,movieId,tag,timestamp\n"})
    assert result.rejected_of("titles") == [
        ("links.csv", 3, ["unknown_title"]),
        ("movies.csv", 3, ["unclosed_quote"]),
        ("movies.csv", 4, ["duplicate"]),
        ("movies.csv", 5, ["not_a_number: movieId"]),
        ("movies.csv", 6, ["empty_field: title"]),
        ("movies.csv", 7, ["truncated_line: the last genre is cut off"]),
    ]
    assert [reasons for _, _, reasons in result.rejected_of("ratings")] == [["unknown_title"]] * 2


def test_tags_that_cannot_be_taken_are_named() -> None:
    tags = (
        b"userId,movieId,tag,timestamp\n1,1,pixar,1000000000\n1,1,pixar,1000000009\n"
        b"1,1, ,1000000000\n1,99,x,1000000000\n1,1,\xff,1000000000\n1,1,back\\slash,1000000000\n"
        b"2147483648,1,pixar,1000000000\n3000000000,1,pixar,1000000000\n"
    )
    result = landed(CSV | {"tags.csv": tags})
    assert result.rejected_of("tags") == [
        ("tags.csv", 3, ["duplicate"]),
        ("tags.csv", 4, ["empty_field: tag"]),
        ("tags.csv", 5, ["unknown_title"]),
        ("tags.csv", 6, ["undecodable_bytes: not UTF-8"]),
        ("tags.csv", 8, ["number_out_of_range: userId"]),
        ("tags.csv", 9, ["number_out_of_range: userId"]),
    ]
    assert [r["tag"] for r in result.good_of("tags")] == ["pixar", "back\\slash"]


def test_links_that_cannot_be_taken_are_records_of_titles() -> None:
    links = b"movieId,imdbId,tmdbId\n1,0114709,862\n1,0114709,862\n2,tt12,\n99,1,2\n3,1\n"
    assert landed(CSV | {"links.csv": links}).rejected_of("titles") == [
        ("links.csv", 3, ["duplicate"]),
        ("links.csv", 4, ["not_a_number: imdbId"]),
        ("links.csv", 5, ["unknown_title"]),
        ("links.csv", 6, ["malformed_line: 2 fields instead of 3"]),
    ]


FIELD = st.one_of(
    st.integers(0, 6).map(str),
    st.sampled_from(
        ["", "x", "4.5", ".5", "3.", "-1", "1e3", "964982703", " 2", '"3"', '"', "\uff14"]
    ),
)
LINE = st.one_of(
    st.tuples(
        st.integers(1, 3),
        st.integers(1, 5),
        st.sampled_from(["0.5", "4", "5.0"]),
        st.integers(964982703, 964982709),
    ).map(lambda row: ",".join(map(str, row))),
    st.lists(FIELD, min_size=1, max_size=5).map(",".join),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINE, max_size=12))
def test_reading_lines_at_once_or_singly_gives_the_same_records(lines: list[str]) -> None:
    content = with_ratings(*(line.encode() for line in lines))
    whole, single = landed(content), landed(content, block=1)
    by_id = sorted(whole.records["ratings"], key=lambda record: record["event_id"])
    assert by_id == sorted(single.records["ratings"], key=lambda record: record["event_id"])
    assert len(by_id) == 1 + sum(bool(line.strip()) for line in lines)


# ---- folders that cannot be taken


def refusal(content: Mapping[str, bytes], **inner: frozenset[str]) -> str:
    folder = FolderOfBytes(content, inner=inner)

    def first_piece() -> Lines:
        return next(iter(IMPORTER.lines(folder, IMPORTER.recognise(folder))))

    with pytest.raises((NotMovieLens, BadMovieLensFile)) as refused:
        first_piece()
    return str(refused.value)


def test_an_empty_folder_is_named_as_such() -> None:
    assert refusal({}).startswith("data/ml is an empty folder")


def test_a_folder_of_something_else_is_told_what_each_layout_needs() -> None:
    message = refusal({"notes.txt": b""})
    assert "is no MovieLens folder" in message
    for needed in ("ratings.csv, movies.csv", "users.dat", "u.data, u.item, u.genre"):
        assert needed in message


def test_a_folder_that_comes_near_is_told_what_it_lacks() -> None:
    message = refusal({"ratings.csv": CSV["ratings.csv"]})
    assert message.endswith("ml-32m would need movies.csv too")


def test_the_folder_above_the_right_one_is_told_so() -> None:
    inside = {"ml-25m": frozenset(CSV)}
    assert refusal({}, **inside).endswith("did you mean data/ml/ml-25m?")


BAD_FILES: dict[str, tuple[dict[str, bytes], str]] = {
    "a wrong header": (
        {"ratings.csv": b"user,item,rating,ts\n1,1,4.0,964982703\n"},
        "data/ml/ratings.csv: the first line is 'user,item,rating,ts' where 'userId,movieId,rating,timestamp'",
    ),
    "no header": ({"ratings.csv": b"1,1,4.0,964982703\n"}, "the first line is '1,1,4.0,964982703'"),
    "an empty file": ({"ratings.csv": b""}, "data/ml/ratings.csv is empty"),
    "a header only": (
        {"ratings.csv": b"userId,movieId,rating,timestamp\n"},
        "data/ml/ratings.csv holds no line of data",
    ),
    "nothing readable": (
        {"ratings.csv": b"userId,movieId,rating,timestamp\n1;1;4\n"},
        "line 2 is turned away for malformed_line: 1 fields instead of 4",
    ),
    "titles without a line": (
        {"movies.csv": b"movieId,title,genres\n"},
        "data/ml/movies.csv holds no line",
    ),
    "UTF-16": (
        {"movies.csv": CSV["movies.csv"].decode().encode("utf-16")},
        "data/ml/movies.csv is not UTF-8",
    ),
    "Latin-1": (
        {"movies.csv": "movieId,title,genres\n1,Cité,Drama\n2,Caché,Drama\n".encode("latin-1")},
        "data/ml/movies.csv is not UTF-8, as ml-latest-small",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_is_wrong_as_a_whole_is_refused_before_anything_lands(case: str) -> None:
    change, message = BAD_FILES[case]
    assert message in refusal(CSV | change)


def test_utf_8_where_latin_1_is_due_is_refused() -> None:
    titles = "1::Cité (1995)::Drama\n2::Caché (2005)::Drama\n".encode()
    assert "data/ml/movies.dat is UTF-8, where ml-1m is Latin-1" in refusal(
        ML_1M | {"movies.dat": titles}
    )


def test_a_list_of_genres_that_makes_no_sense_is_refused() -> None:
    assert "u.genre, line 1" in refusal(ML_100K | {"u.genre": b"Drama\n"})
    assert "from 0" in refusal(ML_100K | {"u.genre": b"Drama|1\n"})
