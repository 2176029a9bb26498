"""The dashboard serves live pages to this machine only, and does not disturb runs."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest
from tests.promises.deliveries import HEARD, play, write
from tests.support.browser import look
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox, Warehouses

from sparkify import config
from sparkify.cli.main import main
from sparkify.pipeline import batch, ledger, run
from sparkify.report import dashboard
from sparkify.warehouse.connect import open_warehouse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

on_duckdb = pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
EVIL = "<script>alert('hi')</script>"


class Answer(NamedTuple):
    """An answer of the server."""

    status: int
    headers: dict[str, str]
    text: str


class Served:
    """A running dashboard."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"

    def get(self, path: str = "/", host: str | None = None, method: str = "GET", **query: str) -> Answer:
        """Request a page."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            target = f"{path}?{urlencode(query)}" if query else path
            connection.request(method, target, headers={"Host": host or f"127.0.0.1:{self.port}"})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def serving(warehouse: Sandbox) -> Iterator[Served]:
    """Run a dashboard of a warehouse on a free port."""
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


def test_page_of_each_selection_is_served(fortnight: Sandbox) -> None:
    """Everything, a period, an artist and a listener have their pages."""
    with serving(fortnight) as served:
        assert "Listening on Sparkify" in served.get().text
        assert "9 November 2018 to 10 November 2018" in served.get(since="2018-11-09", until="2018-11-10").text
        assert "Tardy on Sparkify" in served.get(artist="Tardy").text
        assert "User 1’s listening" in served.get(user="1").text
        assert "User 1’s 2018" in served.get(user="1", since="2018-01-01", until="2018-12-31").text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"since": "yesterday"}, "is not a valid day"),
        ({"since": "2018-11-02", "until": "2018-11-01"}, "is after"),
        ({"user": "nobody"}, "no such user"),
        ({"artist": "nobody"}, "no such artist"),
    ],
)
def test_invalid_selection_is_reported(query: dict[str, str], message: str, fortnight: Sandbox) -> None:
    """An invalid day or an unknown user is answered with status 400 and a sentence above the form."""
    with serving(fortnight) as served:
        answer = served.get(**query)
    assert answer.status == 400
    assert message in answer.text


@pytest.mark.parametrize("host", ["sparkify.example", "127.0.0.1.example:80", "localhost.example", "10.0.0.1"])
def test_foreign_host_is_rejected(host: str, fortnight: Sandbox) -> None:
    """A request with a foreign host name is rejected."""
    with serving(fortnight) as served:
        for path in ("/", "/version"):
            answer = served.get(path, host=host)
            assert answer.status == 400
            assert "Sparkify" not in answer.text
        assert served.get("/version", host=f"localhost:{served.port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_dashboard_only_reads(method: str, fortnight: Sandbox) -> None:
    """Methods other than GET and HEAD are rejected, and change nothing."""
    before = fortnight.contents()
    with serving(fortnight) as served:
        assert served.get(method=method).status == 405
    assert fortnight.contents() == before


def test_it_listens_on_loopback_only() -> None:
    """The dashboard cannot be reached from the network."""
    with dashboard.listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_answers_forbid_frames_caches_and_sniffing(fortnight: Sandbox) -> None:
    """Answers must not be framed, cached, or read as another type."""
    with serving(fortnight) as served:
        headers = served.get(artist="Tardy").headers
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_song_called_script_is_shown_as_text(chromium: Browser, warehouse: Sandbox) -> None:
    """A title, an artist and a user called <script> are shown as text, and nothing runs."""
    write(warehouse.log_data / "events.json", play(0, song=EVIL, artist=EVIL, firstName=EVIL))
    warehouse.etl()
    with serving(warehouse) as served:
        for selection in ({}, {"artist": EVIL}, {"user": "1"}):
            query = f"?{urlencode(selection)}" if selection else ""
            with look(chromium, served.url + query) as opened:
                opened.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
                assert opened.messages == []
                assert {url.partition("?")[0] for url in opened.requests} == {served.url}
                assert EVIL in opened.page.inner_text("#top_tracks")


@pytest.mark.ci
def test_form_shows_the_page_of_an_artist(chromium: Browser, fortnight: Sandbox) -> None:
    """An artist typed into the form leads to the artist's page, and stays in the form."""
    with serving(fortnight) as served, look(chromium, served.url) as opened:
        opened.page.get_by_label("Artist", exact=True).fill("Tardy")
        opened.page.get_by_role("button", name="Show").click()
        opened.page.wait_for_url("**artist=Tardy**")
        assert opened.page.inner_text("h1") == "Tardy on Sparkify"
        assert opened.page.get_by_label("Artist", exact=True).input_value() == "Tardy"
        assert opened.messages == []


@pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)
def test_version_changes_with_every_batch_whatever_the_clock_shows(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch changes the version of the data, also while the clock goes back."""
    times = (datetime(2018, 11, day) for day in range(30, 0, -1))  # noqa: DTZ001 (as the warehouse stores it)
    pages = dashboard.Pages(config.load(environ={}, warehouse=warehouse.url))
    load, versions = batch.load_batch, []

    def load_and_ask(*arguments: Any) -> bool:
        loaded = load(*arguments)
        versions.append(pages.version())
        return loaded

    monkeypatch.setattr(ledger, "now", lambda: next(times))
    monkeypatch.setattr(run, "load_batch", load_and_ask)
    for day in range(4):
        write(warehouse.log_data / f"{day}.json", play(day))
        if day % 2:
            warehouse.etl(batch_size=1)
    assert len(set(versions)) == len(versions) == 4


def test_new_data_is_shown_at_the_next_request(make_warehouse: Warehouses) -> None:
    """A page shows what a run has just published, and the version that open pages poll changes."""
    warehouse = make_warehouse.filled(deliver)
    with serving(warehouse) as served:
        before, version = served.get().text, served.get("/version").text
        assert served.get("/version").text == version
        write(warehouse.log_data / "more.json", play(13 * 86_400, "6", **HEARD))
        warehouse.etl()
        assert served.get("/version").text != version
        assert served.get().text != before
        assert "“Heard” by Known: 6 plays." in served.get().text


def test_requests_do_not_block_a_run(make_warehouse: Warehouses) -> None:
    """A run succeeds while pages are requested again and again."""
    warehouse = make_warehouse.filled(deliver)
    with serving(warehouse) as served:
        done = threading.Event()

        def poll() -> None:
            while not done.is_set():
                served.get("/version")

        pollers = [threading.Thread(target=poll) for _ in range(2)]
        for poller in pollers:
            poller.start()
        write(warehouse.log_data / "more.json", play(13 * 86_400, "6", **HEARD))
        command = [sys.executable, "-m", "sparkify", "etl", "--warehouse", warehouse.url]
        sources = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
        try:
            run = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
        finally:
            done.set()
            for poller in pollers:
                poller.join()
    assert run.returncode == 0, run.stderr


HOLDER = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@on_duckdb
def test_last_page_is_shown_while_a_run_holds_the_file(fortnight: Sandbox) -> None:
    """While a run holds the file, a page shown before is shown with a notice, and a new one is refused for now."""
    with serving(fortnight) as served:
        assert 'class="notice"' not in served.get().text
        file = fortnight.url.removeprefix("duckdb:///")
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


@pytest.mark.ci
@on_duckdb
def test_page_reloads_once_the_file_is_free(chromium: Browser, fortnight: Sandbox) -> None:
    """A page requested while a run holds the file shows the reason, and reloads once the file is free."""
    file = fortnight.url.removeprefix("duckdb:///")
    with (
        serving(fortnight) as served,
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder,
    ):
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with look(chromium, f"{served.url}?artist=Known") as opened:
            assert "another process is using it" in opened.page.inner_text(".notice")
            holder.communicate("")
            opened.page.get_by_role("heading", name="Known on Sparkify").wait_for()


@on_duckdb
def test_interrupt_ends_the_dashboard(fortnight: Sandbox) -> None:
    """Ctrl-C ends the dashboard with exit code 0 and no message."""
    command = [sys.executable, "-m", "sparkify", "dashboard", "--warehouse", fortnight.url, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        assert running.stderr.readline().endswith("Press Ctrl-C to stop it.\n")
        running.send_signal(signal.SIGINT)
        assert running.stderr.read() == ""
    assert running.returncode == 0


SLOW = """
import sys, time
from sparkify.cli.main import main
from sparkify.report import page
page.gather = lambda *_: (print("asked", flush=True), time.sleep(600))
sys.exit(main(["dashboard", "--port", "0", "--warehouse", sys.argv[1]]))
"""


@on_duckdb
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_signal_does_not_wait_for_a_page(sent: signal.Signals, code: int, fortnight: Sandbox) -> None:
    """A dashboard that is making a page ends at a signal, without a message."""
    command = [sys.executable, "-c", SLOW, fortnight.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        assert running.stdout
        port = int(running.stderr.readline().partition("127.0.0.1:")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as visitor:
            visitor.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert running.stdout.readline() == "asked\n"
            running.send_signal(sent)
            try:
                assert running.communicate(timeout=60) == ("", "")
            finally:
                running.kill()
    assert running.returncode == code


@on_duckdb
def test_open_table_is_updated(chromium: Browser, make_warehouse: Warehouses) -> None:
    """A page is updated while a table is open, which stays open at the same rows; but not while the form is in use."""
    warehouse = make_warehouse.filled(deliver)
    with serving(warehouse) as served, look(chromium, served.url) as opened:
        seen = opened.page
        seen.clock.install()
        seen.reload()
        seen.locator("#top_tracks summary").click()
        seen.get_by_label("Artist", exact=True).focus()
        write(warehouse.log_data / "more.json", play(13 * 86_400, "6", **HEARD))
        warehouse.etl()
        with seen.expect_response("**/version"):
            seen.clock.run_for(15_000)
        assert "5 plays" in seen.inner_text("#top_tracks .finding")
        seen.locator("h1").click()
        seen.evaluate("document.activeElement.blur()")
        seen.clock.run_for(15_000)
        seen.get_by_text("“Heard” by Known: 6 plays.").wait_for()
        assert seen.locator("details[open]").count() == 1
        assert seen.locator("#top_tracks details[open] td").first.is_visible()
        assert opened.messages == []


@on_duckdb
def test_port_in_use_is_reported(fortnight: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use ends the command with a message that names it."""
    with dashboard.listen(0) as taken:
        port = str(taken.getsockname()[1])
        assert main(["dashboard", "--warehouse", fortnight.url, "--port", port]) == 2
    assert f"--port {port}: the port cannot be used" in capsys.readouterr().err


@pytest.mark.ci
@on_duckdb
def test_only_the_last_pages_are_kept(fortnight: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the last pages are kept in memory."""
    monkeypatch.setattr(dashboard, "_KEPT", 2)
    pages = dashboard.Pages(config.load(environ={}, warehouse=fortnight.url))
    for user in ("1", "2", "3"):
        pages.get(dashboard.read_selection({"user": user}))
    assert [kept.user for kept in pages._kept] == ["2", "3"]
    with open_warehouse(fortnight.url) as engine:  # The file is free again.
        assert engine.has_tables()
