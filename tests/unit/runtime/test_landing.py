"""Landing is all or nothing, and once."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import pytest
from unit.sources.folders import CSV

from cinelake.runtime.intake import landing
from cinelake.runtime.intake.landing import (
    ImportReport,
    finish_interrupted,
    import_folder,
    importers,
)
from cinelake.sources.importer import Folder, ImportFailed, Lines, Recognised

MOVIELENS = importers()["movielens"]
RECEIVED = datetime(2020, 5, 2, 7, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Notes:
    """An importer of folders with a file `notes`: a record a line; it stumbles over a line `stumble`."""

    name: str = "notes"
    version: int = 1

    def recognise(self, folder: Folder) -> Recognised:
        if "notes" not in folder.files():
            raise ImportFailed("no notes here")
        return Recognised("plain", ("notes",))

    def lines(self, folder: Folder, recognised: Recognised) -> Iterator[Lines]:
        for block in folder.blocks("notes"):
            for line in block.splitlines(keepends=True):
                if line == b"stumble\n":
                    raise ImportFailed("stumbled")
                is_bad = line.startswith(b"bad")
                why = Counter(["bad_note"] if is_bad else [])
                yield Lines("notes", RECEIVED, line, int(not is_bad), int(is_bad), why)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "notes").write_bytes(b"one\ntwo\nbad three\n")
    return path


def landed_files(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*.gz") if ".imports" not in path.parts
    )


def landed_lines(root: Path) -> list[bytes]:
    return [
        line
        for name in landed_files(root)
        for line in gzip.decompress((root / name).read_bytes()).splitlines()
    ]


def test_records_land_by_the_hour_of_their_receipt(folder: Path, tmp_path: Path) -> None:
    report = import_folder(Notes(), folder, tmp_path / "landing")
    [file] = landed_files(tmp_path / "landing")
    assert file == f"notes/date=2020-05-02/hour=07/notes-{report.digest}-00000.jsonl.gz"
    assert landed_lines(tmp_path / "landing") == [b"one", b"two", b"bad three"]


def test_the_report_counts_what_landed_and_why_some_was_rejected(
    folder: Path, tmp_path: Path
) -> None:
    report = import_folder(Notes(), folder, tmp_path / "landing")
    counts = report.sources["notes"]
    assert (counts.good, counts.rejections, counts.landed) == (2, 1, 3)
    assert counts.rejected == {"bad_note": 1}
    assert (report.landed, report.rejections, report.already_landed) == (3, 1, False)
    assert ImportReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_the_same_folder_again_changes_nothing_and_says_so(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "landing"
    first = import_folder(Notes(), folder, root)
    stamps = {name: (root / name).stat().st_mtime_ns for name in landed_files(root)}
    copy = folder.rename(tmp_path / "moved")
    (copy / "unrelated").write_text("x")
    second = import_folder(Notes(), copy, root)
    assert second.already_landed
    assert second.sources == first.sources
    assert {name: (root / name).stat().st_mtime_ns for name in landed_files(root)} == stamps


def test_other_content_or_another_version_of_the_importer_lands_beside_it(
    folder: Path, tmp_path: Path
) -> None:
    import_folder(Notes(), folder, tmp_path / "landing")
    assert not import_folder(Notes(version=2), folder, tmp_path / "landing").already_landed
    (folder / "notes").write_bytes(b"four\n")
    assert not import_folder(Notes(), folder, tmp_path / "landing").already_landed
    assert len(landed_files(tmp_path / "landing")) == 3


def test_an_importer_that_fails_half_way_lands_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / "notes").write_bytes(b"one\nstumble\n")
    with pytest.raises(ImportFailed, match="stumbled"):
        import_folder(Notes(), folder, tmp_path / "landing")
    assert landed_files(tmp_path / "landing") == []
    (folder / "notes").write_bytes(b"one\n")
    import_folder(Notes(), folder, tmp_path / "landing")
    assert landed_lines(tmp_path / "landing") == [b"one"]
    assert list((tmp_path / "landing" / ".imports").glob("*.staging")) == []


def test_large_deliveries_are_split(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "FILE_BYTES", 8)
    import_folder(Notes(), folder, tmp_path / "landing")
    assert len(landed_files(tmp_path / "landing")) == 2
    assert landed_lines(tmp_path / "landing") == [b"one", b"two", b"bad three"]


def test_lines_across_blocks_stay_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "BLOCK_BYTES", 11)
    import_folder(Notes(), folder, tmp_path / "landing")
    assert landed_lines(tmp_path / "landing") == [b"one", b"two", b"bad three"]


def test_a_file_that_is_no_text_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "BLOCK_BYTES", 4)
    (folder / "notes").write_bytes(b"x" * 100)
    with pytest.raises(ImportFailed, match="no text file"):
        import_folder(Notes(), folder, tmp_path / "landing")


def test_a_folder_that_changes_while_it_is_read_is_refused(folder: Path, tmp_path: Path) -> None:
    class Slow(Notes):
        def lines(self, inner: Folder, recognised: Recognised) -> Iterator[Lines]:
            yield from super().lines(inner, recognised)
            with (folder / "notes").open("ab") as stream:
                stream.write(b"late\n")

    with pytest.raises(ImportFailed, match="changed while it was read"):
        import_folder(Slow(), folder, tmp_path / "landing")
    assert landed_files(tmp_path / "landing") == []


def test_two_imports_at_once_are_refused(folder: Path, tmp_path: Path) -> None:
    class Nested(Notes):
        def lines(self, inner: Folder, recognised: Recognised) -> Iterator[Lines]:
            import_folder(Notes(), folder, tmp_path / "landing")
            yield from super().lines(inner, recognised)

    with pytest.raises(ImportFailed, match="another import into .* is at work"):
        import_folder(Nested(), folder, tmp_path / "landing")


def test_who_reads_waits_for_who_finishes_a_delivery(tmp_path: Path) -> None:
    ready = tmp_path / ".imports" / "1.complete" / "notes"
    ready.mkdir(parents=True)
    (ready / "a.jsonl.gz").write_bytes(b"")
    with (tmp_path / ".imports" / "lock").open("w") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        Timer(0.3, fcntl.flock, (theirs, fcntl.LOCK_UN)).start()
        finish_interrupted(tmp_path)
    assert landed_files(tmp_path) == ["notes/a.jsonl.gz"]


def test_who_reads_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "FINISHED_WITHIN_SECONDS", 0.1)
    (tmp_path / ".imports" / "1.staging").mkdir(parents=True)
    with (tmp_path / ".imports" / "lock").open("w") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(ImportFailed, match="is at work"):
            finish_interrupted(tmp_path)
    # Nothing to finish is no reason to ask.
    (tmp_path / ".imports" / "1.staging").rmdir()
    finish_interrupted(tmp_path)


def test_what_is_no_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="there is no folder"):
        import_folder(Notes(), tmp_path / "nowhere", tmp_path / "landing")
    archive = tmp_path / "ml-25m.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("ml-25m/ratings.csv", "")
    with pytest.raises(ImportFailed, match=r"unpack it \(unzip "):
        import_folder(Notes(), archive, tmp_path / "landing")
    (tmp_path / "ratings.csv").write_text("")
    with pytest.raises(ImportFailed, match="give the folder that holds it"):
        import_folder(Notes(), tmp_path / "ratings.csv", tmp_path / "landing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_access_is_refused_with_what_to_do(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "notes").chmod(0)
    with pytest.raises(ImportFailed, match=r"chmod -R u\+rX"):
        import_folder(Notes(), folder, tmp_path / "landing")


KILLED = """
    import os, sys
    from pathlib import Path
    from cinelake.runtime.intake import landing

    roots, folder = Path(sys.argv[1]), Path(sys.argv[2])
    importer = landing.importers()["movielens"]
    left = 0

    # Every change of the file tree is a moment at which the process may be killed.
    def deadly(method):
        def call(*args, **kwargs):
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), 9)
            return method(*args, **kwargs)
        return call

    for name in ("mkdir", "rename", "replace", "write_text"):
        setattr(Path, name, deadly(getattr(Path, name)))
    landing.shutil.rmtree = deadly(landing.shutil.rmtree)
    landing._File.write = deadly(landing._File.write)
    landing._File.close = deadly(landing._File.close)

    # A fork each, for most of the time goes into importing libraries.
    for at in range(100):
        left = at
        child = os.fork()
        if child == 0:
            landing.import_folder(importer, folder, roots / str(at))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WTERMSIG(status) == 9, status
