"""The results page in a real browser, through Airflow's own login, behind a sub-path."""

import csv
import json

import httpx
import pytest

from tests import browser
from tests.core.report import made_up
from tests.ui.pages import PICTURES, open_run, problems, run_address, shoot, visit
from tests.ui.server import SUB_PATH
from windtunnel.report import collect

SAID_OF_NOTHING = {
    "overview": "#banner:has-text('begins when running has ended')",
    "front": "#front-chart:has-text('no trials')",
    "trials": "#trials-table .tabulator-placeholder",
    "trial": "#view-trial:has-text('Choose a trial')",
    "curves": "#curves-chart:has-text('no trials')",
    "parallel": "#parallel-caption:has-text('no trials')",
    "importance": "#view-importance:has-text('no trials')",
    "lanes": "#lanes-chart:has-text('Nothing has run')",
    "compare": "#compare-trials:has-text('None')",
    "actions": "#view-actions:has-text('not begun')",
}
FAILED_SIGNS = browser.SIGNS | {
    "overview": "#banner li:has-text('out_of_memory') button.id",
    "curves": "#curves-chart:has-text('No trial has written')",
    "importance": "#view-importance:has-text('10 completed configurations')",
}
ACTION = {"actions": "#action-resume"}
# What the runs' session was triggered with, where the DAG's own choices are others.
CHOICES = {"epochs_full": 12, "approval": False}
KINDS = ("finished", "other", "running", "failing", "empty", "hidden")  # of runs, which no test adds
# A trial of each kind of run: what finds it in the table, and what its view has then.
TRIALS = {
    "finished": ("front", "#trial-curve .trace"),
    "running": ("running", "#view-trial .pill:text-is('running')"),
    "failing": ("failed", "#log:has-text('epoch 1')"),
    "azure": ("front", "#trial-curve .trace"),
}


def see_all(page, signs, name):
    """Look at every view, and at a trial that the table of trials has."""
    for view, sign in signs.items():
        page.click(f"#tab-{view}")
        see(page, sign, f"{name}-{view}")
    if name in TRIALS:
        words, sign = TRIALS[name]
        page.click("#tab-trials")
        page.fill("#filter", words)
        page.click("#trials-table .tabulator-row button.id")
        page.wait_for_selector("#trial-id")
        see(page, sign, f"{name}-trial")
    assert problems(page) == []


def see(page, sign, name):
    page.wait_for_selector(sign, timeout=60_000)
    if PICTURES:
        page.wait_for_timeout(300)
        shoot(page, name)


def confirm(page, action):
    """Press an action's buttons: the configuration that was shown, and the name of the run that Airflow made of it."""
    card = page.locator(f"#action-{action}")
    card.wait_for()
    shown = json.loads(card.locator("pre.conf").inner_text())
    assert json.dumps(shown, separators=(",", ":")) in card.locator("pre.command").inner_text()
    card.locator("button[data-trigger]").click()
    assert not card.locator("[role=status]").inner_text()  # nothing goes out before it is confirmed
    card.locator("button[data-confirm]").click()
    card.locator("[role=status] a").wait_for(timeout=60_000)
    return shown, card.locator("[role=status] a").inner_text()


def triggered(page, server, dag, run):
    """What Airflow's own API says of a run."""
    token = next(each["value"] for each in page.context.cookies() if each["name"] == "_token")
    address = f"{server.address}/api/v2/dags/{dag}/dagRuns/{run}"
    return httpx.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=60).json()


def test_the_tab_is_on_the_run_and_the_page_in_the_navigation(server, open_page):
    with open_page() as page:
        address = f"{server.address}/dags/digits_cnn/runs/finished"
        visit(page, address, "a[href$='/plugin/search']")
        page.click("a[href$='/plugin/search']")
        frame = page.frame_locator("iframe[title=Search]")
        frame.locator("#volume .trace").wait_for(timeout=60_000)
        assert frame.locator("#search").inner_text() == "digits_cnn"
        shoot(page, "tab")
        visit(page, f"{server.address}/plugin/searches", "iframe")
        frame = page.frame_locator("iframe")
        frame.locator("td:has-text('46 (3 failed)')").first.wait_for(timeout=60_000)
        frame.locator("a:text-is('finished')").first.click()
        frame.locator("#tiles .tile").first.wait_for(timeout=60_000)
        assert problems(page) == []


