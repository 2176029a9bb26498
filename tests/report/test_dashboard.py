"""The dashboard: live, for this machine alone, and in nobody's way."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import HEARD, play, write
from tests.support.browser import look
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox

from sparkify import config
from sparkify.cli.main import main
from sparkify.report import dashboard
from sparkify.warehouse.connect import open_warehouse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = "<script>alert('hi')</script>"


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str


class Served:
    """A running dashboard."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"

    def get(self, path: str = "/", host: str | None = None, method: str = "GET", **asked: str) -> Answer:
        """Ask for a page."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            query = f"?{urlencode(asked)}" if asked else ""
            connection.request(method, path + query, headers={"Host": host or f"127.0.0.1:{self.port}"})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def serving(warehouse: Sandbox) -> Iterator[Served]:
    """Run a dashboard of a warehouse on a free port, and end it."""
    settings = config.load(environ={}, warehouse=warehouse.url)
    server = dashboard.server(settings)
    with dashboard.listen(0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Served(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def test_page_is_served_over_what_is_asked_for(warehouse: Sandbox) -> None:
    """The whole, a range of days, an artist, a listener: each has its page."""
    deliver(warehouse)
    with serving(warehouse) as served:
        assert "Listening on Sparkify" in served.get().text
        assert "9 November 2018 to 10 November 2018" in served.get(since="2018-11-09", until="2018-11-10").text
        assert "Tardy on Sparkify" in served.get(artist="Tardy").text
        assert "User 1’s listening" in served.get(user="1").text
        assert "User 1’s 2018" in served.get(user="1", since="2018-01-01", until="2018-12-31").text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"since": "yesterday"}, "is not a valid day"),
        ({"since": "2018-11-02", "until": "2018-11-01"}, "is after"),
        ({"user": "nobody"}, "no such user"),
        ({"artist": "nobody"}, "no such artist"),
    ],
)
def test_what_cannot_be_asked_is_told(asked: dict[str, str], told: str, warehouse: Sandbox) -> None:
    """A day that is none, or a user that nobody is, is answered with 400 and a sentence."""
    deliver(warehouse)
    with serving(warehouse) as served:
        answer = served.get(**asked)
    assert answer.status == 400
    assert told in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("host", ["sparkify.example", "127.0.0.1.example:80", "localhost.example", "10.0.0.1"])
def test_foreign_host_is_refused(host: str, warehouse: Sandbox) -> None:
    """A page elsewhere whose name was pointed at this machine gets nothing."""
    deliver(warehouse)
    with serving(warehouse) as served:
        for path in ("/", "/version"):
            answer = served.get(path, host=host)
            assert answer.status == 400
            assert "Sparkify" not in answer.text
        assert served.get(host=f"localhost:{served.port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_dashboard_only_reads(method: str, warehouse: Sandbox) -> None:
    """There is nothing to send: other methods than GET and HEAD are refused."""
    deliver(warehouse)
    before = warehouse.contents()
    with serving(warehouse) as served:
        assert served.get(method=method).status == 405
    assert warehouse.contents() == before


def test_it_listens_on_loopback_alone() -> None:
    """Nobody else on the network reaches it."""
    with dashboard.listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_answers_may_not_be_framed_kept_or_guessed(warehouse: Sandbox) -> None:
    """Each answer forbids frames, caches, and reading as anything but what it is."""
    deliver(warehouse)
    with serving(warehouse) as served:
        headers = served.get().headers
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_song_called_script_is_shown_as_text(chromium: Browser, warehouse: Sandbox) -> None:
    """A title, an artist and a user called <script> are seen as their names, and nothing runs."""
    write(warehouse.log_data / "events.json", play(0, song=EVIL, artist=EVIL, firstName=EVIL))
    warehouse.etl()
    with serving(warehouse) as served:
        for asked in ({}, {"artist": EVIL}, {"user": "1"}):
            query = f"?{urlencode(asked)}" if asked else ""
            with look(chromium, served.url + query) as seen:
                seen.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
                assert seen.said == []
                assert {url.partition("?")[0] for url in seen.asked} == {served.url}
                assert EVIL in seen.page.inner_text("#top_tracks")


def test_form_asks_for_what_was_typed(chromium: Browser, warehouse: Sandbox) -> None:
    """Who types an artist and presses the button gets that artist's page, and the form remembers it."""
    deliver(warehouse)
    with serving(warehouse) as served, look(chromium, served.url) as seen:
        seen.page.get_by_label("Artist", exact=True).fill("Tardy")
        seen.page.get_by_role("button", name="Show").click()
        seen.page.wait_for_url("**artist=Tardy**")
        assert seen.page.inner_text("h1") == "Tardy on Sparkify"
        assert seen.page.get_by_label("Artist", exact=True).input_value() == "Tardy"
        assert seen.said == []