"""


@pytest.mark.thorough
def test_a_kill_at_any_moment_leaves_nothing_half_landed_and_the_next_import_heals(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "ml"
    folder.mkdir()
    for name, content in CSV.items():
        (folder / name).write_bytes(content)
    undisturbed = tmp_path / "undisturbed"
    import_folder(MOVIELENS, folder, undisturbed)
    whole = {name: (undisturbed / name).read_bytes() for name in landed_files(undisturbed)}
    assert len(whole) == 3

    killed = tmp_path / "killed"
    killed.mkdir()
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(killed), str(folder)]
    subprocess.run(script, check=True)
    roots = sorted(killed.iterdir(), key=lambda root: int(root.name))
    assert len(roots) >= 15
    outcomes = set()
    for root in roots:
        imports = root / ".imports"
        committed = any([*imports.glob("*.complete"), *imports.glob("*.json")])
        outcomes.add(committed)
        if not committed:
            assert landed_files(root) == []
        finish_interrupted(root)
        assert len(landed_files(root)) == (3 if committed else 0)
        report = import_folder(MOVIELENS, folder, root)
        assert report.already_landed == committed
        assert {name: (root / name).read_bytes() for name in landed_files(root)} == whole
    assert outcomes == {False, True}


def test_there_is_nothing_to_finish_where_nothing_was_imported(tmp_path: Path) -> None:
    finish_interrupted(tmp_path / "landing")
    assert not (tmp_path / "landing").exists()
