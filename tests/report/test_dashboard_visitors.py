"""The dashboard answers its own pages only, and does no work for visitors who have gone."""

from __future__ import annotations

import socket
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.report.test_dashboard import Served, on_duckdb, serving
from tests.support.sandbox import Sandbox

from sparkify.report import dashboard, page
from sparkify.sql.selection import Selection


def status(served: Served, path: str, **headers: str) -> int:
    """Request a path with further headers; return the status of the answer."""
    lines = {"Host": f"127.0.0.1:{served.port}", "Connection": "close"} | headers
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
        connection.sendall(f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode())
        with connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])


@on_duckdb
def test_request_of_another_site_is_refused(fortnight: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that a page of another site makes is refused before the warehouse is asked."""
    with serving(fortnight) as served:
        own = f"http://127.0.0.1:{served.port}"
        for path in ("/", "/version"):
            for site in ("same-origin", "none"):
                assert status(served, path, Sec_Fetch_Site=site) == 200
            assert status(served, path, Origin=own) == 200
        monkeypatch.setattr(dashboard, "open_filled", lambda _: pytest.fail("The warehouse was asked."))
        for path in ("/", "/version", "/?artist=Known"):
            for site in ("cross-site", "same-site", "anything else"):
                assert status(served, path, Sec_Fetch_Site=site) == 403
            for origin in ("https://example.com", "null", f"http://127.0.0.1:{served.port + 1}", f"{own}0"):
                assert status(served, path, Origin=origin) == 403


@on_duckdb
def test_page_that_nobody_waits_for_is_not_made(fortnight: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the pages that visitors ask for and leave again, none is read from the warehouse; the newest is."""
    gather, started, go = page.gather, threading.Event(), threading.Event()
    asked: list[str | None] = []

    def slow(warehouse: Any, selection: Selection, *known: Any) -> page.Page:
        asked.append(selection.user)
        started.set()
        assert go.wait(60)
        return gather(warehouse, selection, *known)

    monkeypatch.setattr(page, "gather", slow)
    answers: list[int] = []
    with serving(fortnight) as served:

        def ask(user: str) -> None:
            answers.append(served.get(user=user).status)

        first, last = (threading.Thread(target=ask, args=[user]) for user in ("1", "2"))
        first.start()
        assert started.wait(60)
        for user in ("3", "4", "5"):
            with socket.create_connection(("127.0.0.1", served.port)) as left:
                left.sendall(f"GET /?{urlencode({'user': user})} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert served.get("/version").status == 200  # By now, the server has seen them leave.
        last.start()
        go.set()
        first.join()
        last.join()
    assert asked == ["1", "2"]
    assert answers == [200, 200]