def test_a_failed_run_leads_to_the_task_that_failed_and_says_why(server, open_page):
    with open_page() as page:
        task = "/dags/digits_cnn/runs/failing/tasks/iteration_1.select"
        open_run(page, server, "failing")
        assert page.locator("#failed").inner_text().startswith("The run failed")
        assert page.locator("#failed li").first.inner_text() == (
            "iteration_1.select: The search ends: 10 trials failed <b>each</b>"
        )
        assert page.locator("#failed a").first.get_attribute("href") == f"{server.address}{task}"
        visit(page, f"{server.address}/dags/digits_cnn/runs/failing/plugin/search", "iframe[title=Search]")
        page.frame_locator("iframe[title=Search]").locator("#failed a").first.click()
        page.wait_for_url(f"{server.address}{task}*")  # the whole page, not its frame alone
        assert problems(page) == []


def test_a_dag_that_is_no_search_gets_a_quiet_word_and_asks_for_nothing_more(server, open_page):
    with open_page() as page:
        page.clock.install()
        open_run(page, server, "any", dag="no_search")
        assert (
            page.locator("#banner .quiet").inner_text()
            == "no_search is no search: there is nothing to show of its runs"
        )
        assert page.locator("#tabs").is_hidden() and page.locator("#warning").is_hidden()
        page.clock.run_for(120_000)
        assert sum("/data/" in url for url in page.requested) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_airflows(server, open_page, theme):
    with open_page(color_scheme="dark" if theme == "light" else "light") as page:
        page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        visit(page, f"{server.address}/dags/digits_cnn/runs/finished/plugin/search", "iframe[title=Search]")
        frame = page.frame_locator("iframe[title=Search]")
        frame.locator(f"html[data-theme={theme}][data-ready]").wait_for(timeout=60_000)
        frame.locator("#volume .trace").wait_for(timeout=60_000)
        shoot(page, f"tab-{theme}")


@pytest.mark.parametrize(
    ("run", "signs"),
    [("finished", browser.SIGNS), ("running", browser.SIGNS), ("failing", FAILED_SIGNS), ("empty", SAID_OF_NOTHING)],
)
def test_every_view_of_every_kind_of_run(server, open_page, run, signs):
    with open_page() as page:
        open_run(page, server, run)
        see_all(page, signs | ({} if run == "empty" else ACTION), run)
        host = server.address.removesuffix(SUB_PATH)
        assert [url for url in page.requested if not url.startswith((f"{host}{SUB_PATH}/", "data:", "blob:"))] == []


def test_every_view_of_a_run_in_azure(server, open_page, azure_ledger, tmp_path):
    trial = azure_ledger.plan("full-4").requests[0].trial
    azure_ledger.store.put(azure_ledger.trial_path(trial, "model.onnx"), b"onnx" * 1000)
    with open_page() as page:
        open_run(page, server, dag="in_azure")
        see_all(page, browser.SIGNS | ACTION, "azure")
        page.goto(run_address(server, dag="in_azure", view=f"trial={trial}"))
        with page.expect_download() as download:
            page.click("#files a:text-is('model.onnx')")
        download.value.save_as(tmp_path / "model.onnx")
        assert (tmp_path / "model.onnx").read_bytes() == b"onnx" * 1000
        page.click("#tab-actions")
        shown, run = confirm(page, "warm")
        assert shown == {"warm_start": [azure_ledger.url]}
        assert triggered(page, server, "in_azure", run)["conf"]["warm_start"] == [azure_ledger.url]
        assert problems(page) == []


