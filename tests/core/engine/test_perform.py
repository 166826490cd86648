"""The engine without Airflow: the same stages, in one process."""

import errno
import os

import pytest

from tests.definitions import definition_from
from windtunnel import stages
from windtunnel.definition import load_definition, resolve
from windtunnel.engine import Engine, patiently
from windtunnel.errors import SearchError, UnavailableError
from windtunnel.host.machine import user
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger
from windtunnel.report import collect
from windtunnel.report.text import headline
from windtunnel.stores import open_store
from windtunnel.stores.local import LocalStore

FIELDS = {
    "name": "toy",
    "workload": "tests.workloads.without_torch",
    "space": {"x": {"type": "int", "low": 1, "high": 100}},
    "settings": {"value": 1},
    "objectives": {"val_acc": "maximize"},
    "iterations": 2,
    "trials": {"initial": 3, "per_iteration": 2},
    "epochs": {"partial": 1, "full": 2},
    "finalists": {"max": 1},
    "limits": {"parallel": 2},
}


@pytest.fixture
def begin(tmp_path):
    """Begins a run, or goes on with it as another session."""

    def begin(session="local", **fields):
        ledger = Ledger(open_store(str(tmp_path / "runs")), "toy", "run")
        return stages.begin(resolve(definition_from(FIELDS | fields)), ledger, session)

    return begin


def test_a_search_comes_to_its_published_models(begin):
    search, looks = begin(), []
    models = Engine(search, look=looks.append).perform()
    ledger = search.ledger
    assert [model.trial.trial for model in models] == [
        each["trial"] for each in ledger.read_json("models.json")["models"]
    ]
    assert ledger.iterations_done() == 2
    assert len(ledger.outcomes()) >= 5
    assert looks[-1].done
    assert not get_launcher("local").live(ledger)


def test_a_finished_run_is_performed_again_in_no_time_and_extended_by_another_session(begin):
    search = begin()
    Engine(search).perform()
    results = search.ledger.outcomes().keys()
    Engine(begin()).perform()
    assert search.ledger.outcomes().keys() == results
    another = begin("another")
    Engine(another).perform()
    assert another.ledger.iterations_done() == 4


def test_data_that_cannot_be_prepared_end_it(begin):
    workload = {"workload": "tests.workloads.quick", "space": None, "data": {"fail": True}}
    with pytest.raises(SearchError, match="there is no such data"):
        Engine(begin(**workload)).perform()


def test_a_search_that_only_fails_ends(begin):
    with pytest.raises(SearchError, match="failed"):
        Engine(begin(settings={"value": "none"})).perform()


@pytest.mark.parametrize("continuous", [False, True])
def test_finalists_that_nobody_wants_are_not_trained(begin, continuous):
    search, seen = begin(approval=True, continuous=continuous), []
    assert Engine(search, approve=lambda plan: seen.append(plan) or False).perform() == []
    assert [request.epochs for request in seen[0].requests] == [2]
    assert search.ledger.finished("local")
    assert not [trial for trial in search.ledger.outcomes() if trial.endswith("-e2")]
    answer = search.ledger.approval()
    assert (answer.approved, answer.session, answer.stage) == (False, "local", seen[0].stage)
    assert f"refused by {user()}, 20" in headline(collect(search.ledger))


def test_whatever_ends_it_nothing_runs_on(begin):
    search = begin(settings={"value": 1, "hang": 3600})

    def interrupt(progress):
        if " of 3 results in" in progress.message:  # of the first iteration, whose trials hang
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Engine(search, look=interrupt).perform()
    assert not get_launcher("local").live(search.ledger)


def test_a_store_that_does_not_answer_is_asked_again(begin, monkeypatch):
    search, lines, pauses = begin(), [], []
    read, fail = stages.prepare_job, [UnavailableError("busy"), UnavailableError("busy")]

    def prepare_job(search):
        if fail:
            raise fail.pop()
        return read(search)

    monkeypatch.setattr(stages, "prepare_job", prepare_job)
    engine = Engine(search, say=lines.append, sleep=lambda seconds: pauses.append(seconds))
    engine._prepare()
    assert pauses[:2] == [1.0, 2.0]
    assert lines == ["waiting: busy"]


def test_trials_of_a_job_that_cannot_be_launched_have_failed(begin, monkeypatch):
    from windtunnel.errors import LaunchError
    from windtunnel.launchers.local import LocalLauncher

    launch = LocalLauncher.launch

    def refuse(launcher, ledger, job):
        if job.session is not None:
            raise LaunchError("no such queue")
        launch(launcher, ledger, job)

    monkeypatch.setattr(LocalLauncher, "launch", refuse)
    search = begin()
    with pytest.raises(SearchError, match="failed"):
        Engine(search).perform()
    assert {outcome.kind for outcome in search.ledger.outcomes().values()} == {"launch_failed"}


def test_what_waits_for_the_store_says_so_once(tmp_path, monkeypatch):
    monkeypatch.setattr("windtunnel.stores.local.store._PAUSES", (0.0, 0.0))
    store, sync, refused, said, slept = LocalStore(tmp_path), os.fsync, [], [], []

    def full(descriptor):
        if len(refused) < 3:
            refused.append(descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    patiently(lambda: store.put("a", b"1"), said.append, slept.append)
    assert store.get("a") == b"1"
    assert slept == [1.0, 2.0, 4.0]
    assert len(said) == 1 and "free some space" in said[0]


def test_a_continuous_search_tries_as_many_as_it_may(begin):
    limits = {"parallel": 2, "trials": 9}
    search = begin(continuous=True, limits=limits, iterations=5)
    assert Engine(search).perform()
    tried = [trial for trial in search.ledger.outcomes() if trial.endswith("-e1")]
    assert len(tried) == 9


def test_a_continuous_search_that_is_interrupted_ends_its_lanes_and_goes_on(begin):
    fields = {"continuous": True, "limits": {"parallel": 2, "trials": 9}, "iterations": 5}

    def interrupt(progress):
        if search.ledger.outcomes():
            raise KeyboardInterrupt

    search = begin(**fields)
    with pytest.raises(KeyboardInterrupt):
        Engine(search, look=interrupt).perform()
    assert not get_launcher("local").live(search.ledger)
    before = {trial: search.ledger.attempts(trial) for trial in search.ledger.outcomes()}
    again = begin(**fields)
    assert Engine(again).perform()
    assert {trial: again.ledger.attempts(trial) for trial in before} == before
    assert len([trial for trial in again.ledger.outcomes() if trial.endswith("-e1")]) == 9


def test_nothing_is_retrained_where_neither_the_file_nor_the_workload_has_epochs(tmp_path, monkeypatch):
    (tmp_path / "epochless.py").write_text("def train(trial):\n    trial.report(score=trial.params['x'])\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "search.yaml"
    file.write_text(
        "workload: epochless\nspace: { x: { type: int, low: 1, high: 9 } }\nobjectives: { score: maximize }\n"
        "trials: { initial: 2 }\niterations: 1\nlimits: { parallel: 1 }\n"
    )
    ledger = Ledger(LocalStore(tmp_path / "runs"), "search", "run")
    models = Engine(stages.begin(resolve(load_definition(file)), ledger, "local")).perform()
    assert len(models) == 2
    assert len(ledger.outcomes()) == 2
