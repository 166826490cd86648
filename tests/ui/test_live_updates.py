"""What a page that is looked at does while its run goes on, in a real browser; the server is made up."""

import json
import os
import time
from pathlib import Path

from tests.core.report import made_up
from windtunnel.ledger import Job, Plan, Result, State

ROW = "#trials-table .tabulator-row:has([title='{}'])"
SELECTED = "#trials-table .tabulator-row.tabulator-selected"


def tick(page, trial):
    page.locator(f"{ROW.format(trial)} input[type=checkbox]").click()


def test_the_chosen_trials_outlive_updates_reloads_and_choices_made_elsewhere(live):
    left = made_up.fill_partly(live.ledger)
    page = live.open("trials")
    first, second, third, fourth = [trial.trial for trial in live.read().trials[:4]]
    tick(page, first)
    made_up.finish(live.ledger, left[0])
    live.poll()
    page.wait_for_selector("#chosen-bar:has-text('1 chosen')")
    assert page.locator(SELECTED).count() == 1
    tick(page, second)
    page.wait_for_selector("#chosen-bar:has-text('2 chosen')")
    page.reload()
    page.wait_for_selector(SELECTED)
    assert page.locator(SELECTED).count() == 2
    tick(page, third)
    page.wait_for_selector("#chosen-bar:has-text('3 chosen')")
    page.evaluate(f"location.hash = 'trial={fourth}'")
    page.click("#view-trial button:text-is('Choose')")
    page.click("#tab-trials")
    page.wait_for_selector("#chosen-bar:has-text('4 chosen')")
    assert page.locator(SELECTED).count() == 4
    tick(page, first)
    page.wait_for_selector("#chosen-bar:has-text('3 chosen')")
    page.click("#chosen-bar button:text-is('Clear')")
    page.wait_for_selector("#chosen-bar", state="hidden")
    assert page.locator(SELECTED).count() == 0
    assert page.problems == []


def test_a_full_training_stays_chosen_though_the_table_lacks_it(live):
    made_up.fill(live.ledger, finalists=1)
    trained = live.read().models[0].trial.trial
    page = live.open(f"trial={trained}")
    page.click("#view-trial button:text-is('Choose')")
    page.click("#tab-trials")
    tick(page, live.read().trials[0].trial)
    page.wait_for_selector("#chosen-bar:has-text('2 chosen')")


def all_but_one(ledger):
    """A run of which nothing is launched, and one trial has no result yet."""
    made_up.fill(ledger, iterations=1, finalists=0)
    ledger.store.delete(ledger.path("iterations/1/known.json"))
    request = ledger.plan("1").requests[4]
    ledger.store.delete(ledger.path(f"results/{request.trial}.json"))
    return request


def test_a_failed_request_is_made_up_for(live):
    last = all_but_one(live.ledger)
    live.active = False
    live.failing = {"trials"}
    page = live.open("trials")
    page.wait_for_selector("#warning:has-text('cannot be read')")
    live.failing = set()
    live.poll()
    page.wait_for_selector("#shown:text-is('10 trials')")
    page.fill("#filter", f"{last.trial} completed")
    before = live.read()
    made_up.finish(live.ledger, last)
    live.stale = {"trials": before}  # as another process of the server may have it
    live.poll()
    assert page.inner_text("#shown") == "0 of 10 trials"
    live.stale, live.failing = {}, {"trials"}
    live.poll()
    live.failing = set()
    live.poll()
    page.wait_for_selector("#shown:text-is('1 of 10 trials')")
    page.wait_for_selector("#warning", state="hidden")


def points(page, chart):
    """What a chart shows: the values of its traces' points."""
    return page.evaluate(f"(document.getElementById('{chart}').data || []).flatMap((trace) => [...trace.y]).length")


def test_charts_take_the_place_of_words_and_follow_the_run(live):
    made_up.begin(live.ledger, made_up.definition())
    page = live.open("front")
    for view in ("front", "lanes", "curves"):
        page.click(f"#tab-{view}")
        page.wait_for_selector(f"#{view}-chart p")
    live.stale = {"curves": live.read()}
    made_up.fill_partly(live.ledger)
    live.poll()
    page.wait_for_selector("#curves-chart p:has-text('No trial has written a curve')")
    live.stale = {}
    live.poll()
    for view in ("curves", "front", "lanes"):
        page.click(f"#tab-{view}")
        page.wait_for_selector(f"#{view}-chart .trace", state="attached")
        assert page.locator(f"#{view}-chart p").count() == 0
    page.click("#tab-curves")
    before = points(page, "curves-chart")
    running = min(live.read().running)
    path = live.ledger.trial_path(running, "metrics.jsonl")
    more = b'{"epoch": 1.25, "loss": 1, "val_acc": 0.5}\n'
    live.ledger.store.put(path, live.ledger.store.get(path) + more)
    live.poll()
    assert points(page, "curves-chart") == before + 1
    assert page.problems == []


def test_lanes_show_a_verification_once_it_has_ended(live):
    made_up.fill(live.ledger, iterations=1, finalists=1)
    unit = f"verify-{live.ledger.plan('full-1').requests[0].trial}"
    live.ledger.store.delete(live.ledger.path(f"steps/{unit}.json"))
    job = Job(job="verify-1-0", stage="verify-1", units=[unit], lane=0)
    live.ledger.create_plan(Plan(stage="verify-1", requests=[], jobs=[job]))
    page = live.open("lanes")
    page.wait_for_selector("#lanes-chart .trace")
    started = made_up.BEGAN.isoformat()
    live.ledger.record(Result(trial=unit, state=State.COMPLETED, seconds=5, started=started))
    live.poll()
    page.wait_for_selector("#view-lanes td:text-is('verification')")


