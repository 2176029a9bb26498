"""Corners that once went wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.promises import deliveries
from tests.promises.records import misread
from tests.support.postgres import Server
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.cli.main import main
from sparkify.config import Config
from sparkify.errors import ConfigError, WarehouseError
from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import count_rows, create_missing_tables, create_tables
from sparkify.warehouse.postgres import Postgres, rebuild_schema


def event(**values: object) -> str:
    """Return a line of a log: a page view, unless told otherwise."""
    usual = {"ts": 1541105830796, "page": "Home", "sessionId": 1, "itemInSession": 0, "userId": "7", "level": "free"}
    return json.dumps(usual | values) + "\n"


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_corrected_file_stands_in_the_order_of_files_whatever_the_batches(
    make_warehouse: Warehouses, size: int, names: tuple[str, str]
) -> None:
    """A corrected file and a new one contradict each other: the batches that they come in do not decide."""
    corrected, new = names
    levels = {("a", "b"): "free", ("b", "a"): "paid"}
    warehouse = make_warehouse()
    (warehouse.log_data / f"{corrected}.json").write_text(event(location="z"))
    warehouse.etl()
    (warehouse.log_data / f"{corrected}.json").write_text(event(location="zz", level="paid"))
    (warehouse.log_data / f"{new}.json").write_text(event(location="a"))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select level from page_views") == [(levels[names],)]
    assert warehouse.query("select level from users") == [(levels[names],)]


def test_many_tiny_files_are_several_batches(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch holds so many files at most, however small they are, since each costs memory until it is published."""
    monkeypatch.setattr("sparkify.sources.listing.MAX_BATCH_FILES", 2)
    for number in range(5):
        (warehouse.log_data / f"{number}.json").write_text(event(sessionId=number))
    summary = warehouse.etl()
    assert (summary.batches, summary.run.counts.files, summary.run.counts.page_views) == (3, 5, 5)


def test_tables_are_made_anew_by_several_at_once(postgres: Server) -> None:
    """Who drops and creates tables waits for who does that already: both end well, and leave empty tables."""
    with postgres.database() as url, ExitStack() as opened:
        connections = [opened.enter_context(open_warehouse(url)) for _ in range(4)]
        create_tables(connections[0])
        with ThreadPoolExecutor(len(connections)) as threads:
            for done in [threads.submit(create_tables, engine) for engine in connections]:
                done.result()
        assert not any(count_rows(connections[0]).values())


def test_first_runs_of_several_at_once_do_not_collide(postgres: Server, tmp_path: Path) -> None:
    """Whoever comes first makes schema, tables and views; the others wait for that."""
    with postgres.database() as url:
        runs = [Sandbox(url, tmp_path / str(number)) for number in range(6)]
        for number, run in enumerate(runs):
            (run.log_data / "1.json").write_text(event(sessionId=number))
        with ThreadPoolExecutor(len(runs)) as threads:
            for done in [threads.submit(run.etl) for run in runs]:
                done.result()
        assert runs[0].query("select count(*) from page_views") == [(len(runs),)]


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_no_value_is_taken_for_none(make_warehouse: Warehouses, size: int, names: tuple[str, str]) -> None:
    """Of two events with one key, the one without a status is the last in order, whatever status the other has."""
    warehouse = make_warehouse()
    for name, status in zip(names, (-1, None), strict=True):
        (warehouse.log_data / f"{name}.json").write_text(event(status=status))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select status from page_views") == [(-1,)]


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_song_of_a_page_view_decides_nothing(make_warehouse: Warehouses, size: int, names: tuple[str, str]) -> None:
    """Of two page views with one key, what they say of a song, which the warehouse does not keep, is not compared."""
    warehouse = make_warehouse()
    for name, said in zip(names, ({"auth": "B", "song": "x"}, {"auth": "A"}), strict=True):
        (warehouse.log_data / f"{name}.json").write_text(event(**said))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select auth from page_views") == [("A",)]


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("was_there", [True, False])
def test_corrected_file_replaces_only_its_own_event_in_a_tie(
    make_warehouse: Warehouses, size: int, *, was_there: bool
) -> None:
    """Where events of two sessions tie for a user's latest, a file delivered again corrects its own, not the other."""
    warehouse = make_warehouse()
    free, paid = event(sessionId=2, level="free"), event(sessionId=1, level="paid")
    new, again = warehouse.log_data / "a.json", warehouse.log_data / "b.json"
    if was_there:
        again.write_text(paid)
    else:
        new.write_text(free)
        again.write_text(event(ts=1541105830000))
    warehouse.etl()
    new.write_text(free)
    again.write_text(paid + event(ts=1541105830000))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select level from users") == [("free",)]


