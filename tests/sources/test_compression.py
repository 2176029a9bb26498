"""A file's content, not its name, shows whether it is gzip."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.promises.records import joined, play, song
from tests.support.s3 import S3
from tests.support.sandbox import Warehouses

from sparkify.sources import cache
from sparkify.staging import fast_path

SMALL = joined(*(play(sessionId=number) for number in range(3)), "{broken")
LARGE = joined(*(play(sessionId=number) for number in range(3, 600)), "{broken")
CONTENTS = {
    "log_data/small.json": SMALL,
    "log_data/large.json": LARGE,
    "song_data/one.json": song(song_id="SO1").encode(),
    "song_data/several.json": joined(song(song_id="SO2"), "42"),
}


@pytest.mark.parametrize("fast_path_size", [0, fast_path.MIN_SIZE, 1 << 40])
def test_gzip_under_a_json_name_is_read_as_gzip(
    make_warehouse: Warehouses, monkeypatch: pytest.MonkeyPatch, fast_path_size: int
) -> None:
    """A gzip file whose name ends in .json gives the rows of its text, on either path, and stays as it was."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", fast_path_size)
    monkeypatch.setattr(cache, "_MAX_SMALL", 1000)
    warehouse, plain = make_warehouse(), make_warehouse()
    for name, content in CONTENTS.items():
        (plain.folder / name).write_bytes(content)
        (warehouse.folder / name).write_bytes(gzip.compress(content))
    plain.etl()
    warehouse.etl()
    assert len(plain.query("select * from songplays")) == 600
    for table, rows in plain.contents().items():
        expected = [tuple(_moved(value, plain.folder, warehouse.folder) for value in row) for row in rows]
        assert warehouse.contents()[table] == expected
    assert {name: gzip.decompress((warehouse.folder / name).read_bytes()) for name in CONTENTS} == CONTENTS


def _moved(value: object, before: Path, after: Path) -> object:
    return value.replace(str(before), str(after)) if isinstance(value, str) else value


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_gzip_object_under_a_json_name_is_read_as_gzip(
    s3: S3, make_warehouse: Warehouses, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    """A gzip object whose key ends in .json gives the rows of its text, from memory and from disk."""
    monkeypatch.setattr(cache, "MAX_IN_MEMORY", in_memory)
    warehouse = make_warehouse()
    for name, content in CONTENTS.items():
        s3.put(f"s3://bucket/{name}", gzip.compress(content))
    counts = warehouse.etl("s3://bucket/log_data", "s3://bucket/song_data").run.counts
    assert (counts.songplays, counts.songs, counts.rejected) == (600, 2, 3)


def test_truncated_gzip_under_a_json_name_is_skipped_as_a_bad_file(make_warehouse: Warehouses) -> None:
    """A truncated gzip file under a .json name is a bad file, and no part of it is loaded."""
    warehouse = make_warehouse()
    for name, content in CONTENTS.items():
        (warehouse.folder / name).write_bytes(gzip.compress(content)[:-9])
    summary = warehouse.etl(skip_bad_files=True)
    assert sorted(summary.skipped) == sorted(str(warehouse.folder / name) for name in CONTENTS)
    assert summary.run.counts.read == 0
