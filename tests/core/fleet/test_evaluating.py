"""Waiting for the evaluation: a job that was killed is launched again, one that failed ends the run."""

import pytest

from tests.fleets import fleet_from, prepared
from tests.stepped import SteppedLauncher
from windtunnel.engine.runs import finished
from windtunnel.errors import FleetError, LaunchError
from windtunnel.fleet.beginning import EVALUATION, evaluation_job
from windtunnel.fleet.evaluating import EvaluationMonitor
from windtunnel.ledger.failures import record_failure
from windtunnel.ledger.writer import BEAT


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(SteppedLauncher, "waiting", {})
    return prepared(tmp_path, fleet_from(tmp_path))[0]


def test_an_evaluation_whose_job_is_killed_is_launched_again_as_long_as_that_may_be(ledger, monkeypatch):
    monitor = EvaluationMonitor(ledger, SteppedLauncher())
    assert monitor.poll().wanted == ()
    assert monitor.poll().wanted == (evaluation_job(ledger),)
    monitor.poll()
    monkeypatch.setattr(SteppedLauncher, "may_relaunch", lambda *_: False)
    with pytest.raises(LaunchError, match="the evaluation: gone: it is gone"):
        monitor.poll()


def test_whoever_waits_for_it_shows_that_the_run_is_at_work(ledger):
    now, beat = [0.0], f"beats/{ledger.own_turn.number}.json"
    monitor = EvaluationMonitor(ledger, SteppedLauncher(), lambda: now[0])
    beats = []
    for seconds in (0.0, BEAT - 1, BEAT):
        now[0] = seconds
        ledger.store.delete(ledger.path(beat))
        monitor.poll()
        beats.append(ledger.has(beat))
    assert beats == [True, False, True]


def test_one_that_failed_ends_the_run_so_the_next_command_begins_another(ledger):
    assert not finished(ledger)
    record_failure(ledger, EVALUATION, "error", "no such column")
    with pytest.raises(FleetError, match="no such column"):
        EvaluationMonitor(ledger, SteppedLauncher()).poll()
    assert finished(ledger)