def test_new_data_is_shown_at_the_next_look(warehouse: Sandbox) -> None:
    """What a run has published is on the page at once, and the version that an open page asks for changes."""
    deliver(warehouse)
    with serving(warehouse) as served:
        before, version = served.get().text, served.get("/version").text
        assert served.get("/version").text == version
        write(warehouse.log_data / "more.json", play(13 * 86_400, "6", **HEARD))
        warehouse.etl()
        assert served.get("/version").text != version
        assert served.get().text != before
        assert "“Heard” by Known: 6 plays." in served.get().text


def test_run_is_not_kept_out(warehouse: Sandbox) -> None:
    """While somebody looks again and again, a run finds its warehouse free."""
    deliver(warehouse)
    with serving(warehouse) as served:
        done = threading.Event()

        def keep_looking() -> None:
            while not done.is_set():
                served.get("/version")

        lookers = [threading.Thread(target=keep_looking) for _ in range(2)]
        for looker in lookers:
            looker.start()
        write(warehouse.log_data / "more.json", play(13 * 86_400, "6", **HEARD))
        command = [sys.executable, "-m", "sparkify", "etl", "--warehouse", warehouse.url]
        sources = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
        try:
            run = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
        finally:
            done.set()
            for looker in lookers:
                looker.join()
    assert run.returncode == 0, run.stderr


HOLDER = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_while_a_run_holds_the_file_the_last_answer_is_shown(tmp_path: Path) -> None:
    """A page that was shown before is shown again, with a notice; one that never was says why, and tries again."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    with serving(warehouse) as served:
        assert 'class="notice"' not in served.get().text
        file = warehouse.url.removeprefix("duckdb:///")
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            kept, new = served.get(), served.get(artist="Known")
            holder.communicate("")
        assert kept.status == 200
        assert 'class="notice"' in kept.text
        assert "another process is using it" in kept.text
        assert new.status == 503
        assert "another process is using it" in new.text
        assert '<meta http-equiv="refresh"' in new.text
        assert 'class="notice"' not in served.get().text


def test_page_that_had_to_wait_comes_by_itself(chromium: Browser, tmp_path: Path) -> None:
    """Who asks while a run holds the file sees why, and then, without doing anything, what was asked for."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    file = warehouse.url.removeprefix("duckdb:///")
    with (
        serving(warehouse) as served,
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder,
    ):
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with look(chromium, f"{served.url}?artist=Known") as seen:
            assert "another process is using it" in seen.page.inner_text(".notice")
            holder.communicate("")
            seen.page.get_by_role("heading", name="Known on Sparkify").wait_for()


def test_interrupt_ends_the_dashboard_well(tmp_path: Path) -> None:
    """Ctrl-C, by which the dashboard says that it ends, ends it with 0 and without another word."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    warehouse.etl()
    command = [sys.executable, "-m", "sparkify", "dashboard", "--warehouse", warehouse.url, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        assert running.stderr.readline().endswith("Press Ctrl-C to stop it.\n")
        running.send_signal(signal.SIGINT)
        assert running.stderr.read() == ""
    assert running.returncode == 0


def test_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with what to do, and without a traceback."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    warehouse.etl()
    with dashboard.listen(0) as taken:
        port = str(taken.getsockname()[1])
        assert main(["dashboard", "--warehouse", warehouse.url, "--port", port]) == 2
    assert f"--port {port}: the port cannot be used" in capsys.readouterr().err


def test_last_pages_are_kept_and_older_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with what is asked for."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    monkeypatch.setattr(dashboard, "_KEPT", 2)
    pages = dashboard.Pages(config.load(environ={}, warehouse=warehouse.url))
    for user in ("1", "2", "3"):
        pages.get(dashboard.read_selection({"user": user}))
    assert [kept.user for kept in pages._kept] == ["2", "3"]
    with open_warehouse(warehouse.url) as engine:  # and the file is free again
        assert engine.has_tables()
