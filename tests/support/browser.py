"""A real browser for the tests of pages: Debian's Chromium, without a window, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MISSING = "the tests of pages in a browser. Run apt-get install chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """Return the path of the browser, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Run the browser. No request of it leaves this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program(), args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        try:
            yield started
        finally:
            started.close()


class Opened:
    """An open page, with the messages on its console and the requests that it made."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))


@contextmanager
def look(browser: Browser, url: str, *, width: int = 1200, dark: bool = False) -> Iterator[Opened]:
    """Open a page at a width in pixels, in the light or dark theme."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    try:
        seen = Opened(context.new_page())
        seen.page.goto(url)
        yield seen
    finally:
        context.close()
