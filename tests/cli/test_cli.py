"""The command line: stdout is data, stderr is narration, exit codes say how it went, and no secret comes out."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
import redshift_connector
from tests.promises import deliveries
from tests.promises.deliveries import view, write
from tests.support.realdata import catalogue_records
from tests.support.terminal import on_terminal

from sparkify.cli.main import main, parser
from sparkify.errors import SparkifyError
from sparkify.sql import model
from sparkify.warehouse import connect
from sparkify.warehouse.connect import open_warehouse

COMMANDS = (
    "create-tables",
    "etl",
    "status",
    "rejects",
    "check",
    "query",
    "describe",
    "export",
    "report",
    "dashboard",
    "generate",
    "cluster",
)
URL = "duckdb:///sparkify.duckdb"


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Sparkify = Callable[..., Said]


@pytest.fixture
def sparkify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sparkify:
    """Return the command line, run in a folder of its own, without a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str) -> Said:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def filled(sparkify: Sparkify) -> Sparkify:
    """Return the command line in a folder with both deliveries, loaded into the default warehouse."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    deliveries.second(Path("data/log_data"), Path("data/song_data"))
    assert sparkify("etl").code == 0
    return sparkify


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the same, which no test may change."""
    folder = tmp_path_factory.mktemp("kept")
    sources = [folder / "data/log_data", folder / "data/song_data"]
    deliveries.first(*sources)
    deliveries.second(*sources)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        assert main(["etl"]) == 0
    return folder


@pytest.fixture
def reading(sparkify: Sparkify, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Sparkify:
    """Return the command line in that folder: for tests that only look."""
    monkeypatch.chdir(kept)
    return sparkify


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of the default warehouse."""
    with open_warehouse(URL, read_only=True) as engine:
        return {table: sorted(engine.rows(f"select * from {table}"), key=repr) for table in model.ALL}


# Help, imports, exit codes


def test_numbers_of_things_are_grammatical(sparkify: Sparkify) -> None:
    """One is one song, one row, one record."""
    said = sparkify("generate", "--out", "data", "--songs", "1", "--users", "0")
    assert said.err == "Wrote 1 song and 0 events to data.\n"
    write(Path("data/log_data/1.json"), "{broken")
    assert sparkify("etl").code == 0
    assert sparkify("rejects").err == "1 rejected record.\n"


def test_every_command_is_tested_here(sparkify: Sparkify) -> None:
    """The commands are those of this file."""
    assert f"choose from {', '.join(map(repr, COMMANDS))})" in sparkify("unknown").err.replace('"', "'")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_ends_with_an_example_that_parses(
    sparkify: Sparkify, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Every command says what it does, and shows a call that it would take, on one line to be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    said = sparkify(command, "--help")
    assert said.code == 0
    before, _, example = said.out.splitlines()[-1].partition(f"example: sparkify {command} ")
    assert example
    assert not before
    assert parser().parse_args([command, *shlex.split(example)]).command


def test_help_imports_no_engine_and_no_terminal_library() -> None:
    """`sparkify --help` is quick, since it loads nothing that it does not need."""
    program = (
        "import sys; from sparkify.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print({'duckdb', 'rich', 'boto3', 'jinja2', 'uvicorn'} & set(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "set()"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["etl", "--nonsense"],
        ["query"],
        ["query", "select 1", "--format", "xml"],
        ["etl", "--config", "missing.cfg"],
        ["etl", "--log-data", ""],
        ["etl", "--warehouse", "nonsense"],
        *(["etl", f"--batch-size={size}"] for size in ("", "0", "-1", "lots", "1XB", "0.1")),
        *(["etl", f"--max-rejected={limit}"] for limit in ("", "-1", "1.5", "101%", "some", "%")),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(sparkify: Sparkify, arguments: list[str]) -> None:
    """What is mistyped is said on stderr, with exit code 2, and makes no warehouse."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    said = sparkify(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "sparkify" in said.err
    assert not Path("sparkify.duckdb").exists()


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("500MB", 500_000_000), ("1.5 gb", 1_500_000_000), ("2KiB", 2048), ("3T", 3 * 10**12)]
)
def test_batch_size_takes_the_usual_units(text: str, size: int) -> None:
    """A size is a number of bytes, or of thousands, millions and so on; KiB and its like are powers of 1024."""
    assert parser().parse_args(["etl", "--batch-size", text]).batch_size == size


