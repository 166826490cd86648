import importlib.util
import json
import re
import sys

import pytest

from tests import browser
from tests.core.report import made_up
from windtunnel.functions.run import open_run
from windtunnel.ledger import Ledger
from windtunnel.report import collect, html, pages, write_report
from windtunnel.stores.local import LocalStore

needs_browser = pytest.mark.skipif(browser.EXECUTABLE is None, reason="Chromium is not installed")
needs_plotly = pytest.mark.skipif(importlib.util.find_spec("plotly") is None, reason="plotly is not installed")


def _page(ledger: Ledger) -> str:
    return ledger.store.get(ledger.path("report.html")).decode()


def test_both_files_are_written(ledger: Ledger) -> None:
    pytest.importorskip("matplotlib")
    made_up.fill(ledger)
    write_report(ledger)
    assert ledger.store.get(ledger.path("pareto.png")).startswith(b"\x89PNG")
    assert _page(ledger).startswith("<!doctype html>")


def test_the_page_fetches_nothing(ledger: Ledger) -> None:
    made_up.fill(ledger)
    page = html.render(collect(ledger), ledger).replace(pages.plotly_js(), "")
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//|@import|\burl\([\"']?(?:https?:)?//", page)
    assert "default-src 'none'" in page


def test_what_a_run_says_cannot_end_the_data(ledger: Ledger) -> None:
    made_up.fill(ledger, hostile=True)
    page = html.render(collect(ledger), ledger)
    assert made_up.HOSTILE not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    messages = set(json.loads(data[1])["trials"]["columns"]["message"])
    assert made_up.HOSTILE in messages


def test_a_hostile_name_stays_in_the_title(tmp_path: object, ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    view = collect(ledger)
    object.__setattr__(view, "search", "</title><script>alert(1)</script>")
    assert "<title>&lt;/title&gt;&lt;script&gt;" in html.render(view, ledger)


def test_without_plotly_and_matplotlib_the_tables_are_still_there(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("windtunnel.report.html.plotly_js", lambda: "")
    monkeypatch.setattr("windtunnel.report.write.plotly_js", lambda: "")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    made_up.fill(ledger)
    write_report(ledger)
    assert len(_page(ledger)) < 600_000
    assert [record.message for record in caplog.records if "windtunnel[report]" in record.message][1:]
    with pytest.raises(ImportError, match=r"takes matplotlib, which is missing: install it with: pip install"):
        open_run(ledger.url).figure()


@pytest.mark.parametrize("objectives", [1, 2, 5])
def test_the_picture_fits_any_number_of_objectives(ledger: Ledger, objectives: int) -> None:
    pytest.importorskip("matplotlib")
    from windtunnel.report.picture import draw

    made_up.fill(ledger, iterations=2, finalists=0)
    snapshot = collect(ledger)
    names = dict(list(snapshot.objectives.items())[:objectives]) | {
        f"more{n}": "minimize" for n in range(objectives - 3)
    }
    for number, trial in enumerate(snapshot.trials):
        trial.objectives.update({name: number for name in names if name.startswith("more")})
    object.__setattr__(snapshot, "objectives", names)
    assert draw(snapshot).startswith(b"\x89PNG")


@pytest.mark.parametrize(("script", "least"), [("run.js", 100), ("searches.js", 40)])
def test_the_modules_make_a_script_without_a_name_twice(script: str, least: int) -> None:
    """All modules of a page share one scope."""
    text = pages.asset(script).text
    assert not re.findall(r"^(?:import|export)\b.*", text, re.MULTILINE)
    names = re.findall(r"^(?:async )?(?:const|let|class|function) (\w+)", text, re.MULTILINE)
    names += [
        name for group in re.findall(r"^(?:const|let) \[(.*?)\] =", text, re.MULTILINE) for name in group.split(", ")
    ]
    assert len(names) > least
    assert sorted(names) == sorted(set(names))


@pytest.mark.slow
@needs_browser
@needs_plotly
def test_the_page_works_in_a_browser(ledger: Ledger) -> None:
    made_up.fill(ledger, hostile=True)
    write_report(ledger)
    assert isinstance(ledger.store, LocalStore)
    with browser.opened() as page:
        page.goto((ledger.store.folder / ledger.path("report.html")).as_uri())
        page.wait_for_selector("#volume .trace")
        for view, sign in browser.SIGNS.items():
            page.click(f"#tab-{view}")
            page.wait_for_selector(sign)
        page.click("#tab-trials")
        page.fill("#filter", "failed kernel_size")
        page.wait_for_function("document.getElementById('shown').textContent === '3 of 46 trials'")
        page.click("#trials-table .tabulator-row button.link >> nth=0")
        assert made_up.HOSTILE in page.inner_text("#message")
        assert page.locator("img, main b:has-text('quoted'), main script").count() == 0
        assert page.title() == "digits_cnn · first"
        page.click("#theme")
        assert page.problems == []
        assert [url for url in page.requested if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.slow
@needs_browser
@needs_plotly
def test_the_page_fits_a_narrow_screen_and_a_run_without_trials(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    write_report(ledger)
    assert isinstance(ledger.store, LocalStore)
    file = (ledger.store.folder / ledger.path("report.html")).as_uri()
    with browser.opened(width=420) as page:
        for _ in range(2):
            page.goto(file)
            for view in browser.SIGNS:
                page.click(f"#tab-{view}")
                page.wait_for_timeout(100)
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), view
            assert page.problems == []
            made_up.fill(ledger)
            write_report(ledger)