def test_every_view_fits_a_narrow_screen(server, open_page):
    with open_page(width=400, height=800) as page:
        open_run(page, server)
        for view in browser.SIGNS:
            page.click(f"#tab-{view}")
            page.wait_for_selector(browser.SIGNS[view])
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), view
            shoot(page, f"narrow-{view}")


def test_a_run_under_way_updates_itself(server, open_page):
    ledger = server.ledger("running")
    with open_page() as page:
        open_run(page, server, "running", view="trials", sign="#trials-table .tabulator-row")
        page.evaluate("window.stays = true")
        before = page.inner_text("#shown")
        request = next(each for each in ledger.plan("3").requests if ledger.result(each.trial) is None)
        page.fill("#filter", f"{request.trial} completed")
        page.wait_for_selector("#shown:has-text('0 of')")
        asked = len(page.requested)
        made_up.finish(ledger, request)
        page.wait_for_selector("#shown:has-text('1 of')")
        assert page.evaluate("window.stays")
        assert before == "34 trials"
        assert all("since=" in url for url in page.requested[asked:] if "data/trials" in url)
        page.click("#tab-overview")
        page.wait_for_selector("#waits:has-text('iteration 3')")
        running = min(collect(ledger).running)
        page.evaluate(f"location.hash = 'trial={running}'")
        page.wait_for_selector("#trial-id")
        ledger.store.put(ledger.trial_path(running, "log.txt"), b"epoch 1\nepoch 2 is new\n")
        page.wait_for_selector("#log:has-text('epoch 2 is new')")
        assert problems(page) == []


def test_the_table_sorts_filters_chooses_and_exports(server, open_page, tmp_path):
    with open_page() as page:
        open_run(page, server, view="trials", sign="#trials-table .tabulator-row")
        page.click(".tabulator-col[tabulator-field=o0]")
        page.click(".tabulator-col[tabulator-field=o0]")
        cells = page.locator(".tabulator-row .tabulator-cell[tabulator-field=o0]").all_inner_texts()
        values = [float(text) for text in cells[:10]]
        assert values == sorted(values, reverse=True)
        page.click("#view-trials button:text-is('failed')")
        page.wait_for_selector("#shown:text-is('3 of 46 trials')")
        with page.expect_download() as download:
            page.click("#export-csv")
        download.value.save_as(tmp_path / "trials.csv")
        rows = list(csv.DictReader((tmp_path / "trials.csv").open(newline="")))
        assert [row["state"] for row in rows] == ["failed"] * 3
        assert "param:\"><b>quoted'" in rows[0]
        assert made_up.HOSTILE in rows[0]["message"]
        with page.expect_download() as download:
            page.click("#export-json")
        download.value.save_as(tmp_path / "trials.json")
        found = json.loads((tmp_path / "trials.json").read_text())
        assert found[0]["params"]["\"><b>quoted'"] == made_up.HOSTILE
        page.click("#view-trials button:text-is('front')")
        for at in (0, 1):
            page.locator(".tabulator-row input[type=checkbox]").nth(at).click()
        page.click("#chosen-bar button:text-is('Compare')")
        page.wait_for_selector("#compare-trials tr.differs")
        assert page.locator("#compare-trials thead button").count() == 2
        page.reload()
        page.wait_for_selector("#compare-trials thead button")  # what was chosen outlives a reload


