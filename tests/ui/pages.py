"""Finding one's way in Airflow's pages and ours."""

import os
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Error

from tests.ui.server import PASSWORD

READY = "html[data-ready]"
PICTURES = os.environ.get("WINDTUNNEL_SCREENSHOTS")  # a folder for them
ATTEMPTS = 3  # a browser drops what it loads whenever the machine's network changes, as containers make it do


def login(page, server, user):
    """Log in by Airflow's own form; what the browser keeps of it."""
    visit(page, f"{server.address}/auth/login", "input[name=username]")
    page.fill("input[name=username]", user)
    page.fill("input[type=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_function("!location.pathname.includes('/auth/login')")
    return page.context.storage_state()


def visit(page, address, sign):
    """Open an address and wait until what it is to show is there."""
    for attempt in range(ATTEMPTS):
        try:
            page.goto(address)
            page.wait_for_selector(sign, timeout=60_000)
            return page
        except Error:  # a time-out too
            if attempt == ATTEMPTS - 1:
                raise
            page.problems.clear()
            page.goto("about:blank")  # the same address but for its hash would not be loaded again
    return None


def run_address(server, run="finished", dag="digits_cnn", view=""):
    return f"{server.address}/windtunnel/run?{urlencode({'dag_id': dag, 'run_id': run})}#{view}"


def open_run(page, server, run="finished", dag="digits_cnn", view="", sign=READY):
    return visit(page, run_address(server, run, dag, view), sign)


def problems(page):
    """What went wrong in the page, the network's own hiccups aside."""
    return [each for each in page.problems if "ERR_NETWORK" not in each]


def shoot(page, name):
    """Keep a picture, where pictures are wanted."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))