def test_zero_has_no_sign(make_warehouse: Warehouses) -> None:
    """Of two numbers that are equal, it makes no difference which came first."""
    for first, second in (("-0.0", "0"), ("0", '"-0"')):
        warehouse = make_warehouse()
        for name, length in (("a", first), ("b", second)):
            line = event(page="NextSong", song="s", artist="a", length=7)
            (warehouse.log_data / f"{name}.json").write_text(line.replace(": 7", f": {length}"))
            warehouse.etl()
        assert [str(length) for (length,) in warehouse.query("select duration from tracks")] == ["0.0"]


@pytest.mark.parametrize("direct_size", [0, 1 << 40])
def test_whole_number_keeps_every_digit(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, direct_size: int) -> None:
    """A number that no float can be, far down in a large file too, is the one that was written."""
    monkeypatch.setattr("sparkify.staging.fast_path.MIN_SIZE", direct_size)
    numbers = [*range(30), 2**53 + 1, 2**62 + 1, -(2**53) - 1]
    (warehouse.log_data / "a.json").write_text("".join(event(sessionId=number) for number in numbers))
    warehouse.etl()
    assert sorted(warehouse.query("select session_id from page_views")) == [(number,) for number in sorted(numbers)]


@pytest.mark.parametrize("direct_size", [0, 1 << 40])
def test_text_is_mended_three_times_and_no_more(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, direct_size: int
) -> None:
    """What was misread four times over is, after three repairs, still misread once."""
    monkeypatch.setattr("sparkify.staging.fast_path.MIN_SIZE", direct_size)
    lines = [event(itemInSession=times, location=misread("é", times)) for times in range(5)]
    (warehouse.log_data / "a.json").write_text("".join(lines))
    warehouse.etl()
    found = warehouse.query("select location from page_views order by page_view_id")
    assert found == [("é",)] * 4 + [(misread("é"),)]


def test_touching_a_file_changes_no_user(warehouse: Sandbox) -> None:
    """Where events of two sessions tie, a file that is loaded again without a change changes nothing."""
    (warehouse.log_data / "a.json").write_text(event(level="paid"))
    (warehouse.log_data / "b.json").write_text(event(level="free", sessionId=2))
    warehouse.etl()
    before = warehouse.contents()
    os.utime(warehouse.log_data / "a.json", ns=(1, 1))
    assert warehouse.etl().run.counts.files == 1
    assert warehouse.contents() == before


