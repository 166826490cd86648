"""Which run a person means, by its name or its URL."""

import pytest

from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger
from windtunnel.ledger.sources import check_begun, open_own
from windtunnel.stores import open_store


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "runs"))


def test_a_run_is_meant_by_its_name_or_by_its_url(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("runs")
    run = Ledger(store, "toy", "2026-01-01")
    for given in (
        "2026-01-01",
        run.url,
        f"{run.url}/",
        f"file://{run.url}",
        "runs/toy/2026-01-01",
        f"{tmp_path}/link/toy/2026-01-01",
    ):
        assert open_own(given, store, "toy").url == run.url
    named = open_own("manual__2026-01-31T10:00:00+00:00", store, "toy")
    assert named.url == Ledger(store, "toy", "manual__2026-01-31T10:00:00+00:00").url


@pytest.mark.parametrize("given", ["{store}/other/run", "/elsewhere/toy/run", "azure://runs/toy/run", "toy/run", "/"])
def test_a_url_of_another_search_or_store_is_refused(store, given):
    given = given.format(store=store.url)
    with pytest.raises(LedgerError, match=r"resume: .* is no run of .*/runs/toy: give the name of one, or its URL"):
        open_own(given, store, "toy")


def test_a_name_that_no_run_has_is_refused_with_the_nearest(store):
    with pytest.raises(LedgerError, match=r"resume: there is no run 'first': .*/runs/toy has none yet"):
        check_begun(Ledger(store, "toy", "first"))
    for run in ("2026-01-01T10-00-00", "2026-02-02T20-00-00", "nightly", "first", "second"):
        Ledger(store, "toy", run).begin({"definition": {}})
    Ledger(store, "other", "fiirst").begin({"definition": {}})
    store.put("toy/fisrt/request.json", b"{}")  # no run, for it has not begun
    check_begun(Ledger(store, "toy", "first"))
    with pytest.raises(LedgerError, match=r"no run 'fisrt': .*/runs/toy has first, \S+, \S+ and 2 more; give one of"):
        check_begun(Ledger(store, "toy", "fisrt"))
