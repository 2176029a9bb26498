"""`sparkify etl` reports what it loads, and lists what it would load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import play, view, write
from tests.support.command_line import Sparkify, everything
from tests.support.realdata import catalogue_records


def test_json_of_a_run_is_all_of_stdout(sparkify: Sparkify) -> None:
    """With --json, stdout is one JSON document, and narration is on stderr."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    ended = sparkify("etl", "--json")
    summary = json.loads(ended.out)
    assert summary["events"] == {"read": 62, "songplays": 48, "page_views": 12, "duplicates": 1, "rejected": 1}
    assert summary["songs"] == {"read": 1, "added_or_changed": 1, "duplicates": 0, "rejected": 0}
    assert summary["tables"]["songplays"] == {"added_or_changed": 48}
    assert "3 files" in ended.err


@pytest.mark.parametrize(("options", "heading"), [([], ""), (["--batch-size", "1"], ", summed over 3 batches")])
def test_summary_says_that_rows_are_counted_in_each_batch(sparkify: Sparkify, options: list[str], heading: str) -> None:
    """The summary of several batches says so, since a row that several of them change counts more than once."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    assert f" rows added or changed{heading}\n" in sparkify("etl", *options).out


def test_run_without_anything_new_says_so(reading: Sparkify) -> None:
    """A run without new files succeeds with one line that says so."""
    before = everything()
    ended = reading("etl")
    assert ended.code == 0
    assert ended.out.startswith("Nothing new: all 6 files are already in sparkify.duckdb.")
    assert everything() == before


def test_dry_run_lists_files_and_creates_no_warehouse(sparkify: Sparkify) -> None:
    """--dry-run lists the files that a run would load, and creates nothing."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    ended = sparkify("etl", "--dry-run")
    assert [Path(line.split()[-1]).name for line in ended.out.splitlines()] == ["heard.json", "1.json", "2.json"]
    assert "Would load 3 files" in ended.err
    assert [path.name for path in Path.cwd().iterdir()] == ["data"]


def test_dry_run_lists_only_what_is_pending(filled: Sparkify) -> None:
    """--dry-run lists new and changed files, and changes nothing."""
    write(Path("data/log_data/9.json"), view(200))
    write(Path("data/log_data/1.json"), view(201))
    before = everything()
    listed = json.loads(filled("etl", "--dry-run", "--json").out)
    assert [(file["kind"], Path(file["path"]).name) for file in listed] == [("events", "1.json"), ("events", "9.json")]
    assert len(json.loads(filled("etl", "--dry-run", "--full-refresh", "--json").out)) == 7
    assert everything() == before


