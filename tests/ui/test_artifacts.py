"""What trials have saved, in a browser: on the live page and in `report.html`."""

from io import BytesIO

from tests.core.report import made_up
from tests.ui.pages import open_run, problems, shoot
from windtunnel.ledger import Ledger
from windtunnel.report import write_report
from windtunnel.stores.local import LocalStore

HOSTILE_SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 width="240" height="120" onload="parent.hit = 1; fetch('https://evil.example')">
<script>parent.hit = 1; window.hit = 1</script><script xlink:href="https://evil.example/x.js"/>
<image xlink:href="https://evil.example/x.png" width="9" height="9"/>
<foreignObject width="200" height="60">
<iframe xmlns="http://www.w3.org/1999/xhtml" src="javascript:parent.hit=1"/></foreignObject>
<rect width="240" height="120" fill="#0072B2"/>
<text x="20" y="70" fill="white" font-size="24">a safe picture</text></svg>"""
HOSTILE_HTML = b"<script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"
TABLE = b'class,precision\n"comp, graphics",0.91\n"<img src=x onerror=hit=1>",0.87\n'


def drawn(shift):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 2.5))
    axes = figure.subplots()
    axes.plot([1, 2, 3, 4], [1 / (epoch + shift) for epoch in range(4)], marker="o")
    axes.set(xlabel="epoch", ylabel="loss")
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save_some(ledger):
    """Two trials of the front with artifacts."""
    trials = ledger.selection("4").front[:2]
    for place, trial in enumerate(trials, 1):
        for name, content in {
            "loss.png": drawn(place),
            "picture.svg": HOSTILE_SVG,
            "table.csv": TABLE,
            "values.json": b'{"classes": ["a", "b"], "nested": {"deep": [1, 2]}}',
            "notes.txt": HOSTILE_HTML,
            "page.html": HOSTILE_HTML,
            "model.bin": b"\0" * 1000,
        }.items():
            ledger.store.put(ledger.trial_path(trial, f"artifacts/{name}"), content)
    return trials


def look(page, trial):
    """What a trial's view shows."""
    for name in ("loss.png", "picture.svg"):
        figure = page.locator(f"figure[data-artifact='{trial}/artifacts/{name}']")
        figure.scroll_into_view_if_needed()
        figure.locator("img").wait_for()
        assert (
            figure.locator("img").evaluate("async (image) => { await image.decode(); return image.naturalWidth }") > 0
        )
        assert figure.locator("img").get_attribute("src").startswith("data:image/")
    page.locator(f"figure[data-artifact='{trial}/artifacts/notes.txt']").scroll_into_view_if_needed()
    page.wait_for_selector("#artifacts pre:has-text('onerror')")
    page.locator(f"figure[data-artifact='{trial}/artifacts/table.csv']").scroll_into_view_if_needed()
    page.wait_for_selector("#artifacts td:text-is('comp, graphics')")
    page.wait_for_selector("#artifacts td:text-is('<img src=x onerror=hit=1>')")
    page.locator(f"figure[data-artifact='{trial}/artifacts/values.json']").scroll_into_view_if_needed()
    page.wait_for_selector("#artifacts pre:has-text('\"nested\": {')")
    assert page.locator("#artifacts figure").count() == 7
    assert page.locator("#artifacts iframe, #artifacts script, #artifacts svg").count() == 0
    assert page.evaluate("window.hit") is None
    assert not [address for address in page.requested if "evil.example" in address]


def test_a_trials_artifacts_are_shown_and_nothing_in_them_runs(server, open_page, tmp_path):
    first, second = save_some(server.ledger("finished"))
    with open_page() as page:
        open_run(page, server, view=f"trial={first}", sign="#artifacts")
        look(page, first)
        page.locator("#artifacts").scroll_into_view_if_needed()
        shoot(page, "artifacts")
        with page.expect_download() as download:
            page.click("#artifacts a:text-is('picture.svg')")
        assert download.value.suggested_filename == f"{first}-picture.svg"
        page.click("#view-trial button:text-is('Choose')")
        page.goto(page.url.replace(first, second))
        page.wait_for_selector(f"#trial-id:text-is('{second}')")
        page.click("#view-trial button:text-is('Choose')")
        page.click("#tab-compare")
        beside = page.locator("#compare-artifacts")
        for name in ("loss.png", "picture.svg"):
            beside.locator(f"tr:has(th:text-is('{name}'))").scroll_into_view_if_needed()
            beside.locator(f"tr:has(th:text-is('{name}')) img").nth(1).wait_for()
        page.locator("#compare-artifacts").scroll_into_view_if_needed()
        shoot(page, "artifacts-beside")
        assert page.evaluate("window.hit") is None
        assert problems(page) == []


def test_a_report_holds_small_ones_itself(chromium, tmp_path):
    from tests import browser

    ledger = Ledger(LocalStore(tmp_path), "digits_cnn", "first")
    made_up.fill(ledger)
    trial, _ = save_some(ledger)
    write_report(ledger)
    with browser.page_of(chromium) as page:
        page.goto((tmp_path / ledger.path("report.html")).as_uri() + f"#trial={trial}")
        look(page, trial)
        links = page.locator("#artifacts a").all_inner_texts()
        assert links == [
            "loss.png",
            "model.bin",
            "notes.txt",
            "table.csv",
            "values.json",
        ]  # none that a browser would run
        page.click("#view-trial button:text-is('Choose')")
        page.click("#tab-compare")
        page.wait_for_selector("#compare-artifacts tr:has(th:text-is('loss.png')) img")
        assert page.problems == []
