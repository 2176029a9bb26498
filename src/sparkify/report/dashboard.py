"""The dashboard: the report, served to this machine only and updated after each run.

It only reads, and closes the warehouse after each page, so that it does not block a run. While a run holds a DuckDB
file, the last page is shown with a notice; for a selection without one, a page that reloads itself.
"""

import asyncio
import os
import signal
import socket
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from threading import Lock
from types import FrameType
from typing import Any
from urllib.parse import urlencode

import uvicorn
from markupsafe import escape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sparkify.config import Config
from sparkify.errors import ConfigError, SparkifyError, WarehouseError
from sparkify.report import page
from sparkify.report.names import Unknown
from sparkify.report.story import Results
from sparkify.sql.selection import Selection
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.connect import open_filled

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost")
_KEPT = 50  # pages
_SUGGESTED = 200  # artists and listeners with the most plays
_WAIT = 5  # seconds between reloads while the warehouse is not available
_ABANDONED = 499  # the status by which servers log a request whose client has gone; nobody receives it
_OWN = (None, "same-origin", "none")  # values of Sec-Fetch-Site; "none" is an address that the user entered
_NOTICE = "<!-- notice -->"
FIELDS = ("since", "until", "artist", "user", "level")  # of the form
NO_SUGGESTIONS: dict[str, Any] = {"artists": [], "listeners": [], "first": None, "last": None}

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",  # a meta tag cannot hold it; the page has the rest
}


class Pages:
    """The pages of a warehouse, rendered on the first request, and again after a run has published data."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = Lock()  # one page is rendered at a time
        self._kept: OrderedDict[Selection, tuple[str, str]] = OrderedDict()  # selection → version, HTML
        self._version = ""  # of the next two
        self._known: Results = {}
        self._suggestions: dict[str, Any] = NO_SUGGESTIONS

    def version(self) -> str:
        """Return the version of the data, which changes with every published batch."""
        with open_filled(self._config) as warehouse:
            return _version(warehouse)

    def get(self, selection: Selection) -> str:
        """Return the page of a selection as HTML; if the warehouse cannot be read, the last page with a notice."""
        with self._lock:
            try:
                version, html = self._current(selection)
            except WarehouseError as error:
                if selection not in self._kept:
                    raise
                notice = f'<p class="notice" role="status">This page may be out of date. {escape(str(error))}</p>'
                return self._kept[selection][1].replace(_NOTICE, notice, 1)
            self._kept[selection] = version, html
            self._kept.move_to_end(selection)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return html

    def refusal(self, error: ConfigError, entered: Mapping[str, str]) -> str:
        """Return the form as it was filled in, with the reason why it cannot be answered."""
        with self._lock, suppress(WarehouseError), open_filled(self._config) as warehouse:
            self._know(warehouse)
        reason, choices = str(error), []
        if isinstance(error, Unknown) and error.choices:
            reason = error.problem
            choices = [(f"/?{urlencode({**entered, error.field: value})}", label) for value, label in error.choices]
        return page.refusal(reason, choices, entered=entered, levels=self._config.contract.levels, **self._suggestions)

    def _current(self, selection: Selection) -> tuple[str, str]:
        """Return the version and the HTML of a selection, rendered if the version has changed."""
        with open_filled(self._config) as warehouse:
            version = self._know(warehouse)
            if selection in self._kept and self._kept[selection][0] == version:
                return self._kept[selection]
            content = page.gather(warehouse, selection, self._known)
        # The warehouse is closed before drawing, since a run could wait for it.
        form = {"entered": vars(selection), "levels": self._config.contract.levels, **self._suggestions}
        return version, page.render(content, "dashboard.html.j2", linked=True, version=version, **form)

    def _know(self, warehouse: Warehouse) -> str:
        """Return the version of the data; forget the results of another one."""
        version = _version(warehouse)
        if version != self._version:
            self._version, self._known, self._suggestions = version, {}, _suggestions(warehouse)
        return version


def _version(warehouse: Warehouse) -> str:
    """Return a value that every published batch changes, whatever the clock shows: runs and files, counted."""
    return str(warehouse.rows("select count(*), sum(files), max(run_id) from etl_runs")[0])


def _suggestions(warehouse: Warehouse) -> dict[str, Any]:
    """Return the suggestions of the form."""
    [(first, last)] = warehouse.rows("select min(start_time), max(start_time) from time")
    return {
        "artists": [name for (name,) in warehouse.rows(_ARTISTS)],
        "listeners": warehouse.rows(_LISTENERS),
        "first": first.date() if first else None,
        "last": last.date() if last else None,
    }


_ARTISTS = f"""
select t.artist_name
from tracks as t
join (select track_id, count(*) as plays from songplays group by track_id) as p on p.track_id = t.track_id
group by t.artist_name
order by sum(p.plays) desc, t.artist_name
limit {_SUGGESTED}
"""

_LISTENERS = f"""
select u.user_id, u.first_name, u.last_name
from users as u
join (select user_id, count(*) as plays from songplays group by user_id) as p on p.user_id = u.user_id
order by p.plays desc, u.user_id
limit {_SUGGESTED}
"""


def application(config: Config) -> Starlette:
    """Build the dashboard of a warehouse, as an ASGI application."""
    pages = Pages(config)
    turn = asyncio.Lock()

    async def show(request: Request) -> Response:
        async with turn:
            if await request.is_disconnected():  # for example, the visitor has asked for another page since
                return Response(status_code=_ABANDONED)
            try:
                return HTMLResponse(await run_in_threadpool(pages.get, read_selection(request.query_params)))
            except ConfigError as error:
                entered = {name: request.query_params.get(name, "") for name in FIELDS}
                return HTMLResponse(await run_in_threadpool(pages.refusal, error, entered), 400)

    async def version(request: Request) -> Response:  # noqa: ARG001
        return PlainTextResponse(await run_in_threadpool(pages.version))

    return Starlette(
        routes=[Route("/", show), Route("/version", version)],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
            Middleware(OwnPagesOnly),
        ],
        exception_handlers={SparkifyError: _error_response},
    )


class OwnPagesOnly:
    """Refuse the requests that pages of other sites make, such as by an image with the dashboard's address.

    Browsers state the origin of a request in Sec-Fetch-Site and Origin, which scripts cannot change.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer status 403 to a foreign request, and pass on any other."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        origin = headers.get("origin")
        if headers.get("sec-fetch-site") in _OWN and origin in (None, f"http://{headers.get('host')}"):
            return await self._app(scope, receive, send)
        refusal = "Another site asked for this page. Enter its address in a new tab of the browser.\n"
        return await PlainTextResponse(refusal, 403)(scope, receive, send)


