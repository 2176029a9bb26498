"""Exported files are complete, hold the rows of the tables, and replace nothing without --force."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.promises import deliveries
from tests.promises.deliveries import play, write
from tests.support.listening import deliver
from tests.support.sandbox import Row, Sandbox

from sparkify import config, filesystem
from sparkify.cli.main import main
from sparkify.errors import ConfigError, WarehouseError
from sparkify.sql import dictionary, model
from sparkify.warehouse import embedded, export
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.export import FORMATS, Format

EVERYTHING = (*model.ALL, *model.VIEWS)

_CSV = "read_csv(?, header = true, all_varchar = true, allow_quoted_nulls = false)"


def exported(warehouse: Sandbox, folder: Path, form: Format, *names: str) -> dict[str, Path]:
    """Export tables and views of a warehouse."""
    with warehouse.reading() as engine:
        return export.export_tables(engine, folder, form, names or model.ALL)


def read(path: Path, like: list[Row]) -> list[Row]:
    """Return the rows of a file; the values of a CSV as comparable text."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"from {_CSV if path.suffix == '.csv' else 'read_parquet(?)'}", [str(path)]
        ).fetchall()
    return rows if path.suffix == ".parquet" else [_as_text(row) for row in rows] if like else rows


def _as_text(row: Row) -> Row:
    return tuple(None if value is None else _comparable(value) for value in row)


def _comparable(value: object) -> str:
    """Return the text of a value, so that 1, 1.0 and their texts are equal."""
    try:
        return f"{float(str(value)):.12g}"
    except ValueError:
        text = str(value)
        return text.rstrip("0") if ":" in text and "." in text else text


def types(path: Path) -> list[tuple[str, str]]:
    """Return the columns of a Parquet file with their types."""
    with duckdb.connect() as connection:
        columns = connection.execute("describe from read_parquet(?)", [str(path)]).fetchall()
    return [(name, kind) for name, kind, *_ in columns]


def described(name: str) -> list[tuple[str, str]]:
    """Return the columns of a table or view as in the data dictionary."""
    return [(column.name, column.type.upper()) for column in dictionary.entry(name).columns]


@pytest.mark.parametrize("form", FORMATS)
def test_files_hold_what_tables_and_views_hold(form: Format, warehouse: Sandbox, tmp_path: Path) -> None:
    """Every table and view can be exported, and its file holds its rows."""
    write(warehouse.log_data / "odd.json", play(7, song='"a", \n b;', artist="Zoë 🎵", level="paid", firstName="=1+1"))
    deliver(warehouse)
    files = exported(warehouse, tmp_path / "out", form, *EVERYTHING)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.{form}" for name in EVERYTHING}
    for name, path in files.items():
        rows = warehouse.query(f"select * from {name}")
        expected = rows if form == "parquet" else [_as_text(row) for row in rows]
        assert sorted(read(path, rows), key=repr) == sorted(expected, key=repr), name


@pytest.mark.parametrize("form", FORMATS)
def test_every_engine_exports_what_duckdb_exports(form: Format, warehouse: Sandbox, tmp_path: Path) -> None:
    """The files of every engine hold the same rows, apart from runs and their times."""
    write(warehouse.log_data / "odd.json", play(7, song='"a", \n\\ b;', artist="Zoë 🎵  ", length=0.1 + 0.2))
    deliver(warehouse)
    embedded = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    embedded.etl(warehouse.log_data, warehouse.song_data)
    of_it = exported(warehouse, tmp_path / "one", form, *EVERYTHING)
    of_duckdb = exported(embedded, tmp_path / "other", form, *EVERYTHING)
    for name in EVERYTHING:
        assert comparable(of_it[name]) == comparable(of_duckdb[name]), name


def comparable(path: Path) -> list[Row]:
    """Return the sorted rows of an exported file, without the columns that depend on the run."""
    own = {"run_id", "loaded_at", "last_loaded_at"}
    if path.stem == "etl_runs":
        own |= {"started_at", "finished_at"}
    reader = _CSV if path.suffix == ".csv" else "read_parquet(?)"
    with duckdb.connect() as connection:
        found = connection.execute(f"from {reader}", [str(path)])
        shared = [number for number, (name, *_) in enumerate(found.description or []) if name not in own]
        return sorted((tuple(row[number] for number in shared) for row in found.fetchall()), key=repr)