def test_metrics_stay_with_their_names_when_an_earlier_trial_ends_with_others(live):
    made_up.fill(live.ledger, iterations=1, finalists=0)
    live.ledger.store.delete(live.ledger.path("iterations/1/known.json"))
    first, second = live.ledger.plan("1").requests[:2]
    for request in (first, second):
        live.ledger.store.delete(live.ledger.path(f"results/{request.trial}.json"))
    made_up.finish(live.ledger, second, aux=0.125)
    long_ago = time.time() - 3600  # or it would be sent again with the next one
    os.utime(live.ledger.store.folder / live.ledger.path(f"results/{second.trial}.json"), (long_ago, long_ago))
    page = live.open("trials")
    page.wait_for_selector(".tabulator-col:has-text('aux')")
    made_up.finish(live.ledger, first, reg=0.75)
    live.poll()
    page.wait_for_selector(".tabulator-col:has-text('reg')")
    with page.expect_download() as download:
        page.click("#export-json")
    found = {row["trial"]: row["metrics"] for row in json.loads(Path(download.value.path()).read_text())}
    assert found[first.trial] | {"reg": 0.75, "aux": None} == found[first.trial]
    assert found[second.trial] | {"reg": None, "aux": 0.125} == found[second.trial]


# A control of each view, which has the focus while a trial ends.
CONTROLS = {
    "overview": "#about summary",
    "trials": "#view-trials .tabs button:nth-child(2)",
    "curves": "#view-curves select",
    "parallel": "#view-parallel summary",
    "lanes": "#view-lanes select",
    "compare": "#view-compare select",
}


def test_controls_stay_under_the_hands_while_trials_end(live):
    left = made_up.fill_partly(live.ledger)
    page = live.open("curves")
    page.wait_for_selector("#curves-chart .trace")
    for request, (view, control) in zip(left, CONTROLS.items(), strict=True):
        page.click(f"#tab-{view}")
        page.wait_for_selector(control)
        page.focus(control)
        page.keyboard.press("Enter" if "summary" in control else "Shift")
        made_up.finish(live.ledger, request)
        live.poll()
        assert page.evaluate(f"document.querySelector({json.dumps(control)}) === document.activeElement"), view
        assert "summary" not in control or page.evaluate("document.activeElement.parentElement.open")
        page.keyboard.press("Escape")
    page.click("#tab-trials")
    tick(page, live.read().trials[0].trial)
    page.click("#tab-curves")
    page.wait_for_selector("#curves-caption:has-text('The chosen trials')")
    page.uncheck("#view-curves label:has-text('chosen trials only') input")
    page.wait_for_selector("#curves-caption:has-text('In colour')")
    page.select_option(CONTROLS["curves"], "loss")
    page.wait_for_selector("#curves-chart .ytitle:text-is('loss')")
    assert "In colour" in page.inner_text("#curves-caption")
    assert page.problems == []


def test_a_running_trials_page_keeps_the_metric_and_the_place_in_the_log(live):
    made_up.fill_partly(live.ledger)
    trial = min(live.read().running)
    log = live.ledger.trial_path(trial, "log.txt")
    live.ledger.store.put(log, b"a line\n" * 200)
    page = live.open(f"trial={trial}")
    page.click("#view-trial .tabs button:text-is('loss')")
    page.evaluate("document.getElementById('log').scrollTop = 50")
    live.ledger.store.put(log, b"a line\n" * 200 + b"the next line\n")
    live.poll()
    assert "the next line" in page.inner_text("#log")
    assert page.evaluate("document.getElementById('log').scrollTop") == 50
    assert page.text_content("#trial-curve .ytitle") == "loss"
    page.evaluate("document.getElementById('log').scrollTop = 1e6")
    live.ledger.store.put(log, b"a line\n" * 250)
    live.poll()
    left = page.evaluate("(log => log.scrollHeight - log.clientHeight - log.scrollTop)(document.getElementById('log'))")
    assert left < 4
    assert page.problems == []


def test_an_action_that_is_being_confirmed_stays_while_trials_end(live):
    left = made_up.fill_partly(live.ledger)
    live.failing = {"runs"}
    page = live.open("actions")
    live.poll()
    live.failing = set()
    live.poll()
    page.route("**/api/v2/**", lambda route: route.fulfill(json={"dag_run_id": "new"}))
    page.click("#action-warm button[data-trigger]")
    made_up.finish(live.ledger, left[0])
    live.poll()
    page.click("#action-warm button[data-confirm]")
    page.wait_for_selector("#action-warm a:text-is('new')")
    made_up.finish(live.ledger, left[1])
    live.poll()
    assert page.inner_text("#action-warm [role=status]").startswith("Triggered")
    assert page.is_visible("#action-resume:has-text('The run is at work')")
    live.active = False
    live.poll()
    assert page.is_hidden("#action-resume :text('The run is at work')")


def test_lanes_say_how_busy_they_are_and_show_where_they_are_idle(live):
    made_up.fill(live.ledger, limits={"parallel": 3}, finalists=0)
    page = live.open("lanes")
    page.wait_for_selector("#lanes-share:has-text('% busy')")
    page.wait_for_selector("#lanes-share:has-text('3 lanes')")
    page.wait_for_selector("#lanes-chart .legendtext:text-is('idle')")
    assert page.problems == []
