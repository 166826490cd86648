"""A headless Chromium for tests: $WINDTUNNEL_CHROMIUM, else the one on the PATH."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
EXECUTABLE = os.environ.get("WINDTUNNEL_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
MISSING = "Chromium is not installed: put it on the PATH, or name it in WINDTUNNEL_CHROMIUM"

# What every view of a run with trials has once it is drawn.
SIGNS = {
    "overview": "#volume .trace",
    "front": "#front-chart .points path",
    "trials": "#trials-table .tabulator-row",
    "curves": "#curves-chart .trace",
    "parallel": "#parallel-caption:has-text('of')",
    "importance": "#view-importance .bars .point",
    "lanes": "#lanes-chart .bars .point",
    "compare": "#compare-trials",
}
_FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card, for charts in three dimensions
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


@contextmanager
def launched() -> Iterator[Any]:
    """A fresh browser, which ends with the block; a thread has one at a time."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Any, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Any]:
    """A page in a session of its own: other pages' cookies and caches are not seen.

    The page also has `problems`, what went wrong in it, and `requested`, the addresses that it asked for.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
    context.set_default_timeout(60_000)  # milliseconds; a busy machine is slow
    page: Any = context.new_page()
    page.problems, page.requested = [], []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda told: page.problems.append(told.text) if told.type == "error" else None)
    page.on("request", lambda request: page.requested.append(request.url))
    try:
        yield page
    finally:
        context.close()


@contextmanager
def opened(**options: Any) -> Iterator[Any]:
    """A page of a browser of its own."""
    with launched() as browser, page_of(browser, **options) as page:
        yield page
