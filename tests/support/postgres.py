"""A PostgreSQL server for the tests: Debian's binaries, an unprivileged user, a free loopback port."""

from __future__ import annotations

import itertools
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

MISSING = (
    "the tests on PostgreSQL. Run apt-get install postgresql, or set SPARKIFY_TEST_POSTGRES to the URL of a server on"
    " which they can create databases"
)


def is_missing() -> bool:
    """Return whether there is neither a server to start nor one to use."""
    return not os.environ.get("SPARKIFY_TEST_POSTGRES") and binaries() is None


def binaries() -> Path | None:
    """Return the folder of the server's programs, from pg_config or from Debian's packages."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    if config := shutil.which("pg_config"):
        named = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
        found.append(Path(named) / "initdb")
    return next((path.parent for path in reversed(found) if path.exists()), None)


class Server:
    """A running server, and the databases created on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count()

    @contextmanager
    def database(self, copied: str | None = None) -> Iterator[str]:
        """Create a database, empty or as a copy of another; yield its URL; drop it."""
        name = f"sparkify_test_{os.getpid()}_{next(self._numbers)}"
        base, _, parameters = self.url.partition("?")
        with psycopg.connect(self.url, autocommit=True) as connection:
            template = f" template {copied.partition('?')[0].rpartition('/')[2]}" if copied else ""
            connection.execute(f"create database {name}{template}".encode())
        try:
            yield f"{base.rpartition('/')[0]}/{name}{'?' + parameters if parameters else ''}"
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(f"drop database {name} with (force)".encode())


@contextmanager
def login(url: str, name: str, *statements: str) -> Iterator[str]:
    """Create a role, named NAME in the statements, which grant its permissions; yield its URL; drop it."""
    with psycopg.connect(url, autocommit=True) as administrator:
        database = administrator.info.dbname
        role = f"{name}_{database}"
        administrator.execute(f"create role {role} login".encode())
        try:
            for sql in statements:
                administrator.execute(sql.replace("NAME", role).replace("DATABASE", database).encode())
            yield re.sub("//([^@/]*@)?", f"//{role}@", url, count=1)
        finally:
            administrator.execute(f"drop owned by {role} cascade".encode())
            administrator.execute(f"drop role {role}".encode())


@contextmanager
def server() -> Iterator[Server]:
    """Yield the server that SPARKIFY_TEST_POSTGRES names, or start one and stop it at the end."""
    if url := os.environ.get("SPARKIFY_TEST_POSTGRES"):
        yield Server(url)
        return
    programs = binaries()
    if programs is None:
        pytest.fail(MISSING)
    user = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="sparkify-postgres-") as folder:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        with _running(programs, Path(folder), user) as port:
            yield Server(f"postgresql://sparkify@127.0.0.1:{port}/postgres")


def _unprivileged() -> str | None:
    """Return the user to run the server as, which must not be root; None for the current user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def _running(programs: Path, folder: Path, user: str | None) -> Iterator[int]:
    cluster = folder / "cluster"
    # In a locale other than C, a dependency on the order of text shows.
    initdb = [str(programs / "initdb"), "-D", str(cluster), "-U", "sparkify", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*initdb, *_locale(programs)], user=user, cwd=folder, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": 50,
        "log_min_messages": "panic",
    }
    options = [f"-c{name}={value}" for name, value in settings.items()]
    process = subprocess.Popen(
        [programs / "postgres", "-D", cluster, *options], user=user, cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False).returncode and process.poll() is None:
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(2)  # A fast shutdown ends the sessions.
        process.wait(timeout=30)


def _locale(programs: Path) -> list[str]:
    version = subprocess.run([programs / "postgres", "-V"], capture_output=True, text=True, check=True).stdout
    major = int(version.split()[2].split(".")[0])
    return ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"] if major >= 15 else ["--locale=C.UTF-8"]