def test_failed_run_ends_with_1_and_leaves_nothing(sparkify: Sparkify) -> None:
    """A folder that is not there fails the run; the message names it, and no empty warehouse remains."""
    said = sparkify("etl", "--log-data", "nowhere", "--song-data", "nowhere")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("sparkify: nowhere: there is no such folder.")
    assert not Path("sparkify.duckdb").exists()


@pytest.mark.parametrize("command", [["status"], ["rejects"], ["check"], ["query", "select 1"]])
def test_missing_warehouse_is_told_with_what_to_do(sparkify: Sparkify, command: list[str]) -> None:
    """Who asks a warehouse that is not there reads how to make it, and none is made."""
    said = sparkify(*command)
    assert (said.code, said.out) == (1, "")
    assert "sparkify etl" in said.err
    assert not Path("sparkify.duckdb").exists()


@pytest.mark.parametrize(
    "command",
    [["report", "--out"], ["export", "--out"], ["generate", "--out"], ["etl", "--config"], ["etl", "--warehouse"]],
)
def test_empty_value_is_a_mistake(sparkify: Sparkify, command: list[str]) -> None:
    """An unset shell variable is wrong usage; nothing is written, least of all where we are."""
    said = sparkify(*command, "")
    assert (said.code, said.out) == (2, "")
    assert f"{command[1]}: the path is empty." in said.err or f"{command[1]} is empty." in said.err
    assert list(Path().iterdir()) == []


