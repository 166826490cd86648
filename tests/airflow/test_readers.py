"""What the results page keeps of a run, while its store answers, is slow, and fails."""

import threading

import pytest

from tests.core.report import made_up
from windtunnel.errors import StoreError
from windtunnel.ledger import Ledger
from windtunnel.report.payloads import compare
from windtunnel.stores.local import LocalStore
from windtunnel_airflow.page import readers


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A run that was read once, and is stale at once."""
    monkeypatch.setattr(readers, "_FRESH", -1.0)
    monkeypatch.setattr(readers, "_PATIENCE", 0.01)
    ledger = Ledger(LocalStore(tmp_path), "digits_cnn", "first")
    made_up.fill(ledger, iterations=1, finalists=0)
    cache = readers.RunCache(ledger, readers.RunReader(ledger).read)
    cache.snapshot()
    return cache


@pytest.fixture
def waited():
    """Set once a page has waited in vain."""
    return threading.Event()


@pytest.fixture
def outage(cache, waited, monkeypatch):
    """The store fails, but not before a page has waited in vain; yields what ends that."""

    def fail():
        waited.wait(300)
        raise StoreError("the credentials have expired")

    with monkeypatch.context() as patch:
        patch.setattr(cache, "_read_run", fail)
        yield patch.undo


def fail_late(cache, waited):
    """A reading that a page does not wait for, and that has failed by now."""
    assert cache.snapshot().trials
    waited.set()
    with pytest.raises(StoreError):
        cache._reading.result(300)


def test_a_reading_that_failed_late_is_told_to_the_next_page(cache, waited, outage):
    fail_late(cache, waited)
    with pytest.raises(StoreError, match="expired"):
        cache.snapshot()
    outage()
    assert cache.snapshot().trials  # the store answers again


@pytest.mark.usefixtures("outage")
def test_reading_ahead_does_not_hide_a_failure(cache, waited):
    fail_late(cache, waited)
    cache.read_ahead()
    with pytest.raises(StoreError):
        cache.snapshot()


def test_a_late_reading_is_seen_by_the_next_page(cache):
    before = cache.snapshot()
    made_up.fill_more(cache.ledger, "2")
    cache._read_beside().result(300)
    assert cache.snapshot().version != before.version


def test_a_comparison_with_a_run_under_way_is_kept_once(cache):
    snapshot = cache.snapshot()
    made = [cache.made("compare other", version, lambda: compare(snapshot, snapshot)) for version in "aab"]
    assert made[0] is made[1]
    assert cache.made("compare other", "b", lambda: pytest.fail("it is known")) is made[2]
