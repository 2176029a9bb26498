"""The dashboard: the report's page, served live to this machine alone.

It only reads, and holds the warehouse no longer than its questions take: a run finds it free. While a run holds a
DuckDB file, the last answer is shown, and says so; who asks for something new waits on a page that tries again.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date
from threading import Lock
from typing import Any

import uvicorn
from markupsafe import escape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sparkify.config import Config
from sparkify.errors import ConfigError, SparkifyError, WarehouseError
from sparkify.report import page
from sparkify.sql.selection import Selection, select
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.connect import open_filled

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost")
_KEPT = 50  # pages
_OFFERED = 200  # artists and listeners that the form suggests, those with the most plays
_WAIT = 5  # seconds, until a page that could not be had is asked for again
_NOTICE = "<!-- notice -->"

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest stands in the page
}


class Pages:
    """The pages of a warehouse: made when first asked for, and again when a run has changed what they show."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = Lock()  # one page is made at a time
        self._kept: OrderedDict[Selection, tuple[str, str]] = OrderedDict()  # → version, HTML

    def version(self) -> str:
        """Return what changes with every batch that a run publishes."""
        with open_filled(self._config) as warehouse:
            return _version(warehouse)

    def get(self, selection: Selection) -> str:
        """Return the page of a selection as HTML; while the warehouse cannot be read, the last one, with a notice."""
        with self._lock:
            try:
                made = self._made(selection)
            except WarehouseError as error:
                if selection not in self._kept:
                    raise
                notice = f'<p class="notice" role="status">Not the latest: {escape(str(error))}</p>'
                return self._kept[selection][1].replace(_NOTICE, notice, 1)
            self._kept[selection] = made
            self._kept.move_to_end(selection)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return made[1]

    def _made(self, selection: Selection) -> tuple[str, str]:
        with open_filled(self._config) as warehouse:
            version = _version(warehouse)
            if selection in self._kept and self._kept[selection][0] == version:
                return self._kept[selection]
            gathered = page.gather(warehouse, selection)
            offered = _offered(warehouse)
        # The warehouse is closed: drawing takes longer than asking.
        html = page.render(gathered, "dashboard.html.j2", selection=selection, version=version, **offered)
        return version, html


def _version(warehouse: Warehouse) -> str:
    return str(warehouse.rows("select count(*), max(finished_at) from etl_runs")[0])


def _offered(warehouse: Warehouse) -> dict[str, Any]:
    """Return what the form suggests."""
    artists, values = select(warehouse.engine, "top_artists", rest=f"order by place, artist_name limit {_OFFERED}")
    [(first, last)] = warehouse.rows("select min(start_time), max(start_time) from time")
    return {
        "artists": [row[1] for row in warehouse.rows(artists, values)],
        "listeners": warehouse.rows(_LISTENERS),
        "first": first.date() if first else None,
        "last": last.date() if last else None,
    }


_LISTENERS = f"""
select u.user_id, u.first_name, u.last_name
from users as u
join (select user_id, count(*) as plays from songplays group by user_id) as p on p.user_id = u.user_id
order by p.plays desc, u.user_id
limit {_OFFERED}
"""


def application(config: Config) -> Starlette:
    """Return the dashboard of a warehouse, as an ASGI application."""
    pages = Pages(config)

    async def show(request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(pages.get, read_selection(request.query_params)))

    async def version(request: Request) -> Response:  # noqa: ARG001
        return PlainTextResponse(await run_in_threadpool(pages.version))

    return Starlette(
        routes=[Route("/", show), Route("/version", version)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={SparkifyError: _refuse},
    )


def read_selection(asked: Mapping[str, str]) -> Selection:
    """Read a selection from a form; raise ConfigError for a day that is none, or days in the wrong order."""
    days = {}
    for name in ("since", "until"):
        try:
            days[name] = date.fromisoformat(asked[name]) if asked.get(name) else None
        except ValueError:
            raise ConfigError(f"{name}: {asked[name]!r} is no day. Write it like 2018-11-01.") from None
    since, until = days["since"], days["until"]
    if since and until and since > until:
        raise ConfigError(f"since {since} is after until {until}. Give them the other way round.")
    return Selection(since, until, asked.get("artist") or None, asked.get("user") or None)


async def _refuse(request: Request, error: Exception) -> Response:
    """Say what went wrong: 400 for what was asked, 503 for a warehouse that cannot be read just now.

    A page that cannot be had just now asks for itself again.
    """
    if isinstance(error, ConfigError):
        return PlainTextResponse(f"{error}\n", 400)
    again = {"Retry-After": str(_WAIT)}
    if request.url.path != "/":
        return PlainTextResponse(f"{error}\n", 503, again)
    return HTMLResponse(page.waiting(str(error), _WAIT), 503, again)


def serve(config: Config, port: int, say: Callable[[str], None]) -> None:
    """Serve the dashboard on 127.0.0.1 until interrupted; raise ConfigError if the port is taken."""
    listening = listen(port)
    with listening:
        address = f"http://{ADDRESS}:{listening.getsockname()[1]}/"
        say(f"The dashboard is on {address} for this machine alone. Ctrl-C ends it.")
        server(config).run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """Listen on a port of this machine alone; 0 takes any that is free."""
    try:
        return socket.create_server((ADDRESS, port))
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--port {port}: cannot be listened on ({error}). Name another, or 0 for any.") from error


def server(config: Config) -> uvicorn.Server:
    """Return a server of the dashboard that says nothing of its own."""
    quiet: dict[str, Any] = {"log_level": "error", "access_log": False, "server_header": False}
    return uvicorn.Server(uvicorn.Config(application(config), headers=list(_HEADERS.items()), **quiet))
