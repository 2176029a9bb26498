"""Files that sparkify writes can be read back unchanged, whatever their folder and content."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from tests.promises.deliveries import HEARD, play, song, write
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.errors import ConfigError
from sparkify.warehouse import export

ODD = (
    "a\r\nb",
    "a\rb",
    "a\nb",
    "\r\n",
    'one "two" three',
    '"',
    '",\r\n"',
    "a,b;c|d\te",
    "\\N",
    "\\",
    "a\n\\.\nb",
    "NULL",
    " in front",
    "=1+1",
    "\u2028\u0085",
    "x" * 200,
)


def csv_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of an exported CSV, read by Python's own reader."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def export_csv(warehouse: Sandbox, folder: Path, *names: str) -> dict[str, Path]:
    """Export tables as CSV."""
    with warehouse.reading() as engine:
        return export.export_tables(engine, folder, "csv", names)


def test_exported_csv_holds_every_text_unchanged(warehouse: Sandbox, tmp_path: Path) -> None:
    """Line endings, quotes, separators and backslashes in a text are the same in the exported CSV."""
    plays = [play(60 * n, song=f"{n}{odd}{n}", artist=f"{odd}.") for n, odd in enumerate(ODD)]
    write(warehouse.log_data / "odd.json", *plays)
    warehouse.etl()
    stored = warehouse.query("select title, artist_name from tracks")
    assert len(stored) == len(ODD)
    [path] = export_csv(warehouse, tmp_path / "out", "tracks").values()
    assert sorted((row["title"], row["artist_name"]) for row in csv_rows(path)) == sorted(stored)


def test_text_is_no_formula_in_a_spreadsheet(warehouse: Sandbox, tmp_path: Path) -> None:
    """With --spreadsheet, a quote precedes text that begins like a formula; other text and numbers are unchanged."""
    formulas = ["=1+1", "+1", "-1", "@sum(a1)", "\tx", "\rx"]
    others = ["a=1", "'=1", '"=1"', " =1", "Ünï"]
    write(
        warehouse.log_data / "odd.json",
        *(play(n, song=title, artist="=a") for n, title in enumerate(formulas + others)),
    )
    write(warehouse.song_data / "song.json", song("SO1", HEARD, "AR1") | {"artist_latitude": -5.5})
    warehouse.etl()
    with warehouse.reading() as engine:
        names = ("tracks", "artists")
        files = export.export_tables(engine, tmp_path / "out", "csv", names, spreadsheet=True)
        with pytest.raises(ConfigError, match="Omit --format or --spreadsheet"):
            export.export_tables(engine, tmp_path / "other", "parquet", names, spreadsheet=True)
    tracks = csv_rows(files["tracks"])
    assert {row["title"] for row in tracks} == {f"'{title}" for title in formulas} | set(others)
    assert {row["artist_name"] for row in tracks} == {"'=a"}
    assert [row["latitude"] for row in csv_rows(files["artists"])] == ["-5.5"]


def test_name_of_the_temporary_folder_changes_no_data(
    make_warehouse: Warehouses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary folder whose path looks like hive partitions changes nothing that is loaded or exported."""
    usual, odd = make_warehouse(), make_warehouse()
    folder = tmp_path / "file_id=0" / "position=1" / "line=7" / "problem=none" / "record={}" / "title=other"
    folder.mkdir(parents=True)
    for warehouse in (usual, odd):
        write(warehouse.log_data / "bad.json", '{"ts": ', *(play(n, song=f"Song {n}") for n in range(3)))
        deliver(warehouse)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
    expected, found = usual.contents(), odd.contents()
    for contents in (expected, found):
        contents["etl_files"] = contents["rejected_records"] = []  # They name the folder of the warehouse.
    assert found == expected
    assert [row[1:] for row in sorted(odd.query("select line, reason, record from rejected_records"))] == [
        row[1:] for row in sorted(usual.query("select line, reason, record from rejected_records"))
    ]
    [path] = export_csv(odd, tmp_path / "out", "tracks").values()
    assert sorted(row["title"] for row in csv_rows(path)) == sorted(
        title for (title,) in usual.query("select title from tracks")
    )