def test_the_keyboard_reaches_everything(server, open_page):
    with open_page() as page:
        open_run(page, server)
        page.focus("#tab-overview")
        for _ in range(2):
            page.keyboard.press("ArrowRight")
        page.wait_for_selector("#view-trials:not([hidden]) .tabulator-row")
        page.focus(".tabulator-col[tabulator-field=o1]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".tabulator-col[tabulator-field=o1][aria-sort=ascending]")
        page.focus(".tabulator-tableholder")
        page.keyboard.press("ArrowDown")
        page.keyboard.press(" ")
        page.wait_for_selector("#chosen-bar:has-text('1 chosen')")
        page.wait_for_selector(".tabulator-row.current")
        page.keyboard.press("Enter")
        page.wait_for_selector("#trial-id")
        page.click("#tab-parallel")
        page.wait_for_selector(browser.SIGNS["parallel"])
        page.focus("#parallel-canvas")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        page.wait_for_selector("#parallel-caption:has-text('within the ranges')")


def test_a_point_opens_its_trial_and_the_third_dimension_works(server, open_page):
    with open_page() as page:
        open_run(page, server, view="front", sign=browser.SIGNS["front"])
        page.locator("#front-chart .points path").last.hover(force=True)
        page.locator(".hoverlayer .hovertext").first.wait_for()
        shoot(page, "front-hover")
        page.locator("#front-chart .points path").last.click(force=True)
        page.wait_for_selector("#trial-id")
        page.click("#tab-front")
        page.locator("#view-front select").nth(2).select_option("o:latency_ms")
        page.wait_for_selector("#front-chart .gl-container canvas")
        page.wait_for_timeout(1000)
        shoot(page, "front-3d")
        page.locator("#view-front select").nth(3).select_option("state")
        page.locator("#view-front select").nth(2).select_option("")
        page.wait_for_selector(browser.SIGNS["front"])
        assert [each for each in problems(page) if "WebGL" not in each and "GPU" not in each] == []


def test_markup_in_a_run_stays_text(server, open_page):
    ledger = server.ledger("failing")
    trial = ledger.plan("1").requests[0].trial
    with open_page() as page:
        open_run(page, server, "failing", view=f"trial={trial}", sign="#message")
        assert made_up.HOSTILE in page.inner_text("#message")
        assert made_up.HOSTILE in page.inner_text("#log")
        for view in ("overview", "front", "trials", "parallel", "lanes", "actions"):
            page.click(f"#tab-{view}")
            page.wait_for_timeout(300)
        assert page.locator('img, main script, main b:text-is("quoted\'")').count() == 0
        assert page.title() == "Search"
        assert problems(page) == []
        shoot(page, "hostile")


def test_a_trials_files_can_be_saved(server, open_page, tmp_path):
    ledger = server.ledger("finished")
    trial = ledger.plan("full-4").requests[0].trial
    ledger.store.put(ledger.trial_path(trial, "model.onnx"), b"onnx" * 1000)
    ledger.store.put(ledger.trial_path(trial, "log.txt"), b"epoch 1\nepoch 2\n")
    with open_page() as page:
        open_run(page, server, view=f"trial={trial}", sign="#files")
        with page.expect_download() as download:
            page.click("#files a:text-is('model.onnx')")
        assert download.value.suggested_filename == f"{trial}-model.onnx"
        download.value.save_as(tmp_path / "model.onnx")
        assert (tmp_path / "model.onnx").read_bytes() == b"onnx" * 1000
        assert "epoch 2" in page.inner_text("#log")
        page.wait_for_selector("#trial-curve .trace")
        shoot(page, "trial")


def test_two_runs_are_compared(server, open_page):
    with open_page() as page:
        open_run(page, server, view="compare", sign="#view-compare select")
        names = page.locator("#view-compare select option").all_inner_texts()
        choice = next(at for at, name in enumerate(names) if "other" in name)
        page.locator("#view-compare select").select_option(index=choice)
        for chart in ("#compare-front", "#compare-trials-chart", "#compare-time-chart"):
            page.wait_for_selector(f"{chart} .trace", timeout=60_000)
        shoot(page, "compare-runs")
        assert problems(page) == []


def in_pages(page, server, size=2):
    """Let the server's list of runs come in small pages."""
    found = page.request.get(f"{server.address}/windtunnel/data/runs").json()
    runs = [run for run in found["runs"] if run["run_id"] in KINDS and run["dag_id"] != "in_azure"]

    def answer(route):
        start = int((route.request.url.partition("before=")[2] or "0-0").partition("-")[0])
        older = f"{start + size}-1" if len(runs) > start + size else ""
        route.fulfill(json=found | {"runs": runs[start : start + size], "older": older})

    page.route("**/data/runs*", answer)


def test_older_runs_are_a_button_away(server, open_page):
    with open_page() as page:
        in_pages(page, server)
        visit(page, f"{server.address}/windtunnel/", "#searches section:has-text('among the latest 2')")
        page.wait_for_selector("#shown:text-is('2 runs among the latest 2')")
        for shown in (4, 6):
            page.wait_for_selector("#older:visible")
            page.click("#older")
            page.wait_for_selector(f"#shown:has-text('{shown} runs')")
        page.wait_for_selector("#older", state="hidden")
        assert page.locator("#searches tbody tr").count() == len(KINDS)
        shoot(page, "older-runs")
        open_run(page, server, view="compare", sign="#view-compare select")
        older = page.locator("#view-compare button:text-is('Older runs')")
        options = page.locator("#view-compare select option")
        for at in (4, 5):  # the first invites to choose, and this run is not among them
            older.click()
            options.nth(at).wait_for(state="attached")
        older.wait_for(state="detached")
        names = options.all_inner_texts()
        assert len(names) == len(KINDS)
        page.locator("#view-compare select").select_option(label=next(name for name in names if "other" in name))
        page.wait_for_selector("#compare-front .trace", timeout=60_000)
        assert problems(page) == []


@pytest.mark.parametrize("action", ["retrain", "resume", "warm"])
def test_a_confirmed_action_triggers_a_run(server, open_page, action):
    ledger = server.ledger("finished")
    chosen = ledger.selection("4").front[:2]
    with open_page() as page:
        open_run(page, server, view="trials", sign="#trials-table .tabulator-row")
        page.fill("#filter", "front")
        for trial in chosen:
            page.locator(f".tabulator-row:has([title='{trial}']) input[type=checkbox]").click()
        page.click("#chosen-bar button:text-is('Train fully')")
        page.wait_for_selector(f"#action-{action}")
        shoot(page, "actions")
        shown, run = confirm(page, action)
        reply = triggered(page, server, "digits_cnn", run)
    expected = {
        "retrain": {"from_run": ledger.url, "trials": chosen},
        "resume": {"resume": "finished", "iterations": 1, **CHOICES},
        "warm": {"warm_start": [ledger.url]},
    }[action]
    assert shown == expected
    assert {name: reply["conf"][name] for name in expected} == expected
    assert reply["triggering_user_name"] == "admin"


def test_whoever_may_only_look_cannot_trigger(server, open_page):
    with open_page("viewer") as page:
        open_run(page, server, view="actions", sign="#action-resume button[data-trigger]")
        page.click("#action-resume button[data-trigger]")
        page.click("#action-resume button[data-confirm]")
        page.wait_for_selector("#action-resume :text('Airflow refuses')")


def test_without_a_login_there_is_nothing_to_see(server, open_page):
    for address in (run_address(server), f"{server.address}/windtunnel/", f"{server.address}/windtunnel/data/runs"):
        assert httpx.get(address).status_code == 401
    with open_page(None) as page:
        reply = page.goto(run_address(server))
        assert reply.status == 401
        assert "digits" not in page.content()


def test_without_the_right_a_run_is_neither_shown_nor_listed(server, open_page):
    with open_page("stranger") as page:
        reply = page.goto(run_address(server, "hidden", "guarded"))
        assert reply.status == 403
        visit(page, f"{server.address}/windtunnel/", "#searches section")
        assert "guarded" not in page.inner_text("#searches")
        assert "digits_cnn" in page.inner_text("#searches")
    with open_page("viewer") as page:
        visit(page, f"{server.address}/windtunnel/", "#searches section:has-text('guarded')")


def test_no_path_outside_of_the_ledger_is_reachable(server, open_page):
    (server.store / "outside.txt").write_text("secret")
    with open_page() as page:
        open_run(page, server)
        for name in ("../../outside.txt", "..%2F..%2Foutside.txt", "/etc/passwd", "writer.json"):
            query = f"file?dag_id=digits_cnn&run_id=finished&name={name}"
            assert page.evaluate(f"fetch({json.dumps(query)}).then((reply) => reply.status)") == 404
