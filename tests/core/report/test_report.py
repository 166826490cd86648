import importlib.util
import json
import re
import sys

import pytest

from tests.core.report import browser, made_up
from windtunnel.ledger import Ledger
from windtunnel.report import collect, html, write_report
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
    page = html.render(collect(ledger), {}).replace(html.plotly_js(), "")
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//|@import|url\(", page)
    assert "default-src 'none'" in page


def test_what_a_run_says_cannot_end_the_data(ledger: Ledger) -> None:
    made_up.fill(ledger, hostile=True)
    page = html.render(collect(ledger), {})
    assert made_up.HOSTILE not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    messages = {trial["message"] for trial in json.loads(data[1])["trials"]}
    assert made_up.HOSTILE in messages


def test_a_hostile_name_stays_in_the_title(tmp_path: object, ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    view = collect(ledger)
    object.__setattr__(view, "search", "</title><script>alert(1)</script>")
    assert "<title>&lt;/title&gt;&lt;script&gt;" in html.render(view, {})


def test_without_plotly_and_matplotlib_the_tables_are_still_there(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("windtunnel.report.html.plotly_js", lambda: "")
    monkeypatch.setattr("windtunnel.report.write.plotly_js", lambda: "")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    made_up.fill(ledger)
    write_report(ledger)
    assert len(_page(ledger)) < 200_000
    assert [record.message for record in caplog.records if "windtunnel[report]" in record.message][1:]


@pytest.mark.parametrize("objectives", [1, 2, 5])
def test_the_picture_fits_any_number_of_objectives(ledger: Ledger, objectives: int) -> None:
    pytest.importorskip("matplotlib")
    from windtunnel.report.picture import draw

    made_up.fill(ledger, iterations=2, finalists=0)
    view = collect(ledger)
    names = dict(list(view.objectives.items())[:objectives]) | {f"more{n}": "minimize" for n in range(objectives - 3)}
    for trial in view.trials:
        trial.objectives.update({name: trial.number for name in names if name.startswith("more")})
    object.__setattr__(view, "objectives", names)
    assert draw(view).startswith(b"\x89PNG")


@pytest.mark.slow
@needs_browser
@needs_plotly
def test_the_page_works_in_a_browser(ledger: Ledger) -> None:
    made_up.fill(ledger, hostile=True)
    write_report(ledger)
    assert isinstance(ledger.store, LocalStore)
    with browser.browser() as page:
        page.open(ledger.store.folder / ledger.path("report.html"))
        page.wait("document.querySelectorAll('#front .trace').length > 3")
        # Tabs: another pair of objectives changes the axis.
        assert page.value("document.getElementById('front').layout.xaxis.title.text").startswith("flops")
        page.value("document.querySelectorAll('#pairs button')[1].click()")
        assert page.value("document.getElementById('front').layout.xaxis.title.text").startswith("latency_ms")
        # The table sorts by its heads, and filters.
        column = "[...document.querySelectorAll('#trials tbody tr')].map((row) => row.cells[4].textContent)"
        page.value("document.querySelector('[data-sort=\"o:val_acc\"]').click()")
        accuracies = [float(text) for text in page.value(column) if text[0].isdigit()]
        assert len(accuracies) == 43
        assert accuracies == sorted(accuracies, reverse=True)
        page.value("[...document.querySelectorAll('#states button')].find((b) => b.textContent === 'failed').click()")
        assert page.value("document.querySelectorAll('#trials tbody tr').length") == 3
        # A trial opens and shows its message as text; nothing of it has run or become an element.
        page.value("document.querySelector('#trials tbody tr').click()")
        assert made_up.HOSTILE in page.value("document.querySelector('#trials .detail').textContent")
        assert page.value("document.querySelectorAll('img, #trials b, #trials script').length") == 0
        assert page.value("document.title") == "digits_cnn · first"
        # A point of the chart leads to its trial.
        page.value("openTrial(view.models[0].trial.trial)")
        assert page.value("document.getElementById('trial-' + view.models[0].partial).classList.contains('open')")
        # The theme turns without an error.
        page.value("document.getElementById('theme').click()")
        assert page.errors == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.slow
@needs_browser
@needs_plotly
def test_the_page_fits_a_narrow_screen_and_a_run_without_trials(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    write_report(ledger)
    assert isinstance(ledger.store, LocalStore)
    file = ledger.store.folder / ledger.path("report.html")
    with browser.browser(width=500) as page:
        page.open(file)
        assert page.errors == []
        made_up.fill(ledger)
        write_report(ledger)
        page.open(file)
        page.wait("document.querySelectorAll('#front .trace').length > 3")
        assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.errors == []