def test_one_folder_for_logs_and_songs(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is listed twice is read once as each kind, and refused as the kind that it is not."""
    monkeypatch.setattr("sparkify.staging.fast_path.MIN_SIZE", 0)
    (warehouse.log_data / "a.json").write_text(event())
    counts = warehouse.etl(song_data=warehouse.log_data).run.counts
    assert (counts.page_views, counts.events_duplicate, counts.songs_rejected) == (1, 0, 1)


def test_file_that_was_loaded_as_songs_is_new_as_a_log(warehouse: Sandbox) -> None:
    """What a file says of an event for the first time corrects nothing, though it was read as a song file before."""
    (warehouse.song_data / "b.json").write_text(event(level="paid"))
    (warehouse.log_data / "a.json").write_text(event(level="free"))
    warehouse.etl()
    os.utime(warehouse.song_data / "b.json", ns=(1, 1))  # so that it is delivered again as songs, in the same batch
    warehouse.etl(log_data=warehouse.song_data)
    assert warehouse.query("select level from page_views") == [("free",)]


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("how", ["full refresh", "create-tables"])
def test_staging_that_was_kept_goes_with_the_batch_that_it_held(warehouse: Sandbox, how: str) -> None:
    """Who makes the warehouse anew does not find an old batch in its file."""
    (warehouse.log_data / "a.json").write_text(event())
    warehouse.etl(keep_staging=True)
    assert warehouse.query("select userId from staging_events") == [("7",)]
    if how == "full refresh":
        warehouse.etl(full_refresh=True)
    else:
        with open_warehouse(warehouse.url) as engine:
            create_tables(engine)
    assert warehouse.query("select table_name from duckdb_tables() where table_name like 'staging%'") == []


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("name", ["sparkify.duckdb.rebuild", "sparkify.duckdb.sparkify-rebuild"])
def test_file_of_somebody_else_beside_the_warehouse_stays(warehouse: Sandbox, name: str) -> None:
    """What lies beside the file and is no database is not taken for what a rebuild has left."""
    (beside := warehouse.log_data.parent / name).write_text("mine, and longer than a header")
    (warehouse.log_data / "a.json").write_text(event())
    warehouse.etl()
    with suppress(WarehouseError):
        warehouse.etl(full_refresh=True)
    assert beside.read_text().startswith("mine")


@pytest.mark.parametrize("size", [1, 1 << 30])
def test_file_of_both_kinds_is_in_the_ledger_as_each(warehouse: Sandbox, size: int) -> None:
    """Whatever the batches, a file that is listed twice has a row as each kind, its reject stays, and it is done."""
    (warehouse.log_data / "a.json").write_text(event())
    warehouse.etl(song_data=warehouse.log_data, batch_size=size)
    assert sorted(warehouse.query("select source, rejected from etl_files")) == [("events", 0), ("songs", 1)]
    assert warehouse.query("select source from rejected_records") == [("songs",)]
    assert warehouse.etl(song_data=warehouse.log_data, batch_size=size).run.counts.files == 0


def test_titles_and_names_do_not_run_together(warehouse: Sandbox) -> None:
    """Two tracks whose title and artist are the same when written one after the other are two tracks."""
    told_apart = [("a\x1fb", "c"), ("a", "b\x1fc"), ("1:a", "b"), ("1", ":ab"), ("q", "x2:bb"), ("q5:x", "bb")]
    for item, (song, artist) in enumerate(told_apart):
        line = event(page="NextSong", song=song, artist=artist, length=1.5, itemInSession=item)
        (warehouse.log_data / f"{item}.json").write_text(line)
    warehouse.etl()
    assert warehouse.query("select count(*), count(distinct track_id) from tracks") == [(6, 6)]


def test_key_that_is_no_text_is_refused_before_anything_is_published(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lone surrogate in a key refuses its record, in a file read directly too, and the summary can be printed."""
    monkeypatch.setattr("sparkify.staging.fast_path.MIN_SIZE", 0)
    (warehouse.log_data / "a.json").write_text(event() + '{"\\ud800": 1}\n')
    words = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    assert main(["etl", *words, "--warehouse", warehouse.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"]["rejected"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr%zzet@localhost/db",
        "postgresql://u:p@s3cret@127.0.0.1:1/db",
        "postgresql:u:s3cret@h",
        "postgresql://[s3cret",
    ],
)
def test_url_that_is_not_understood_is_not_repeated(url: str) -> None:
    """A password with a character that has to be escaped is a common mistake: the message does not print it."""
    with pytest.raises(ConfigError) as told:
        open_warehouse(url)
    assert "s3c" not in str(told.value)


def test_schema_of_somebody_else_is_not_taken_to_rebuild_in(postgres: Server, tmp_path: Path) -> None:
    """A schema that is called as ours would be while rebuilding, and is not ours, stops the rebuild and stays."""
    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        beside = rebuild_schema("sparkify")
        warehouse.execute(f"create schema {beside}")
        warehouse.execute(f"create table {beside}.precious (x integer)")
        before = warehouse.contents()
        with pytest.raises(WarehouseError, match="Rename it"):
            warehouse.etl(full_refresh=True)
        assert warehouse.query(f"select count(*) from {beside}.precious") == [(0,)]
        assert warehouse.contents() == before


def test_who_connects_leaves_a_rebuild_at_work_alone(postgres: Server) -> None:
    """Only what a rebuild that died has left is cleaned up; one that is at work goes on to its end."""
    with postgres.database() as url, open_warehouse(url) as engine:
        create_missing_tables(engine)
        with engine.rebuild() as fresh:
            fresh.add_tables(model.ALL)
            fresh.execute("insert into users (user_id) values ('7')")
            with open_warehouse(url):
                pass
        assert engine.rows("select user_id from users") == [("7",)]


def test_rebuilt_tables_are_taken_over_while_no_other_run_publishes(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever would publish while a full refresh takes its tables over waits for it, and is told for whom."""
    execute = Postgres.execute
    told: list[str] = []

    def watched(self: Postgres, sql: str, parameters: Sequence[Any] = ()) -> int:
        if sql == "delete from songplays":  # all of them, to make room for those of the rebuild
            with open_warehouse(warehouse.url, read_only=True) as other:
                told.extend(other.other_runs())
            process = self.value("select pg_backend_pid()")
            assert [f"server process {process}," in line for line in told] == [True]
        return execute(self, sql, parameters)

    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        monkeypatch.setattr(Postgres, "execute", watched)
        warehouse.etl(full_refresh=True)
    assert len(told) == 1


@pytest.mark.parametrize("schema", ["s" * 64, "pg_ours", "information_schema"])
def test_schema_that_cannot_be_ours_is_refused(postgres: Server, schema: str) -> None:
    """A name too long for PostgreSQL, or one of its own, is told at once."""
    with postgres.database() as url, pytest.raises(ConfigError, match="SCHEMA"):
        open_warehouse(url, Config(schema=schema))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"text", "is not a DuckDB file"), (b"SQLite format 3\0", "is not a DuckDB file"), (b"", "cannot be opened")],
)
def test_file_that_is_no_warehouse_is_told_at_once(tmp_path: Path, content: bytes, reason: str) -> None:
    """It is not taken for a warehouse that another process has locked, though its path speaks of a lock."""
    path = tmp_path / "block.duckdb"
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match=reason):
        open_warehouse(f"duckdb:///{path}")
    assert path.read_bytes() == content


def test_warehouse_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name by which DuckDB would mean its memory, or a server, is a name; one that it cannot take is refused."""
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "md:x"):
        with open_warehouse(f"duckdb:///{name}") as engine:
            engine.execute("create table numbers (a integer)")
        assert (tmp_path / name).is_file()
    with pytest.raises(ConfigError, match="holds a \\?"):
        open_warehouse("duckdb:///a?b=c")


def test_tables_of_somebody_else_are_left_alone(warehouse: Sandbox) -> None:
    """Where a table of one of our names is not ours, nothing is made, dropped or changed."""
    with open_warehouse(warehouse.url, Config()) as engine:
        engine.execute("create table users (a integer)")
    for command in (["create-tables", "--yes"], ["etl", "--log-data", str(warehouse.log_data)]):
        assert main([*command, "--warehouse", warehouse.url]) == 1
    with open_warehouse(warehouse.url, Config()) as engine:
        assert set(engine.comments()) == {("users", ""), ("users", "a")}


@pytest.mark.parametrize("size", ["9" * 400, "0", "-1", "1XB"])
def test_size_that_is_none_is_wrong_usage(size: str) -> None:
    """A batch size beyond any file is told like any other wrong one."""
    with pytest.raises(SystemExit) as ended:
        main(["etl", "--batch-size", size])
    assert ended.value.code == 2


@pytest.mark.parametrize("name", ["x" * 300, ""])
def test_warehouse_that_cannot_be_a_file_is_told_plainly(tmp_path: Path, name: str) -> None:
    """A path too long, or a folder, is an error that says so."""
    with pytest.raises(WarehouseError):
        open_warehouse(f"duckdb:///{tmp_path / name}")


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_row_groups_do_not_pile_up(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small loads leave small row groups in a DuckDB file; every now and then a load merges them."""
    monkeypatch.setattr("sparkify.warehouse.duckdb._MERGE_EVERY", 5)
    found: list[int] = []
    for night in range(10):
        (warehouse.log_data / f"{night}.json").write_text(event(itemInSession=night))
        warehouse.etl()
        [groups] = warehouse.query("select count(distinct row_group_id) from pragma_storage_info('page_views')")
        found += groups
    assert found[3] > 1
    assert found[4] == found[9] == 1
    assert warehouse.query("select count(*) from page_views") == [(10,)]


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_too_little_memory_names_the_setting(warehouse: Sandbox) -> None:
    """A load for which DuckDB may not take enough memory fails, and says what to raise."""
    lines = "".join(event(itemInSession=item, location="x" * 400 + str(item)) for item in range(20_000))
    (warehouse.log_data / "a.json").write_text(lines)
    warehouse.environ = {"SPARKIFY_WAREHOUSE_MEMORY": "10MB"}
    with pytest.raises(WarehouseError, match=r"Raise \[WAREHOUSE\] MEMORY, or lower --batch-size\.$"):
        warehouse.etl()
