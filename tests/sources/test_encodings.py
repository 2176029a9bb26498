"""A file in another encoding than UTF-8 is a bad file, not a pile of rejected records."""

from __future__ import annotations

import codecs
import gzip

import pytest
from tests.promises.records import GOOD, KINDS, folder, joined, keys, loaded
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox

from sparkify.errors import SourceError
from sparkify.sources.listing import Kind
from sparkify.staging import fast_path

ENCODINGS = {
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def encoded(kind: Kind, encoding: str) -> bytes:
    """Return good records in an encoding, after its byte order mark."""
    return ENCODINGS[encoding] + joined(*GOOD[kind]).decode().encode(encoding)


@pytest.mark.parametrize("fast_path_size", [0, 1 << 40])
@pytest.mark.parametrize(("encoding", "is_packed"), [*zip(ENCODINGS, (False, True, True, False), strict=True)])
@pytest.mark.parametrize("kind", KINDS)
def test_other_encoding_makes_a_bad_file(
    warehouse: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
    fast_path_size: int,
    *,
    encoding: str,
    is_packed: bool,
) -> None:
    """A UTF-16 or UTF-32 file fails the run with one message, or is skipped on request."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", fast_path_size)
    content, bad = encoded(kind, encoding), folder(warehouse, kind) / ("b.json.gz" if is_packed else "b.json")
    bad.write_bytes(gzip.compress(content) if is_packed else content)
    (folder(warehouse, kind) / "a.json").write_bytes(joined(*GOOD[kind]))
    with pytest.raises(SourceError) as caught:
        warehouse.etl()
    problem = f"{bad}: the file is {encoding[:6].upper()}, not UTF-8. Save it as UTF-8"
    assert str(caught.value) == f"{problem}, or pass --skip-bad-files."
    summary = warehouse.etl(skip_bad_files=True)
    assert (summary.skipped, summary.run.counts.rejected) == ({str(bad): f"{problem}."}, 0)
    assert loaded(warehouse, kind) == keys(kind, 1, 2)


def test_object_in_another_encoding_is_a_bad_file(s3: S3, warehouse: Sandbox) -> None:
    """A UTF-16 object is a bad file as a file on disk is."""
    s3.put("s3://bucket/log_data/a.json", encoded("events", "utf-16-le"))
    assert list(warehouse.etl("s3://bucket/log_data", skip_bad_files=True).skipped) == ["s3://bucket/log_data/a.json"]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_stray_bytes_do_not_make_another_encoding(warehouse: Sandbox, mark: bytes) -> None:
    """A first line that begins with the bytes of a mark and goes on as UTF-8 is one rejected record."""
    (warehouse.log_data / "a.json").write_bytes(mark + joined("{}", *GOOD["events"]))
    assert warehouse.etl().run.counts.rejected == 1
    assert loaded(warehouse, "events") == keys("events", 1, 2)
