"""What a page that is looked at does while its run goes on, in a real browser; the server is made up."""

from tests.core.report import made_up

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
