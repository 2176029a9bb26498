"""A source of the wrong kind: a run that would reject most records fails, and names the likely cause."""

from __future__ import annotations

import json

import pytest
from tests.promises.records import GOOD, KINDS, folder, joined, loaded, play, song
from tests.support.sandbox import Sandbox

from sparkify.config import Limit
from sparkify.errors import SourceError
from sparkify.sources.listing import Kind

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 268"
WRONG: dict[str, tuple[Kind, str, str]] = {
    "Git LFS": ("events", "\n".join([POINTER] * 4), "git lfs pull"),
    "HTML": ("events", "<!DOCTYPE html>\n" + "<p>Sign in</p>\n" * 10, "HTML"),
    "CSV": ("songs", "song_id,title,artist_id\n" + "SO1,Intro,AR1\n" * 10, "CSV"),
    "songs as logs": ("events", "\n".join([song()] * 10), "swapped"),
    "logs as songs": ("songs", "\n".join([play()] * 10), "swapped"),
    "wrapped": ("events", "\n".join([json.dumps({"Records": [json.loads(play())]})] * 10), "wraps the records"),
    "wrapped twice": ("events", "\n".join(['{"status": "ok", "data": {"items": [{"page": "Home"}]}}'] * 10), "wraps"),
    "nothing wrapped": ("events", "\n".join(['{"Records": []}'] * 10), "wraps the records"),
}


@pytest.mark.parametrize(("kind", "content", "cause"), WRONG.values(), ids=WRONG)
def test_run_that_rejects_most_records_fails_with_the_likely_cause(
    warehouse: Sandbox, kind: Kind, content: str, cause: str
) -> None:
    """A source in which most records are rejected publishes nothing; the error has count, cause and first reasons."""
    before = warehouse.contents()
    (folder(warehouse, kind) / "wrong.json").write_text(content)
    with pytest.raises(SourceError, match=cause) as failed:
        warehouse.etl()
    text = str(failed.value)
    assert f"of {len(content.splitlines())} {kind} were rejected" in text
    assert f"\n  {folder(warehouse, kind) / 'wrong.json'}:1: " in text
    assert warehouse.contents() == before
    warehouse.etl(max_rejected=Limit(1, is_share=True))
    assert warehouse.query("select count(*) from rejected_records") == [(len(content.splitlines()),)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("good", "bad", "fails"), [(0, 9, False), (0, 10, True), (10, 10, False), (9, 10, True)])
def test_half_of_the_records_may_be_rejected_and_nine_at_any_rate(
    warehouse: Sandbox, kind: Kind, good: int, bad: int, *, fails: bool
) -> None:
    """A run fails from ten rejected records on, if they are more than half of their kind."""
    (folder(warehouse, kind) / "records.json").write_bytes(joined(*[GOOD[kind][0]] * good, *["42"] * bad))
    if fails:
        with pytest.raises(SourceError, match=f"{bad} of {good + bad} {kind} were rejected"):
            warehouse.etl()
        assert loaded(warehouse, kind) == []
    else:
        warehouse.etl()
        assert warehouse.query("select count(*) from rejected_records") == [(bad,)]


def test_batch_of_rejected_records_fails_beside_another_kind_that_is_right(warehouse: Sandbox) -> None:
    """Good songs do not hide that the logs are no logs, whatever the batches."""
    (warehouse.song_data / "songs.json").write_bytes(joined(*[song(song_id=f"SO{n}") for n in range(50)]))
    for number in range(5):
        (warehouse.log_data / f"{number}.json").write_text(POINTER)
    with pytest.raises(SourceError, match="12 of 12 events were rejected"):
        warehouse.etl(batch_size=1)
    assert warehouse.query("select count(*) from songs") == [(50,)]
    assert warehouse.query("select count(*) from rejected_records") == [(9,)]


def test_run_that_accepts_no_record_at_all_says_so(warehouse: Sandbox) -> None:
    """Fewer than ten records fail no run, but if all of a kind are rejected, a line names the likely cause."""
    (warehouse.log_data / "1.json").write_text(POINTER)
    (warehouse.song_data / "1.json").write_bytes(joined(song(), "42", "43"))
    warehouse.etl()
    said = [line for line in warehouse.narration if "rejected" in line]
    assert said == [
        f"{warehouse.log_data / '1.json'}: 3 of 3 events were rejected. These are Git LFS pointers: run `git lfs pull`."
    ]