@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_files_are_of_one_moment(warehouse: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of one export belong together: none holds what a run publishes while they are written."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    before = {name: warehouse.query(f"select * from {name}") for name in ("songplays", "page_views", "users")}
    deliveries.second(warehouse.log_data, warehouse.song_data)
    copy_out = embedded.copy_out

    def publish_before_the_next(*words: Any) -> None:
        copy_out(*words)
        monkeypatch.setattr(embedded, "copy_out", copy_out)
        assert warehouse.etl().run.counts.page_views > 0

    monkeypatch.setattr(embedded, "copy_out", publish_before_the_next)
    for name, path in exported(warehouse, tmp_path / "out", "parquet", *before).items():
        assert sorted(read(path, before[name]), key=repr) == sorted(before[name], key=repr), name


def test_parquet_of_every_engine_has_the_documented_types(warehouse: Sandbox, tmp_path: Path) -> None:
    """A column has the type of the data dictionary, on every engine."""
    deliver(warehouse)
    for name, path in exported(warehouse, tmp_path / "out", "parquet", *EVERYTHING).items():
        assert types(path) == described(name), name


def test_table_without_rows_is_exported_with_its_columns(warehouse: Sandbox, tmp_path: Path) -> None:
    """An empty table or view becomes a file with its columns and no rows."""
    warehouse.etl()
    for name, path in exported(warehouse, tmp_path / "one", "parquet", *EVERYTHING).items():
        assert types(path) == described(name), name
        assert len(read(path, [])) == warehouse.query(f"select count(*) from {name}")[0][0], name
    [path] = exported(warehouse, tmp_path / "other", "csv", "users").values()
    assert path.read_text(encoding="utf-8-sig").split() == [",".join(column for column, _ in described("users"))]


def test_file_that_cannot_be_written_is_named(warehouse: Sandbox, tmp_path: Path) -> None:
    """An error while writing names the file."""
    deliver(warehouse)
    path = tmp_path / "gone" / "users.csv"
    with warehouse.reading() as engine, pytest.raises(WarehouseError, match=f"{path}: the file cannot be written"):
        engine.write_files({"users": path}, "csv")


def test_csv_opens_in_a_spreadsheet(warehouse: Sandbox, tmp_path: Path) -> None:
    """A CSV begins with a byte order mark and column names, and quotes and line breaks stay in their cells."""
    write(warehouse.log_data / "odd.json", play(7, song='"a", \n b;', artist="Zoë"))
    warehouse.etl()
    [path] = exported(warehouse, tmp_path / "out", "csv", "tracks").values()
    assert path.read_bytes().startswith(b"\xef\xbb\xbftrack_id,")
    with path.open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["title"], row["artist_name"], row["song_id"]) == ('"a", \n b;', "Zoë", "")


def test_existing_file_is_replaced_only_when_forced(warehouse: Sandbox, tmp_path: Path) -> None:
    """Without --force nothing is written at all; with it, existing files are replaced."""
    deliver(warehouse)
    (tmp_path / "users.csv").write_text("mine")
    with pytest.raises(WarehouseError, match="--force"):
        exported(warehouse, tmp_path, "csv", "songs", "users")
    assert not (tmp_path / "songs.csv").exists()
    assert (tmp_path / "users.csv").read_text() == "mine"
    with warehouse.reading() as engine:
        export.export_tables(engine, tmp_path, "csv", ["users"], force=True)
    assert (tmp_path / "users.csv").read_text(encoding="utf-8") != "mine"


def test_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """A write that stops in the middle leaves the old file unchanged and no other file."""
    path = tmp_path / "users.csv"
    path.write_text("old")

    def stop() -> None:
        with filesystem.write_whole(path) as beside:
            beside.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_reader_of_the_old_file_reads_on(warehouse: Sandbox, tmp_path: Path) -> None:
    """A file is replaced at once, so that an open old file can be read to its end."""
    deliver(warehouse)
    path = tmp_path / "users.csv"
    path.write_text("old")
    with (
        path.open() as opened,
        open_warehouse(warehouse.url, config.load(environ=warehouse.environ), read_only=True) as engine,
    ):
        export.export_tables(engine, tmp_path, "csv", ["users"], force=True)
        assert opened.read() == "old"
    assert path.read_text(encoding="utf-8") != "old"


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_pipe_or_folder_is_never_replaced(kind: str, tmp_path: Path) -> None:
    """A pipe or a folder is never replaced, forced or not, and no other file is left."""
    path = tmp_path / "users.csv"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    before = path.stat().st_ino
    with pytest.raises(WarehouseError, match="this is a folder or device"), filesystem.write_whole(path) as beside:
        beside.write_text("new")
    assert path.stat().st_ino == before
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_table_is_wrong_usage(warehouse: Sandbox, tmp_path: Path) -> None:
    """Only known tables and views are exported, so no other text gets into a statement."""
    deliver(warehouse)
    with pytest.raises(ConfigError, match="no table or view has this name"):
        exported(warehouse, tmp_path, "csv", "users; drop table users")


@pytest.mark.parametrize(
    ("chosen", "names"), [([], EVERYTHING), (["--table", "users"], ("users", *model.VIEWS))], ids=["all", "users"]
)
def test_views_are_exported_on_request(tmp_path: Path, chosen: list[str], names: tuple[str, ...]) -> None:
    """With --views, all views are exported beside all tables, or beside the chosen ones."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliver(warehouse)
    assert main(["export", "--warehouse", warehouse.url, "--out", str(tmp_path / "out"), "--views", *chosen]) == 0
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(names)


def test_command_lists_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`sparkify export` lists the files that it wrote, as text and as JSON."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliver(warehouse)
    command = ["export", "--warehouse", warehouse.url, "--out", str(tmp_path / "out"), "--table", "daily_listeners"]
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("daily_listeners.parquet\n")
    assert main([*command, "--format", "csv", "--json"]) == 0
    [wrote] = json.loads(capsys.readouterr().out)
    assert (wrote["table"], Path(wrote["path"]).stat().st_size) == ("daily_listeners", wrote["bytes"])
