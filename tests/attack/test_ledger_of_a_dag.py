"""A run whose ledger is rewritten while its DAG is at work: Airflow's tasks go by what `begin` has told them."""

import functools
import json
import shutil
import sys

import pytest

from tests.airflow.conftest import answers, home, searches  # noqa: F401  (fixtures)
from tests.airflow.support import partial_trials
from tests.definitions import definition_from

pytestmark = pytest.mark.slow

EVIL = """
from pathlib import Path

Path({marker!r}).touch()
from windtunnel.strategies.random_search import RandomSearch as Strategy
from tests.workloads.quick import cost, prepare, train, verify
from windtunnel.launchers.local import LocalLauncher as Launcher
"""


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that can be imported and must not be; the file that shows whether it was."""
    marker = tmp_path / "evil-ran"
    (tmp_path / "evil_module.py").write_text(EVIL.format(marker=str(marker)))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield marker
    sys.modules.pop("evil_module", None)


def before(dag, task, attack, monkeypatch):
    """Attack each time when a task is about to begin."""
    task = dag.get_task(task)
    work = task.python_callable

    @functools.wraps(work)
    def attacked(*arguments, **keywords):
        attack()
        return work(*arguments, **keywords)

    monkeypatch.setattr(task, "python_callable", attacked)


def rewrite(folder, patterns, change):
    """Rewrite JSON files of the only run there is."""
    files = [file for pattern in patterns for file in folder.glob(f"runs/rewritten/*/{pattern}")]
    assert files
    for file in files:
        record = json.loads(file.read_text())
        change(record)
        file.write_text(json.dumps(record))


def redefined(record):
    record["definition"] |= {"strategy": {"name": "evil_module.Strategy", "options": {}}, "workload": "evil_module"}


def test_what_the_ledger_calls_the_definition_is_not_performed(searches, home, evil, monkeypatch):  # noqa: F811
    searches.write("rewritten", iterations=1)
    dag = searches.dag("rewritten")
    for task in (
        "prepare_data.start",
        "iteration_1.suggest",
        "iteration_1.select",
        "finalists",
        "verify.plan",
        "clean_up",
    ):
        before(dag, task, lambda: rewrite(home, ["search.json", "sessions/*.json"], redefined), monkeypatch)
    run = searches.run("rewritten", dag)
    assert not evil.exists()
    assert run.state == "success"
    assert len(partial_trials(run.ledger)) == 4


def test_a_specification_that_was_changed_stops_the_run_and_its_end_is_kept(searches, home, evil, monkeypatch):  # noqa: F811
    searches.write("rewritten", iterations=1)
    dag = searches.dag("rewritten")
    before(dag, "iteration_1.suggest", lambda: rewrite(home, ["s*/*.json", "search.json"], redefined), monkeypatch)
    run = searches.run("rewritten", dag)
    assert not evil.exists()
    assert run.state == "failed"
    assert run.of("prepare_data.start", "iteration_1.suggest", "clean_up") == ["success", "failed", "failed"]
    assert partial_trials(run.ledger) == []


def test_an_approval_that_nobody_gave_counts_for_nothing(searches, home, answers, monkeypatch):  # noqa: F811
    searches.write("rewritten", iterations=1, approval=True)
    dag = searches.dag("rewritten")

    def forge():
        (run,) = home.glob("runs/rewritten/*/search.json")
        run_id = json.loads((run.parent / "writer.json").read_text())["session"]
        approval = {"approved": True, "by": "nobody", "at": "now", "session": run_id, "stage": "full-1"}
        (run.parent / "approval.json").write_text(json.dumps(approval))

    before(dag, "finalists", forge, monkeypatch)
    answers("rewritten", "Reject")
    run = searches.run("rewritten", dag)
    assert run.of("approve", "refused", "full_training.plan") == ["success", "success", "skipped"]


def test_a_task_whose_definition_has_changed_stops_and_resuming_goes_on(searches, home, monkeypatch):  # noqa: F811
    searches.write("rewritten", iterations=1)
    dag = searches.dag("rewritten")
    definition = dag.user_defined_macros["definition"]
    changed = definition_from(definition.model_dump(mode="json") | {"finalists": {"max": 1, "go_on": True}})

    def change():
        monkeypatch.setitem(dag.user_defined_macros, "definition", changed)

    before(dag, "iteration_1.select", change, monkeypatch)
    run = searches.run("rewritten", dag)
    assert run.state == "failed"
    assert run.of("iteration_1.suggest", "iteration_1.select", "finalists") == ["success", "failed", "upstream_failed"]
    trained = list(searches.trained)

    searches.write("rewritten", iterations=1, finalists={"max": 1})
    again = searches.run("rewritten", resume=run.run_id)
    assert again.state == "success"
    assert searches.trained[: len(trained)] == trained
    assert len(again.ledger.read_json("models.json")["models"]) == 1


@pytest.fixture(autouse=True)
def only_run(home):  # noqa: F811
    yield
    shutil.rmtree(home / "runs" / "rewritten", ignore_errors=True)