def test_folder_that_may_not_be_written_is_told_before_anything_is_read(
    sparkify: Sparkify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB writes a log beside its file: where it may not, a run ends before its work, and not behind it."""
    with TemporaryDirectory() as folder:  # below a folder that everybody may enter
        monkeypatch.chdir(folder)
        deliveries.first(Path("data/log_data"), Path("data/song_data"))
        assert sparkify("create-tables").code == 0
        Path("sparkify.duckdb").chmod(0o666)
        Path(folder).chmod(0o555)
        somebody = os.getuid() or 65534  # root may write everywhere
        os.setresuid(somebody, somebody, os.getuid())
        try:
            said = sparkify("etl")
        finally:
            os.setresuid(*[os.getresuid()[2]] * 3)
            Path(folder).chmod(0o755)
            monkeypatch.chdir("/")
    assert (said.code, said.out) == (1, "")
    assert said.err.endswith("Fix its permissions, or set [WAREHOUSE] URL.\n")
    assert "Loading" not in said.err


def test_debug_shows_the_traceback(sparkify: Sparkify) -> None:
    """`--debug` lets the error through as it is."""
    with pytest.raises(Exception, match="no such folder"):
        sparkify("etl", "--debug")


# etl


def test_json_of_a_run_is_all_of_stdout(sparkify: Sparkify) -> None:
    """With --json stdout is one JSON document; what goes on is told on stderr."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    said = sparkify("etl", "--json")
    summary = json.loads(said.out)
    assert summary["events"] == {"read": 62, "songplays": 48, "page_views": 12, "duplicates": 1, "rejected": 1}
    assert summary["songs"] == {"read": 1, "added_or_changed": 1, "duplicates": 0, "rejected": 0}
    assert summary["tables"]["songplays"] == {"rows": 48, "added_or_changed": 48}
    assert "3 files" in said.err


def test_run_without_anything_new_says_so(reading: Sparkify) -> None:
    """The second run ends well, and its one line says that there was nothing to do."""
    before = everything()
    said = reading("etl")
    assert said.code == 0
    assert said.out.startswith("Nothing new: all 6 files are already in sparkify.duckdb.")
    assert everything() == before


def test_dry_run_lists_and_makes_no_warehouse(sparkify: Sparkify) -> None:
    """--dry-run names every file that would be loaded, and nothing is there afterwards that was not before."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    said = sparkify("etl", "--dry-run")
    assert [Path(line.split()[-1]).name for line in said.out.splitlines()] == ["heard.json", "1.json", "2.json"]
    assert "Would load 3 files" in said.err
    assert [path.name for path in Path.cwd().iterdir()] == ["data"]


def test_dry_run_lists_only_what_is_pending(filled: Sparkify) -> None:
    """On a warehouse that holds something, --dry-run names what is new or changed, and changes nothing."""
    write(Path("data/log_data/9.json"), view(200))
    write(Path("data/log_data/1.json"), view(201))
    before = everything()
    listed = json.loads(filled("etl", "--dry-run", "--json").out)
    assert [(file["kind"], Path(file["path"]).name) for file in listed] == [("events", "1.json"), ("events", "9.json")]
    assert len(json.loads(filled("etl", "--dry-run", "--full-refresh", "--json").out)) == 7
    assert everything() == before


@pytest.mark.parametrize(("options", "claimed"), [([], True), (["--full-refresh"], False)])
def test_failed_run_says_what_it_published(sparkify: Sparkify, options: list[str], claimed: bool) -> None:
    """A run that rejects too much in its third batch has published two, unless it was a full refresh."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    write(Path("data/log_data/3.json"), "{broken", view(200))
    said = sparkify("etl", "--batch-size", "7kB", "--max-rejected", "1", *options)
    assert (said.code, said.out) == (1, "")
    assert f"{Path('data/log_data/3.json').absolute()}:1: not valid JSON" in said.err
    assert ("Earlier batches are published" in said.err) is claimed
    assert any(everything().values()) is claimed


def counts(sparkify: Sparkify, *statements: str) -> list[int]:
    """Return the one number of each of some SELECTs."""
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
    """The public sample gives what independent programs count in it."""
    said = sparkify("etl", "--log-data", str(real / "log_data"), "--song-data", str(real / "song_data"), "--json")
    assert json.loads(said.out)["events"]["read"] == 8056
    assert counts(sparkify, *OF_REAL_DATA) == [6820, 1, 21, 1236, 97, 22, 71, 69, 8023, 6813, 0]


def test_real_logs_with_the_whole_catalogue_give_the_known_counts(sparkify: Sparkify, real: Path) -> None:
    """With all 14,896 songs 327 plays find their song, and 4,451 their artist."""
    for name, content in catalogue_records(real):
        path = Path("song_data", *name[2:5], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sparkify("etl", "--log-data", str(real / "log_data"), "--song-data", "song_data")
    assert counts(sparkify, *OF_REAL_DATA) == [6820, 327, 4451, 1236, 97, 22, 14896, 9553, 8023, 6813, 0]


@pytest.mark.parametrize("name", ["dwh.cfg", "log.txt", "json", "log.json.zip"])
def test_named_file_that_is_no_json_is_refused(sparkify: Sparkify, name: str) -> None:
    """A file named by mistake, such as one with passwords, is not read as events into rejected_records."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    Path(name).write_text("[CLUSTER]\nDB_PASSWORD = hunter2\n")
    said = sparkify("etl", "--log-data", name)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"sparkify: {name}: this is not a .json or .json.gz file.")
    assert not Path("sparkify.duckdb").exists()


# What stdout and the arguments may do


def in_shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which `sparkify` is ours."""
    line = command.replace("sparkify", f"{shlex.quote(sys.executable)} -m sparkify", 1)
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize("to", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("command", ["status", "status --json", "query 'select 1' --format csv", "describe", "etl"])
@pytest.mark.usefixtures("reading")
def test_output_that_cannot_be_written_is_told_in_a_line(command: str, to: str) -> None:
    """Where stdout is full or closed, a command ends with 1 and says so."""
    for unbuffered in ("", "1"):
        ended = in_shell(f"sparkify {command} {to}", PYTHONUNBUFFERED=unbuffered)
        assert ended.returncode == 1
        assert re.fullmatch(r"sparkify: stdout .+\n", ended.stderr)


def test_what_is_said_never_goes_to_stdout(reading: Sparkify) -> None:
    """With stderr closed, stdout holds the data and nothing else."""
    assert in_shell("sparkify etl --json 2>&-").stdout.startswith("{")
    assert in_shell("sparkify rejects 2>&-").stdout == reading("rejects").out


@pytest.mark.usefixtures("reading")
def test_reader_of_the_output_may_stop_early() -> None:
    """`sparkify describe | true` is no error."""
    assert in_shell("sparkify describe | true").stderr == ""


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("command", ["describe top_tracks", "query 'select null as n, chr(246) as o'"])
@pytest.mark.usefixtures("reading")
def test_output_is_written_in_any_encoding(command: str) -> None:
    """What the encoding of a terminal or a file lacks stands there as an escape."""
    ended = in_shell(f"sparkify {command}", **ASCII)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()


@pytest.mark.usefixtures("reading")
def test_json_is_json_in_any_encoding() -> None:
    """What the encoding lacks is escaped as JSON does it."""
    for character in (246, 128512):
        said = in_shell(f"sparkify query 'select chr({character}) as c' --format json", **ASCII).stdout
        assert json.loads(said) == [{"c": chr(character)}]


@pytest.mark.parametrize("arguments", ["query \xff", "export --out \xff", "describe \xff", "rejects --file \xff"])
@pytest.mark.usefixtures("reading")
def test_argument_that_is_no_text_is_wrong_usage(arguments: str) -> None:
    """An argument whose bytes are not UTF-8 is named, and nothing is done."""
    ended = subprocess.run(
        [sys.executable, "-m", "sparkify", *arguments.encode("latin-1").split()], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr == b"sparkify: b'\\xff': the argument is not text in this locale. Write it in UTF-8.\n"


@pytest.mark.parametrize("command", [["query", "select 1"], ["check"], ["etl"]])
def test_interrupted_command_says_what_fits_it(
    reading: Sparkify, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Ctrl-C ends with 130; only a run says what it has published."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(connect, "warehouse_class", interrupt)
    said = reading(*command)
    assert (said.code, said.out) == (130, "")
    what_now = " Batches published before are complete. Run again to load the rest." if command == ["etl"] else ""
    assert said.err == f"sparkify: interrupted.{what_now}\n"


# create-tables


def test_create_tables_needs_no_yes_where_nothing_is_lost(sparkify: Sparkify) -> None:
    """A new warehouse, and one whose tables are empty, are made without a question."""
    assert [sparkify("create-tables").code for _ in range(2)] == [0, 0]
    assert everything() == {table: [] for table in model.ALL}


def test_create_tables_refuses_without_a_terminal_and_without_yes(reading: Sparkify) -> None:
    """A script that did not say --yes does not lose a row, and reads what to say."""
    before = everything()
    said = reading("create-tables")
    assert said.code == 2
    assert "--yes" in said.err
    assert everything() == before


def test_create_tables_with_yes_empties_every_table(filled: Sparkify) -> None:
    """--yes drops every row without a question; the next run loads all files anew."""
    assert filled("create-tables", "--yes").code == 0
    assert everything() == {table: [] for table in model.ALL}
    assert json.loads(filled("etl", "--json").out)["files"]["loaded"] == 6


@pytest.mark.parametrize(("answer", "kept"), [("n\n", True), ("\n", True), ("y\n", False), ("Yes\n", False)])
@pytest.mark.usefixtures("filled")
def test_create_tables_asks_on_a_terminal(answer: str, kept: bool) -> None:
    """On a terminal only a clear yes drops what is there."""
    before = everything()
    code, shown = on_terminal("create-tables", answer=answer)
    assert code == 0
    assert f"sparkify.duckdb holds {sum(map(len, before.values()))} rows. Drop all of them? [y/N]" in shown
    assert (everything() == before) is kept
    assert any(everything().values()) is kept


# status, rejects


def test_status_tells_what_is_loaded_and_what_waits(filled: Sparkify) -> None:
    """`status --json` has the rows of each table, the files loaded and pending, and the last runs, newest first."""
    write(Path("data/log_data/9.json"), view(200))
    filled("etl")
    write(Path("data/log_data/10.json"), view(300))
    state = json.loads(filled("status", "--json").out)
    assert state["rows"] == {table: len(rows) for table, rows in everything().items()}
    assert (state["files_loaded"], state["files_pending"]) == (7, 1)
    assert state["bytes_pending"] == Path("data/log_data/10.json").stat().st_size
    assert [run["files"] for run in state["runs"]] == [1, 6]
    assert state["newest_event"].startswith("2018-11-01")


def test_status_is_told_to_people_too(reading: Sparkify) -> None:
    """`status` shows every table with its rows, the files, and the age of the newest event."""
    lines = [line.split() for line in reading("status").out.splitlines()]
    for table, rows in everything().items():
        assert [table, str(len(rows))] in lines
    assert ["files", "6", "loaded,", "0", "pending", "(0", "B)"] in lines
    assert any(line[:3] == ["newest", "event", "2018-11-01"] for line in lines)


def test_status_works_without_the_sources(filled: Sparkify) -> None:
    """A warehouse can be looked at where its files cannot; the reason is told."""
    Path("data").rename("elsewhere")
    said = filled("status")
    assert said.code == 0
    assert "there is no such folder" in said.err
    folders = ("--log-data", "elsewhere/log_data", "--song-data", "elsewhere/song_data")
    assert json.loads(filled("status", "--json", *folders).out)["not_listed"] == ""


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ([], [("1.json", "{broken"), ("2.json", "[]")]),
        (["--file", "LOG_DATA/2"], [("2.json", "[]")]),
        (["--reason", "Not Valid"], [("1.json", "{broken")]),
        (["--reason", "%"], []),
        (["--file", "1.json", "--reason", "object"], []),
    ],
)
def test_rejects_are_chosen_by_words(reading: Sparkify, chosen: list[str], found: list[tuple[str, str]]) -> None:
    """--file and --reason leave those records whose path and reason hold the words, whatever their case."""
    rejects = json.loads(reading("rejects", *chosen, "--json").out)
    assert [(Path(reject["file"]).name, reject["record"]) for reject in rejects] == found
    assert all(set(reject) >= {"file", "line", "reason", "record"} for reject in rejects)


def test_rejects_are_told_with_their_place(reading: Sparkify) -> None:
    """People read file, line and reason as a compiler writes them, and the record below."""
    said = reading("rejects")
    log = Path("data/log_data/1.json").absolute()
    assert said.out.splitlines()[:2] == [f"{log}:31: not valid JSON", "    {broken"]
    assert said.err == "2 rejected records.\n"


# report


@pytest.mark.parametrize("days", [["--since", "2018-12-01"], ["--until", "2018-10-31"]])
def test_report_of_days_without_data_leaves_the_last_one(reading: Sparkify, tmp_path: Path, days: list[str]) -> None:
    """Days before or after all data are refused with those of the data, and nothing is written."""
    out = tmp_path / "report.html"
    out.write_text("<!doctype html>good")
    said = reading("report", *days, "--out", str(out))
    assert (said.code, said.out) == (2, "")
    assert f"sparkify: {' '.join(days)}: there is no data in this period. Choose days from 2018-11-01 to " in said.err
    assert out.read_text() == "<!doctype html>good"


@pytest.mark.parametrize("day", ["--since", "--until"])
def test_report_of_the_first_or_last_day_alone_is_written(reading: Sparkify, tmp_path: Path, day: str) -> None:
    """The days named are in the report themselves, so one that is all that there is of data is enough."""
    out = tmp_path / "report.html"
    assert reading("report", day, "2018-11-01", "--out", str(out)).code == 0
    assert "1 November 2018" in out.read_text()


# On a terminal, and secrets


@pytest.mark.parametrize(
    "command",
    [
        *("status", "check", "rejects", "etl --full-refresh"),
        *("describe", "describe weekly_retention", "report", "export --out files"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_output_fits_80_columns(command: str) -> None:
    """On a terminal of 80 columns no line that is not a path is longer, even with many millions of plays."""
    with open_warehouse(URL) as engine:
        engine.execute("update etl_runs set songplays = songplays + 123456789, events_read = events_read + 123456789")
    code, shown = on_terminal(*command.split())
    assert code == 0
    lines = [line for line in shown.splitlines() if not line.startswith(str(Path.cwd()))]
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.usefixtures("reading")
def test_terminal_that_does_not_know_its_width_has_80_columns() -> None:
    """COLUMNS=0, as some terminals have it, is no width."""
    _, shown = on_terminal("describe", "songs")
    assert "song_id" in shown
    assert on_terminal("describe", "songs", columns="0") == (0, shown)


def test_summary_of_the_real_data_fits_80_columns(sparkify: Sparkify, real: Path) -> None:
    """The summary of a run over thousands of records stays within 80 columns."""
    assert sparkify("create-tables").code == 0
    _, shown = on_terminal("etl", "--log-data", str(real / "log_data"), "--song-data", str(real / "song_data"))
    assert "6,820" in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


SECRETS = ("Aws-K3y", "Aws-S3cret", "Dwh-Passw0rd", "Cluster-Passw0rd", "Url-Passw0rd", "Environment-Passw0rd")
CONFIG = """
[AWS]
KEY = Aws-K3y
SECRET = 'Aws-S3cret'
[DWH]
DWH_DB_PASSWORD = Dwh-Passw0rd
[CLUSTER]
DB_USER = dwhuser
DB_PASSWORD = "Cluster-Passw0rd"
"""
NOBODY = "127.0.0.1:{port}"  # where nobody listens


COMMANDS_WITH_SECRETS = (
    *(["etl"], ["etl", "--json"], ["etl", "--dry-run"], ["etl", "--full-refresh"], ["create-tables", "--yes"]),
    *(["status"], ["status", "--json"], ["rejects"], ["check"], ["query", "select * from duckdb_settings()"]),
    *(["etl", "--log-data", "nowhere"], ["query", "select nonsense"], ["status", "--config", "broken.cfg"]),
    *(["etl", "--config", "cluster.cfg"], ["status", "--config", "cluster.cfg"]),
    *(["etl", "--warehouse", f"postgresql://user:Url-Passw0rd@{NOBODY}/db"], ["etl", "--warehouse", "Url-Passw0rd"]),
    *(["status", "--warehouse", f"redshift://user:Url-Passw0rd@{NOBODY}/db"],),
    *(["report"], ["export", "--out", "files", "--force"], ["describe"]),
    ["etl", "--warehouse", "duckdb://user:Url-Passw0rd@host/db"],
)
OF_THE_ENVIRONMENT = (["status"], ["check", "--config", "cluster.cfg"])


def test_no_command_prints_a_secret(filled: Sparkify, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the configuration holds in passwords and keys is in no output, and in no traceback of --debug."""
    tried: list[str] = []
    connect = redshift_connector.connect

    def trying(**options: Any) -> Any:
        tried.append(options["password"])
        return connect(**options)

    monkeypatch.setattr(redshift_connector, "connect", trying)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = str(silent.getsockname()[1])
        Path("dwh.cfg").write_text(CONFIG)
        Path("cluster.cfg").write_text(f"{CONFIG}HOST = 127.0.0.1\nDB_PORT = {port}\n")
        Path("broken.cfg").write_text(CONFIG.replace("DB_PASSWORD =", "DB_PASSWROD =").replace("KEY =", "KEY"))
        failed = 0
        for number, template in enumerate((*COMMANDS_WITH_SECRETS, *OF_THE_ENVIRONMENT)):
            if number == len(COMMANDS_WITH_SECRETS):
                monkeypatch.setenv("SPARKIFY_CLUSTER_DB_PASSWORD", "Environment-Passw0rd")
            command = [word.replace("{port}", port) for word in template]
            said = filled(*command)
            try:
                shown = f"{said} {filled(*command, '--debug')}"
            except SparkifyError:
                failed += 1
                shown = f"{said} {traceback.format_exc()}"
            assert [secret for secret in SECRETS if secret in shown] == [], command
    assert failed == 10
    assert set(tried) == {"Cluster-Passw0rd", "Url-Passw0rd", "Environment-Passw0rd"}
