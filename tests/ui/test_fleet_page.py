"""A fleet's page in a browser without an Airflow: what it asks for is answered here, from real ledgers."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import browser
from tests.fleets import fall_short, fleet_from, prepared, succeed
from tests.ui.pages import READY
from windtunnel.fleet.partitions import Partition, Partitions
from windtunnel.report import FleetReader, write_report
from windtunnel.report.fleet import payloads
from windtunnel.report.pages import asset, fleet_page
from windtunnel_airflow.page.replies import HEADERS

ADDRESS = "http://localhost/windtunnel/run?dag_id=toy&run_id=now"


@pytest.fixture
def ledgers(tmp_path):
    """The runs `before` and `now` of a fleet: two tenants trained, one failed."""
    fleet = fleet_from(tmp_path / "toy", objectives={"accuracy": "maximize", "loss": "minimize"})
    made = {}
    for run, values in (("before", ((0.9, 3.0), (0.5, 4.0))), ("now", ((0.6, 2.0), (0.8, 4.0)))):
        ledger, _, plan = prepared(tmp_path / run, fleet, run)
        for number, (accuracy, loss) in enumerate(values):
            succeed(ledger, plan, number, accuracy=accuracy, loss=loss)
        fall_short(ledger, plan, 2)
        made[run] = ledger
    return made


def many(snapshot, count):
    """The run as it would be with so many partitions, every tenth of which failed."""
    places = range(count)
    return replace(
        snapshot,
        partitions=Partitions(["tenant"], (Partition(f"tenant_{n:05}.csv", (str(n),), f"{n:064x}", 3) for n in places)),
        states=["failed" if n % 10 == 3 else "completed" for n in places],
        metrics={"accuracy": [None if n % 10 == 3 else (n * 7919 % count) / count for n in places]},
        seconds=[0.5] * count,
        messages={n: f"tenant {n} has 1 row" for n in places if n % 10 == 3},
    )


@pytest.fixture
def opened(chromium, ledgers):
    """Opens the page of the run `now`, with so many partitions; it notes what the page asks for."""
    contexts = []

    def opened(count=None, **options):
        readers = {run: FleetReader(ledger).read() for run, ledger in ledgers.items()}
        if count is not None:
            readers["now"] = many(readers["now"], count)
        opened.snapshots, opened.asked, opened.fails = readers, [], False

        def answer(route):
            address = urlsplit(route.request.url)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            name = address.path.rpartition("/windtunnel/")[2]
            if name == "run":
                return route.fulfill(body=fleet_page(), content_type="text/html", headers=HEADERS)
            if name.startswith("static/"):
                name = name.removeprefix("static/")
                return route.fulfill(body=asset(name).text, content_type=asset(name).media_type)
            opened.asked.append(name.removeprefix("data/fleet/"))
            if opened.fails:
                return route.fulfill(status=503, json={"detail": "The store cannot be read"})
            return route.fulfill(json=data(readers, ledgers, name.removeprefix("data/fleet/"), query))

        context = browser.page_of(chromium, **options)
        contexts.append(context)
        page = context.__enter__()
        page.route("**/windtunnel/**", answer)
        page.goto(ADDRESS)
        page.wait_for_selector(READY)
        return page

    yield opened
    for context in contexts:
        context.__exit__(None, None, None)


def data(snapshots, ledgers, name, query):
    """What the server answers."""
    now = snapshots["now"]
    if name == "overview":
        runs = [{"run_id": run, "state": "success"} for run in snapshots if run != "now"]
        return {"airflow": {"active": True}, "fleet": payloads.overview(now), "runs": runs}
    if name == "block":
        return payloads.block(now, int(query["number"]))
    if name == "partition":
        return payloads.partition(now, ledgers["now"], now.place_of(query["name"]))
    if name == "files":
        return payloads.files(ledgers["now"])
    assert name == "compare"
    return payloads.compare(now, snapshots[query["other"]])


def names(page):
    return page.locator("#leaderboard tbody tr td:first-child").all_inner_texts()


def sorted_by(page):
    (head,) = page.locator("#leaderboard th[aria-sort]").all()
    return head.inner_text().strip(), head.get_attribute("aria-sort")


def colour_of(page, place):
    return page.locator("#tiles .square").nth(place).evaluate("tile => getComputedStyle(tile).backgroundColor")


def test_tiles_leaderboard_and_failures(opened):
    page = opened()
    tiles = page.locator("#tiles .square")
    assert [tile.get_attribute("data-state") for tile in tiles.all()] == ["completed", "completed", "failed"]
    assert names(page) == ["tenant_2.csv", "tenant_1.csv", "tenant_3.csv"]
    assert sorted_by(page) == ("accuracy ↑", "descending")
    page.get_by_role("button", name="loss").click()
    assert names(page) == ["tenant_1.csv", "tenant_2.csv", "tenant_3.csv"]
    assert sorted_by(page) == ("loss ↓", "ascending")
    page.get_by_role("button", name="partition", exact=True).click()
    page.get_by_role("button", name="partition", exact=True).click()
    assert names(page) == ["tenant_3.csv", "tenant_2.csv", "tenant_1.csv"]
    assert "short" in page.locator("#failures").inner_text()
    assert "3 of 3" in page.locator("#summary").inner_text()
    before = [colour_of(page, place) for place in range(3)]
    assert before[0] == before[1] != before[2]
    page.select_option("#colour", "accuracy")
    after = [colour_of(page, place) for place in range(3)]
    assert len(set(after)) == 3 and after[0] != before[0]
    assert page.problems == []


def test_a_tile_opens_its_partition_with_its_mini_batch(opened):
    page = opened()
    page.locator("#tiles .square").nth(2).click()
    page.wait_for_selector("#batch")
    assert "tenant_3.csv" in page.locator("#partition").inner_text()
    told = page.locator("#batch").inner_text()
    assert "short" in told and "0 of 1 items" in told
    page.get_by_role("link", name="All partitions").click()
    page.wait_for_selector("#tiles")


def test_two_runs_are_compared_by_each_metric(opened):
    page = opened()
    page.select_option("#other", "before")
    page.wait_for_selector("#compare-rows")
    rows = page.locator("#compare-rows tbody tr").all_inner_texts()
    assert "accuracy: 1 better, 1 worse, 0 the same." in page.locator("#compare").inner_text()
    assert "tenant_2.csv" in rows[0] and "better" in rows[0]
    assert "tenant_1.csv" in rows[1] and "worse" in rows[1]
    page.locator("#compare-counts").get_by_role("button", name="loss").click()
    assert "loss: 1 better, 0 worse, 1 the same." in page.locator("#compare").inner_text()
    assert len(page.locator("#compare-rows tbody tr").all()) == 1


def test_of_twenty_thousand_partitions_only_what_changed_is_asked_for_again(opened):
    page = opened(20_000)
    assert page.locator("#tiles .square").count() == 20_000
    assert len(names(page)) == 100 and "1 to 100 of 20000" in page.locator("#leaderboard").inner_text()
    page.get_by_role("button", name="Next").click()
    assert "101 to 200 of 20000" in page.locator("#leaderboard").inner_text()
    page.get_by_label("Filter partitions").fill("tenant_0001 failed")
    assert names(page) == ["tenant_00013.csv"]
    assert "2000" in page.locator("#failures").inner_text()
    assert opened.asked.count("block") == 10
    states = list(opened.snapshots["now"].states)
    states[4003] = "completed"
    opened.snapshots["now"] = replace(opened.snapshots["now"], states=states)
    page.wait_for_selector('#tiles .square:nth-child(4004)[data-state="completed"]')
    assert opened.asked.count("block") == 11


def test_a_failure_is_told_until_it_passes(opened):
    page = opened()
    opened.fails = True
    page.wait_for_selector("#warning:has-text('The store cannot be read')")
    opened.fails = False
    page.wait_for_selector("#warning", state="hidden")
    assert names(page)


def test_the_report_is_the_page_in_a_file(chromium, ledgers, tmp_path):
    write_report(ledgers["now"])
    file = tmp_path / "report.html"
    file.write_bytes(ledgers["now"].store.get(ledgers["now"].path("report.html")))
    with browser.page_of(chromium) as page:
        page.goto(file.as_uri())
        page.wait_for_selector(READY)
        assert names(page) == ["tenant_2.csv", "tenant_1.csv", "tenant_3.csv"]
        page.locator("#tiles .square").nth(2).click()
        page.wait_for_selector("#partition:has-text('tenant_3.csv')")
        assert page.problems == []