@pytest.mark.parametrize("option", ["--json", "--dry-run", "--full-refresh", "--skip-bad-files"])
@pytest.mark.parametrize("kind", ["log", "song"])
def test_kind_without_any_file_fails_unless_allowed(sparkify: Sparkify, kind: str, option: str) -> None:
    """A folder without any file of its kind fails the run, and creates no warehouse, unless --allow-empty is passed."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    Path("empty").mkdir()
    failed = sparkify("etl", f"--{kind}-data", "empty", option)
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.startswith("sparkify: empty: contains no .json, .jsonl or .ndjson file. Set [S3] ")
    assert not Path("sparkify.duckdb").exists()
    assert sparkify("etl", f"--{kind}-data", "empty", option, "--allow-empty").code == 0


def test_limit_of_the_configuration_fails_a_run(sparkify: Sparkify) -> None:
    """A run fails by [ETL] MAX_REJECTED of dwh.cfg, which --max-rejected overrides."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    write(Path("data/log_data/3.json"), "{broken")
    Path("dwh.cfg").write_text("[ETL]\nMAX_REJECTED = 1\n")
    ended = sparkify("etl")
    assert ended.code == 1
    assert "2 of 64 records were rejected, more than --max-rejected or [ETL] MAX_REJECTED allows." in ended.err
    assert sparkify("etl", "--max-rejected", "2").code == 0


@pytest.mark.parametrize(("options", "claimed"), [([], True), (["--full-refresh"], False)])
def test_failed_run_says_what_it_published(sparkify: Sparkify, options: list[str], claimed: bool) -> None:
    """A run that fails in its third batch says that earlier batches are published, except a full refresh."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    write(Path("data/log_data/3.json"), "{broken", view(200))
    ended = sparkify("etl", "--batch-size", "7kB", "--max-rejected", "1", *options)
    assert (ended.code, ended.out) == (1, "")
    assert f"{Path('data/log_data/3.json').absolute()}:1: not valid JSON" in ended.err
    assert ("Earlier batches are published" in ended.err) is claimed
    assert any(everything().values()) is claimed


def counts(sparkify: Sparkify, *statements: str) -> list[int]:
    """Return the number that each SELECT returns."""
    return [int(sparkify("query", statement, "--format", "csv").out.splitlines()[1]) for statement in statements]


OF_REAL_DATA = (
    "select count(*) from songplays",
    "select count(song_id) from songplays",
    "select count(artist_id) from songplays",
    "select count(*) from page_views",
    "select count(*) from users",
    "select count(*) from users where level = 'paid'",
    "select count(*) from songs",
    "select count(*) from artists",
    "select count(*) from time",
    "select count(*) from time where start_time in (select start_time from songplays)",
    "select count(*) from rejected_records",
)


def test_real_logs_with_71_songs_give_the_known_counts(sparkify: Sparkify, real: Path) -> None:
    """The public sample with 71 songs gives the known counts."""
    ended = sparkify("etl", "--log-data", str(real / "log_data"), "--song-data", str(real / "song_data"), "--json")
    assert json.loads(ended.out)["events"]["read"] == 8056
    assert json.loads(ended.out)["matches"] == {"plays": 6820, "with_song": 1, "with_artist": 21}
    assert counts(sparkify, *OF_REAL_DATA) == [6820, 1, 21, 1236, 97, 22, 71, 69, 8023, 6813, 0]


@pytest.mark.parametrize("options", [(), ("--full-refresh",), ("--batch-size", "1kB")])
def test_summary_ends_with_the_match_rate(sparkify: Sparkify, options: tuple[str, ...]) -> None:
    """The summary ends with the plays that match the catalogue, in however many batches, and why most do not."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    write(Path("data/log_data/3.json"), *(play(300 + second, song="Lost") for second in range(48)))
    *_, total, rate, reason = sparkify("etl", *options).out.partition("\n\nList the rejected")[0].splitlines()
    plays, with_song, with_artist = counts(
        sparkify, *(f"select count({column}) from songplays" for column in ("*", "song_id", "artist_id"))
    )
    assert 0 < with_song < plays / 2
    assert total == f"Of {plays} plays in the loaded period, the catalogue has"
    assert rate.startswith(f"a song for {with_song} ({with_song / plays:.1%}), an artist for {with_artist}")
    assert reason.startswith("Most have no song: the catalogue has none of the same title")


@pytest.mark.ci
def test_real_logs_with_the_whole_catalogue_give_the_known_counts(sparkify: Sparkify, real: Path) -> None:
    """The public sample with its 14,896 songs gives the known counts."""
    for name, content in catalogue_records(real):
        path = Path("song_data", *name[2:5], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sparkify("etl", "--log-data", str(real / "log_data"), "--song-data", "song_data")
    assert counts(sparkify, *OF_REAL_DATA) == [6820, 327, 4451, 1236, 97, 22, 14896, 9553, 8023, 6813, 0]


@pytest.mark.parametrize("name", ["dwh.cfg", "log.txt", "json", "log.json.zip"])
def test_named_file_that_is_not_json_is_not_read(sparkify: Sparkify, name: str) -> None:
    """A file named by mistake, such as a configuration with passwords, is not read into rejected_records."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    Path(name).write_text("[CLUSTER]\nDB_PASSWORD = hunter2\n")
    Path(name).chmod(0o600)
    Path(name).chmod(0o600)
    ended = sparkify("etl", "--log-data", name)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"sparkify: {name}: this is not a .json, .jsonl or .ndjson file.")
    assert not Path("sparkify.duckdb").exists()


def test_events_ahead_of_the_clock_are_loaded_and_counted(sparkify: Sparkify) -> None:
    """Events that are later than the clock are loaded, and the summary and the status count them."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    write(Path("data/log_data/3.json"), view(200, ts=4_102_444_800_000), view(201))
    ended = sparkify("etl")
    assert "\nLoaded with a time ahead of this machine's clock: 1 event\n" in ended.out
    assert "\nahead         1 event later than this machine's clock\n" in sparkify("status").out
    assert json.loads(sparkify("status", "--json").out)["events_ahead"] == 1
    assert json.loads(sparkify("etl", "--full-refresh", "--json").out)["ahead_of_clock"] == 1