def read_selection(query: Mapping[str, str]) -> Selection:
    """Parse the query string of the form; raise ConfigError for an invalid day, or days in the wrong order."""
    days = {}
    for name in ("since", "until"):
        try:
            days[name] = date.fromisoformat(query[name]) if query.get(name) else None
        except ValueError:
            raise ConfigError(f"{name}: {query[name]!r} is not a valid day. Write it like 2018-11-01.") from None
    since, until = days["since"], days["until"]
    if since and until and since > until:
        raise ConfigError(f"since {since} is after until {until}. Swap them.")
    return Selection(since, until, *(query.get(name) or None for name in ("artist", "user", "level")))


async def _error_response(request: Request, error: Exception) -> Response:
    """Return status 503 and, for a page, one that reloads itself."""
    headers = {"Retry-After": str(_WAIT)}
    if request.url.path != "/":
        return PlainTextResponse(f"{error}\n", 503, headers)
    return HTMLResponse(page.waiting(str(error), _WAIT), 503, headers)


def serve(config: Config, port: int, say: Callable[[str], None]) -> None:
    """Serve the dashboard on 127.0.0.1 until interrupted; raise ConfigError if the port is taken."""
    listening = listen(port)
    with listening:
        address = f"http://{ADDRESS}:{listening.getsockname()[1]}/"
        say(f"The dashboard is at {address}, for this machine only. Press Ctrl-C to stop it.")
        # Ctrl-C can come before the server awaits its coroutine.
        warnings.filterwarnings("ignore", "coroutine 'Server.serve' was never awaited", RuntimeWarning)
        server(config).run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """Return a socket that listens on 127.0.0.1; port 0 means any free port."""
    try:
        return socket.create_server((ADDRESS, port))
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--port {port}: the port cannot be used ({error}). Choose another, or 0 for any free one."
        ) from error


def server(config: Config) -> uvicorn.Server:
    """Build the server of the dashboard, which logs errors only."""
    quiet: dict[str, Any] = {"log_level": "error", "access_log": False, "server_header": False}
    return Server(uvicorn.Config(application(config), headers=list(_HEADERS.items()), **quiet))


class Server(uvicorn.Server):
    """Ends its process at SIGINT or SIGTERM, without waiting for a page that is being made.

    The page only reads, and neither a statement nor a drawing can be interrupted from another thread.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (as uvicorn calls it)
        """End the process: with exit code 0 at SIGINT, the normal way to stop; otherwise, by the signal."""
        if sig == signal.SIGINT:
            os._exit(0)
        signal.signal(sig, signal.SIG_DFL)
        signal.raise_signal(sig)
