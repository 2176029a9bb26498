"""Runs that are killed, interrupted or made to fail, and what they leave."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.promises import deliveries
from tests.support.sandbox import Row, Sandbox

from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse

SideBySide = Callable[[Callable[[Sandbox, Any], Any], Sequence[Any]], list[tuple[Sandbox, Any]]]
"""Runs a function on many copies of a warehouse at a time, each with its own case; returns copies and results."""

Contents = dict[str, list[Row]]
DRIVER = """
import importlib, os, random, sys, threading
from sparkify.cli.main import main

(module, path), starts, call, moment, number = sys.argv[1].split(":"), *sys.argv[2:6]
*owners, name = path.split(".")
owner = importlib.import_module(module)
for each in owners:
    owner = getattr(owner, each)
real, calls = getattr(owner, name), 0

def stopped(*arguments, **options):
    global calls
    matches = any(str(argument).startswith(starts) for argument in arguments)
    calls += matches
    if matches and moment == "before" and calls == int(call):
        os.kill(os.getpid(), int(number))
    if matches and moment == "during" and calls == int(call):  # A process waits for its timers before it exits.
        threading.Timer(random.Random(calls).uniform(0, 0.05), os.kill, (os.getpid(), int(number))).start()
    returned = real(*arguments, **options)
    if matches and moment == "after" and calls == int(call):
        os.kill(os.getpid(), int(number))
    return returned

setattr(owner, name, stopped)
code = main(sys.argv[6:])
print(calls)
sys.exit(code)
"""
"""Runs the command line, and sends itself a signal before, after or within 50 ms of one call of a function.

If the process survives, it prints how many such calls there were.
"""

WATCHER = """
import os, signal, sys, threading, time
from sparkify.cli.main import main

def interrupt_once(is_busy):
    def watch():
        for _ in range(6000):
            if is_busy():
                return os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        os._exit(1)  # Nothing else would end the process.
    threading.Thread(target=watch, daemon=True).start()

def interrupt_duckdb(connection):
    for setting in ("threads = 1", "enable_progress_bar = true", "enable_progress_bar_print = false"):
        connection.execute(f"set {setting}")  # With more threads DuckDB 2.0 can miss the signal until its end.
    interrupt_once(lambda: connection.query_progress() > 0)

def interrupt_server(url, database):
    import psycopg
    other = psycopg.connect(url, autocommit=True)
    busy = "pid <> pg_backend_pid() and state = 'active' and query like '%endless%' and datname = '" + database + "'"
    interrupt_once(lambda: other.execute("select 1 from pg_stat_activity where " + busy).fetchone())
"""
"""Defines functions that interrupt the process once a statement is running on DuckDB or on the server."""

EXECUTE = "sparkify.warehouse.duckdb:DuckDB.execute"
IN_POSTGRES = ("sparkify.warehouse.duckdb:DuckDB", "sparkify.warehouse.postgres:Postgres")
IN_REDSHIFT = ("sparkify.warehouse.duckdb:DuckDB", "sparkify.warehouse.redshift.engine:Redshift")
CALL_ON_SERVERS = {"create or replace table": ("delete from etl_files", 2)}
"""Start of a statement that replaces a table on DuckDB → start and number of its counterpart on servers."""

Stage = tuple[str, str, int, str]
"""A function, the start of one of its arguments, the number of the call, and: before, during or after."""


def arguments(warehouse: Sandbox, *more: str) -> list[str]:
    """Return the arguments of an etl over the folders of a warehouse."""
    sources = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    return ["etl", "--allow-empty", *sources, "--warehouse", warehouse.url, *more]


def start(command: list[str]) -> subprocess.Popen[str]:
    """Start a Python process."""
    return subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stop_at(stage: Stage, sent: signal.Signals, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that sends itself a signal at a stage."""
    function, starts, call, moment = stage
    if any("postgresql://" in word for word in command):
        function = function.replace(*IN_POSTGRES)
    elif any("redshift://" in word for word in command):
        function = function.replace(*IN_REDSHIFT)
    if function.endswith(".execute") and "DuckDB" not in function:
        starts, call = CALL_ON_SERVERS.get(starts, (starts, call))
    driven = [sys.executable, "-c", DRIVER, function, starts, str(call), moment, str(int(sent)), *command]
    return subprocess.run(driven, capture_output=True, text=True, check=False)


def everything(warehouse: Sandbox) -> Contents:
    """Return every column of every row of every table, including the ledger and the history of runs."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return {table: sorted(engine.rows(f"select * from {table}"), key=repr) for table in model.ALL}


def contents(warehouse: Sandbox) -> Contents:
    """Return what does not depend on when, how often or from which folder the files were loaded."""
    found = everything(warehouse)
    folder = str(warehouse.log_data.parent)
    found["etl_files"] = [(source, path.replace(folder, "")) for source, path, *_ in found["etl_files"]]
    found["rejected_records"] = [
        (source, file.replace(folder, ""), *rest) for source, file, *rest, _ in found["rejected_records"]
    ]
    del found["etl_runs"]
    return found


def file_of(warehouse: Sandbox) -> Path:
    """Return the file of a DuckDB warehouse."""
    return Path(warehouse.url.removeprefix("duckdb:///"))


def is_file(warehouse: Sandbox) -> bool:
    """Return whether a warehouse is a DuckDB file, which only one process at a time can open."""
    return warehouse.url.startswith("duckdb")


def leftovers(warehouse: Sandbox) -> list[str]:
    """Return the names of unknown files beside a DuckDB file, or of unknown schemas in a database."""
    if not is_file(warehouse):
        schemas = "select nspname from pg_namespace where nspname like 'sparkify%' and nspname <> 'sparkify'"
        return [name for (name,) in warehouse.query(schemas)]
    names = {path.name for path in file_of(warehouse).parent.iterdir()}
    return sorted(names - {"log_data", "song_data", "sparkify.duckdb"})


FAULT = "insert into users (user_id, level) values (null, 'free')"
"""A statement after which the check user_ids_are_unique fails, in every run."""


def spoil(warehouse: Sandbox, how: str) -> None:
    """Deliver a file, and make the run that loads it fail: by a fault in the warehouse, or by the file."""
    if how == "check":
        warehouse.execute(FAULT)
        deliveries.write(warehouse.log_data / "4.json", deliveries.play(130))
    else:
        (warehouse.log_data / "4.json.gz").write_bytes(b"\x1f\x8b\x08\x00 truncated")
