"""A fleet's page in a browser without an Airflow: what it asks for is answered here, from real ledgers."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests import browser
from tests.fleets import fall_short, fleet_from, prepared, succeed
from tests.ui.pages import READY
from windtunnel.fleet.overview import overview
from windtunnel.report.pages import asset, fleet_page
from windtunnel_airflow.page.replies import HEADERS

ADDRESS = "http://localhost/windtunnel/run?dag_id=toy&run_id=now"


@pytest.fixture
def page(chromium, tmp_path):
    """The page of the run `now`, beside a run `before`: two tenants trained, one failed."""
    fleet = fleet_from(tmp_path / "toy", objectives={"accuracy": "maximize"})
    runs = {}
    for run, accuracies in (("before", (0.9, 0.5)), ("now", (0.6, 0.8))):
        ledger, _, plan = prepared(tmp_path / run, fleet, run)
        for number, accuracy in enumerate(accuracies):
            succeed(ledger, plan, number, accuracy=accuracy)
        fall_short(ledger, plan, 2)
        runs[run] = ledger

    def answer(route):
        address = urlsplit(route.request.url)
        name, query = address.path.rpartition("/")[2], parse_qs(address.query)
        if name == "run":
            route.fulfill(body=fleet_page(), content_type="text/html", headers=HEADERS)
        elif "/static/" in address.path:
            route.fulfill(body=asset(name).text, content_type=asset(name).media_type)
        else:
            run = query["run_id"][0]
            others = [{"run_id": other, "state": "success"} for other in runs if other != run]
            route.fulfill(json={"airflow": {"active": False}, "fleet": overview(runs[run]), "runs": others})

    with browser.page_of(chromium) as opened:
        opened.set_default_timeout(20_000)
        opened.route("**/windtunnel/**", answer)
        opened.goto(ADDRESS)
        opened.wait_for_selector(READY)
        yield opened


def names(page):
    return page.locator("#leaderboard tbody tr td:first-child").all_inner_texts()


def test_tiles_leaderboard_and_failures(page):
    tiles = page.locator("#tiles .square")
    assert [tile.get_attribute("data-state") for tile in tiles.all()] == ["completed", "completed", "failed"]
    assert names(page) == ["tenant_2.csv", "tenant_1.csv", "tenant_3.csv"]
    page.get_by_role("button", name="accuracy").click()
    assert names(page) == ["tenant_1.csv", "tenant_2.csv", "tenant_3.csv"]
    assert "short" in page.locator("#failures").inner_text()
    before = tiles.first.evaluate("tile => tile.style.background")
    page.select_option("#colour", "accuracy")
    assert page.locator("#tiles .square").first.evaluate("tile => tile.style.background") != before


def test_a_tile_opens_its_partition(page):
    page.locator("#tiles .square").nth(2).click()
    page.wait_for_selector("#partition")
    assert "tenant_3.csv" in page.locator("#partition").inner_text()
    assert "short" in page.locator("#partition").inner_text()
    page.get_by_role("link", name="All partitions").click()
    page.wait_for_selector("#tiles")


def test_two_runs_are_compared(page):
    page.select_option("#other", "before")
    page.wait_for_selector("#compare table")
    rows = page.locator("#compare tbody tr").all_inner_texts()
    assert "1 better, 1 worse, 0 the same in accuracy." in page.locator("#compare").inner_text()
    assert "tenant_2.csv" in rows[0] and "better" in rows[0]
    assert "tenant_1.csv" in rows[1] and "worse" in rows[1]
