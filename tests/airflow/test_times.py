"""What `make run` says at the end of where the time went."""

import os
from datetime import timedelta

import pytest

from tests.core.report import made_up
from windtunnel.ledger import Job, Ledger, Plan, Request, Result, State
from windtunnel.report import collect
from windtunnel.report.summary import results
from windtunnel.stores.local import LocalStore
from windtunnel_airflow.run.times import busy_spans, covered

CONFIG = "0123456789abcdef"
BEGAN = made_up.BEGAN.timestamp()


@pytest.fixture
def ledger(tmp_path):
    return Ledger(LocalStore(tmp_path), "digits_cnn", "first")


def test_what_overlaps_counts_once():
    assert covered([(0, 4), (2, 6), (8, 9)], (0, 10)) == 7
    assert covered([(0, 4), (1, 2)], (0, 10)) == 4


def test_only_what_is_within_counts():
    assert covered([(-5, 3), (9, 20)], (0, 10)) == 4
    assert covered([(-5, -1), (11, 20)], (0, 10)) == 0


def test_a_stage_is_busy_from_its_launch_to_its_last_result(ledger):
    run_stage(ledger, launched=(10, 60), started=65, seconds=5)
    snapshot = collect(ledger)
    assert busy_spans(snapshot, since=BEGAN) == [(BEGAN + 10, BEGAN + 70)]
    # The first launch was another session's: the time between the two is nobody's work.
    assert busy_spans(snapshot, since=BEGAN + 30) == [(BEGAN + 60, BEGAN + 70)]
    assert busy_spans(snapshot, since=BEGAN + 100) == []


def test_the_best_finalist_is_the_one_that_is_published_whatever_the_test_data_say(ledger):
    made_up.fill(ledger)
    snapshot = collect(ledger)
    second, third = snapshot.finalists[:2]
    check = ledger.result(f"verify-{third.trial.trial}")
    ledger.store.delete(ledger.path(f"results/{check.trial}.json"))
    ledger.record(check.model_copy(update={"metrics": check.metrics | {"test_acc": 1.0}}))
    said = "\n".join(results(collect(ledger), 1.0))
    assert f"best finalist  {second.trial.trial}" in said


def run_stage(ledger, launched, started, seconds):
    made_up.begin(ledger, made_up.definition())
    ledger.create_job(Job(job="prepare", stage="prepare", units=["prepare"]))
    trial = f"{CONFIG}-e1"
    job = Job(job="1-0", stage="1", units=[trial])
    ledger.create_plan(
        Plan(stage="1", requests=[Request(trial=trial, config=CONFIG, params={}, epochs=1, stage="1")], jobs=[job])
    )
    for second in launched:
        launch = ledger.begin_launch("1-0", "here", "")
        file = ledger.store.local_file(ledger.path(f"jobs/1-0/launches/{launch.number}.json"))
        os.utime(file, (BEGAN + second, BEGAN + second))
    at = (made_up.BEGAN + timedelta(seconds=started)).isoformat()
    ledger.record(Result(trial=trial, state=State.COMPLETED, started=at, seconds=seconds))
