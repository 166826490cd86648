from contextlib import suppress
from types import SimpleNamespace

import pytest

from windtunnel.errors import NotFoundError, StoreError
from windtunnel.ledger import Attempt, Ledger
from windtunnel.stores.local import LocalStore
from windtunnel_trainer.left import folder_of
from windtunnel_trainer.logs import UnitLog

UNIT = "0123456789abcdef-e1"


def attempt(number):
    return Attempt(number=number, job="1-0", host="here", started="2026-01-01T00:00:00.000+00:00")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(LocalStore(tmp_path / "store"), "toy", "run")


def log_in(ledger, folder):
    folder.mkdir()
    return UnitLog(ledger, UNIT, folder)


def stored(ledger):
    return ledger.store.get(ledger.trial_path(UNIT, "log.txt")).decode()


def test_a_log_goes_on_after_what_an_earlier_job_brought_to_the_ledger(ledger, tmp_path):
    first = log_in(ledger, tmp_path / "first")
    first.begin(attempt(1))
    first.file.write_text("one\n")
    first.sync(at_once=True)
    second = log_in(ledger, tmp_path / "second")
    second.begin(attempt(2))
    with second.file.open("a") as file:
        file.write("two\n")
    second.sync(at_once=True)
    assert stored(ledger) == "one\n--- start 2, 2026-01-01T00:00:00.000+00:00, here ---\ntwo\n"


@pytest.mark.parametrize(
    ("metered", "times"), [(False, list(range(10, 7200, 20))), (True, [10, 30, 90, 270, 810, 2430, 6030])]
)
def test_a_log_is_brought_to_the_ledger_now_and_then_and_at_once_at_its_end(
    ledger, tmp_path, monkeypatch, metered, times
):
    monkeypatch.setattr(LocalStore, "metered", metered)
    moment = 0.0
    monkeypatch.setattr("windtunnel_trainer.logs.time", SimpleNamespace(monotonic=lambda: moment))
    log = log_in(ledger, tmp_path / "logs")
    log.begin(attempt(1))
    brought = []
    for moment in range(0, 7200, 10):
        log.file.write_text("x" * (moment + 1))
        log.sync()
        with suppress(NotFoundError):
            if len(stored(ledger)) == moment + 1:
                brought.append(moment)
    assert brought == times
    log.sync(at_once=True)
    assert len(stored(ledger)) == 7191


def test_the_tail_is_there_before_any_start(ledger, tmp_path):
    assert log_in(ledger, tmp_path / "new").tail(100) == ""
    ledger.store.put(ledger.trial_path(UNIT, "log.txt"), b"0123456789")
    assert log_in(ledger, tmp_path / "old").tail(4) == "6789"


def test_a_store_that_fails_stops_no_job(ledger, tmp_path, monkeypatch, capsys):
    log = log_in(ledger, tmp_path / "logs")
    log.begin(attempt(1))
    log.file.write_text("one")

    def fail(*_):
        raise StoreError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "_upload", fail)
        log.sync(at_once=True)
    assert "No space left on device" in capsys.readouterr().out
    log.sync(at_once=True)
    assert stored(ledger) == "one"


def test_a_disk_that_refuses_a_log_is_a_storage_fault(ledger, tmp_path):
    log = UnitLog(ledger, UNIT, tmp_path / "nowhere")
    with pytest.raises(StoreError, match="cannot use the log"):
        log.begin(attempt(1))


def test_nothing_of_a_unit_is_left_on_the_host(ledger, tmp_path):
    log = log_in(ledger, tmp_path / "jobs")
    log.begin(attempt(1))
    other = log.file.with_name(f"{UNIT}.5.log")  # of another unit, half an epoch further
    for folder in (folder_of(log.file, 1), folder_of(log.file, 2), folder_of(other, 1)):
        folder.mkdir(parents=True)
    log.remove()
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [folder_of(other, 1).parent.name]


def test_that_a_full_disk_keeps_a_log_here_is_told_once(ledger, tmp_path, monkeypatch, capsys):
    log = log_in(ledger, tmp_path / "logs")

    def refuse(*_):
        raise StoreError("the disk is full")

    for full in (True, True, True, False, True):
        with monkeypatch.context() as patch:
            if full:
                patch.setattr(ledger.store, "upload", refuse)
            with log.file.open("a") as file:
                file.write("more\n")
            log.sync(at_once=True)
    assert capsys.readouterr().out.count("the log stays here for now: the disk is full") == 2
