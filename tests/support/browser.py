"""A real browser for the tests of pages: Debian's Chromium, without a window, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MISSING = "the tests of pages in a browser, which is not installed: apt-get install chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """Return the browser's program."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser and end it. Whatever it would send beyond this machine goes nowhere."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program(), args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        try:
            yield started
        finally:
            started.close()


class Seen:
    """What a page did while it was looked at: what it said on the console, and what it asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))


@contextmanager
def look(browser: Browser, url: str, *, width: int = 1200, dark: bool = False) -> Iterator[Seen]:
    """Open a page at a width in pixels, in one of the two themes."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    try:
        seen = Seen(context.new_page())
        seen.page.goto(url)
        yield seen
    finally:
        context.close()
