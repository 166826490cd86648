"""The DAGs as Airflow sees them, without running anything."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar
from uuid import UUID

import pytest

from tests.airflow.support import SEARCH, dump
from tests.definitions import definition_from
from windtunnel.definition.checks import _PRESETS
from windtunnel.definition.choices import chosen
from windtunnel.errors import DefinitionError
from windtunnel_airflow import check_searches, load_searches
from windtunnel_airflow.params import carried, trigger_form

ROOT = Path(__file__).parents[2]
DEFINITIONS = sorted((ROOT / "include" / "searches").glob("*.yaml"))


@pytest.fixture(scope="module")
def bag(home):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(ROOT / "dags")


@pytest.fixture(scope="module")
def dag():
    from tests.definitions import definition_from
    from windtunnel_airflow.dag import search_dag

    return search_dag(definition_from(SEARCH | {"name": "shape", "iterations": 3, "launcher": "local"}))


def test_every_definition_is_a_dag(bag):
    assert bag.import_errors == {}
    assert len(bag.dags) == len(DEFINITIONS) > 0
    assert "digits_cnn" in bag.dags


def test_no_dag_nests_maps(bag):
    """A mapped group inside a mapped group parses, and then pairs the wrong items."""
    from airflow.sdk.definitions.mappedoperator import MappedOperator
    from airflow.sdk.definitions.taskgroup import MappedTaskGroup

    for dag in bag.dags.values():
        for group in dag.task_group_dict.values():
            if isinstance(group, MappedTaskGroup):
                assert list(group.iter_mapped_task_groups()) == [group]
        assert not any(isinstance(task, MappedOperator) for task in dag.tasks)


def test_the_dags_can_be_serialised(bag):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in bag.dags.values():
        data = json.loads(json.dumps(DagSerialization.to_dict(dag)))
        again = DagSerialization.from_dict(data)
        assert set(again.task_dict) == set(dag.task_dict)


def test_the_shape(dag):
    def upstream(task):
        return set(dag.get_task(task).upstream_task_ids)

    for group in ("iteration_2", "full_training", "verify"):
        first = f"{group}.{'suggest' if group == 'iteration_2' else 'plan'}"
        launch, wait, collect = f"{group}.train.launch", f"{group}.await_results", f"{group}.train.collect"
        assert launch in upstream(wait)
        assert upstream(collect) == {first, launch, wait}
    assert upstream("iteration_2.suggest") == {"iteration_1.select"}
    assert upstream("iteration_2.select") == {"iteration_2.await_results"}
    assert upstream("finalists") == {"iteration_3.select"}
    assert upstream("full_training.plan") == upstream("refused") == {"approve"}
    assert upstream("publish") == {"verify.await_results"}
    collects = {task for task in dag.task_ids if task.endswith(".collect")}
    assert len(collects) == 5
    assert upstream("report") == collects | {"publish", "refused"}
    assert upstream("clean_up") == {"publish", "report"}
    assert [task.task_id for task in dag.leaves] == ["clean_up"]


def test_the_rules_behind_the_shape(dag):
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks if task.trigger_rule.value != "all_success"}
    waits = {task for task in dag.task_ids if task.endswith(".await_results") and not task.startswith("prepare")}
    collects = {task for task in dag.task_ids if task.endswith(".collect")}
    assert rules == {
        **dict.fromkeys(waits | collects, "all_done_min_one_success"),
        "finalists": "none_failed",
        "report": "all_done",
        "clean_up": "all_done_setup_success",
    }
    assert all(dag.get_task(task).retries == 5 for task in dag.task_ids)
    teardown = dag.get_task("clean_up")
    assert teardown.is_teardown and teardown.on_failure_fail_dagrun
    assert dag.dagrun_timeout is None  # it would skip the teardown, and leak jobs
    short = {task.task_id for task in dag.tasks if "short_circuit" in getattr(task, "custom_operator_name", "")}
    assert short == {"prepare_data.start", "iteration_1.select", "iteration_2.select"}
    assert not any(dag.get_task(task).ignore_downstream_trigger_rules for task in short)


def test_the_page_and_the_form_tell_what_a_search_is(bag):
    dag = bag.dags["digits_cnn"]
    for word in ("val_acc", "Space", "Budget", "iterations"):
        assert word in dag.doc_md
    assert "windtunnel" in dag.tags
    assert set(dag.params) == {
        "seed",
        "iterations",
        "epochs_partial",
        "epochs_full",
        "parallel",
        "approval",
        "resume",
        "retry_failed",
        "warm_start",
        "from_run",
        "trials",
    }
    assert dag.params.get_param("iterations").schema["maximum"] == dag.params["iterations"]
    undocumented = [t.task_id for t in dag.tasks if t.task_type.startswith("_Python") and not t.python_callable.__doc__]
    assert not undocumented


def test_a_choice_that_the_form_does_not_have_is_named():
    definition = definition_from({**SEARCH, "name": "toy", "launcher": "local"})
    params = {name: param.value for name, param in trigger_form(definition).items()}
    assert chosen(definition, params).iterations == definition.iterations
    with pytest.raises(DefinitionError, match=r"epoch_full: no such choice \(did you mean 'epochs_full'\?\)"):
        chosen(definition, params | {"epoch_full": 3})


def test_what_a_session_was_triggered_with_can_be_chosen_again():
    definition = definition_from({**SEARCH, "name": "toy", "launcher": "local"})
    form = {name: param.value for name, param in trigger_form(definition).items()}
    choices = {"seed": 7, "epochs_partial": 0.5, "epochs_full": 20.0, "parallel": 1, "approval": True}
    conf = choices | {"warm_start": ["runs/toy/first"], "iterations": 1, "resume": "earlier"}
    session = chosen(definition, form | conf)
    again = carried(conf)
    assert again == choices | {"warm_start": ["runs/toy/first"]}
    assert chosen(definition, form | again | {"iterations": 1}) == session
    assert "parallel" not in carried({"parallel": None, "seed": 1})


def test_a_schedule_makes_the_dag_run_by_itself():
    from airflow.sdk import CronTriggerTimetable

    from tests.definitions import definition_from
    from windtunnel_airflow.dag import search_dag

    dag = search_dag(definition_from(SEARCH | {"name": "nightly", "schedule": "0 3 * * *", "launcher": "local"}))
    assert isinstance(dag.timetable, CronTriggerTimetable)
    assert not dag.catchup


def shape(**fields):
    from windtunnel_airflow.dag import search_dag

    return search_dag(definition_from(SEARCH | {"name": "nightly", "launcher": "local"} | fields))


@pytest.mark.parametrize("schedule", ["0 3 * * *", "@daily"])
def test_a_schedule_is_meant_in_its_time_zone_and_begins_no_run_of_the_past(home, schedule):
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    dag = shape(schedule=schedule, dag={"timezone": "Asia/Tokyo"})
    kept = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    upcoming = kept.timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False)
    )
    assert upcoming.run_after.in_timezone("UTC").hour == (18 if schedule.startswith("0") else 15)
    assert upcoming.run_after > datetime.now(UTC) - timedelta(days=1)


class Tells:
    """A notifier."""

    told: ClassVar[list] = []

    def __init__(self, where):
        self.where = where

    def __call__(self, context):
        self.told.append((self.where, context))


def tell(context, where="log"):
    Tells.told.append((where, context))


def test_owner_and_callbacks_are_the_definitions(home):
    here = __name__
    made = shape(
        dag={
            "owner": "vision",
            "on_failure": [{"name": f"{here}.Tells", "options": {"where": "chat"}}, {"name": f"{here}.tell"}],
            "on_success": [{"name": f"{here}.tell", "options": {"where": "mail"}}],
        }
    )
    assert {task.owner for task in made.tasks} == {"vision"}
    assert made.has_on_failure_callback and made.has_on_success_callback
    Tells.told.clear()
    for callback in (*made.on_failure_callback, *made.on_success_callback):
        callback("context")
    assert Tells.told == [("chat", "context"), ("log", "context"), ("mail", "context")]
    assert not shape().has_on_failure_callback


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        ({"name": "no_such_module.tell"}, "No module named 'no_such_module'"),
        ({"name": f"{__name__}.no_such"}, "has no attribute 'no_such'"),
        ({"name": f"{__name__}.Tells"}, "missing 1 required positional argument: 'where'"),
        ({"name": f"{__name__}.ROOT"}, "a PosixPath cannot be called"),
    ],
)
def test_a_callback_that_cannot_be_used_is_told_by_its_line_and_hurts_no_other(tmp_path, callback, words):
    (tmp_path / "right.yaml").write_text(dump(SEARCH | {"launcher": "local"}))
    text = dump(SEARCH | {"launcher": "local"})
    (tmp_path / "wrong.yaml").write_text(f"{text}\ndag:\n  on_failure:\n    - {json.dumps(callback)}\n")
    line = 1 + (tmp_path / "wrong.yaml").read_text().split("- {" + '"name"')[0].count("\n")
    with pytest.raises(DefinitionError) as told:
        check_searches(tmp_path, __file__)
    assert f"wrong.yaml:{line}: dag.on_failure[0]: found" in str(told.value)
    assert words in str(told.value)
    namespace = {"__file__": __file__}
    load_searches(tmp_path, namespace)
    assert set(namespace) == {"__file__", "search_right"}


@pytest.mark.parametrize("schedule", [*(preset for preset in _PRESETS if preset != "@once"), "*/5 * * * *"])
def test_a_schedule_makes_run_after_run(home, schedule):
    """A run whose date another one has is never made."""
    from airflow.serialization.serialized_objects import DagSerialization

    from windtunnel_airflow.dag import search_dag

    dag = search_dag(definition_from(SEARCH | {"name": "again", "schedule": schedule, "launcher": "local"}))
    scheduled = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    runs = [scheduled.next_dagrun_info(last_automated_run_info=None)]
    for _ in range(3):
        runs.append(scheduled.next_dagrun_info(last_automated_run_info=runs[-1]))
    dates = [run.logical_date for run in runs]
    assert dates == sorted(set(dates))


def test_the_trigger_survives_serialisation(home):
    from airflow.sdk._shared.module_loading import import_string

    from windtunnel_airflow.triggers.results import ResultsTrigger, pause

    name, fields = ResultsTrigger("/runs/search/run", "0" * 64, "3").serialize()
    again = import_string(name)(**json.loads(json.dumps(fields)))
    assert again.serialize() == (name, fields)
    assert pause(0) == pytest.approx(0.2)
    assert pause(60) == pytest.approx(3)
    assert pause(3600) == 10
    assert pause(0, took=1.5) == pytest.approx(6)  # with thousands of results


def test_a_broken_definition_is_shown_and_hurts_no_other(tmp_path, home):
    from airflow.dag_processing.dagbag import DagBag

    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    shutil.copytree(ROOT / "include" / "searches", tmp_path / "include" / "searches")
    broken = tmp_path / "include" / "searches" / "broken.yaml"
    broken.write_text(dump(SEARCH | {"objectives": {"val_acc": "maximise"}, "launcher": "local"}))
    bag = DagBag(tmp_path / "dags")
    assert len(bag.dags) == len(DEFINITIONS)
    ((file, error),) = bag.import_errors.items()
    assert file.endswith("search_errors.py")
    assert all(
        text in error for text in ("broken.yaml", "objectives.val_acc", '"maximise"', "'maximize' or 'minimize'")
    )

    broken.write_text(dump(SEARCH | {"launcher": "local"}))
    mended = DagBag(tmp_path / "dags")
    assert mended.import_errors == {}
    assert set(mended.dags) == {*bag.dags, "broken"}


def test_two_searches_of_one_name_are_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(dump(SEARCH | {"name": "same", "launcher": "local"}))
    with pytest.raises(DefinitionError, match=r"b\.yaml: name: found 'same', which a\.yaml has"):
        check_searches(tmp_path, __file__)
    namespace = {"__file__": __file__}
    load_searches(tmp_path, namespace)
    assert set(namespace) == {"__file__", "search_same"}


def test_a_folder_without_a_right_definition_is_an_error(tmp_path):
    with pytest.raises(DefinitionError, match="there is no such folder"):
        load_searches(tmp_path / "none", {"__file__": __file__})
    (tmp_path / "wrong.yaml").write_text("objectives: 3")
    with pytest.raises(DefinitionError, match=r"wrong\.yaml"):
        load_searches(tmp_path, {"__file__": __file__})


def test_what_is_wrong_with_one_search_stands_in_no_other_ones_log(tmp_path, monkeypatch, caplog):
    (tmp_path / "right.yaml").write_text(dump(SEARCH | {"launcher": "local"}))
    (tmp_path / "wrong.yaml").write_text("objectives: 3")
    load_searches(tmp_path, {"__file__": __file__})
    assert "wrong.yaml" in caplog.text  # the DAG processor's log says it
    caplog.clear()
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "right")
    load_searches(tmp_path, {"__file__": __file__})
    assert not caplog.text


@pytest.mark.parametrize("tries", [(2, 5, 5), (9, 12, 5)])
def test_an_approval_that_died_with_its_answer_is_not_asked_for_again(bench, monkeypatch, tries):
    from airflow.sdk.exceptions import TaskAwaitingInput, TaskDeferred

    approve, context = asking(bench, monkeypatch, *tries)
    with pytest.raises(TaskDeferred) as deferred:
        approve.execute(context)
    assert deferred.value.method_name == "follow_or_ask"
    with pytest.raises(TaskAwaitingInput):
        approve.follow_or_ask(context, {})
    answer = {"chosen_options": ["Approve"], "params_input": {}, "responded_at": datetime.now(UTC)}
    assert approve.follow_or_ask(context, answer | {"responded_by_user": None}) == ["planned"]


@pytest.mark.parametrize("tries", [(1, 5, 5), (4, 8, 5)])
def test_a_task_that_was_cleared_asks_anew(bench, monkeypatch, tries):
    from airflow.sdk.exceptions import TaskAwaitingInput

    approve, context = asking(bench, monkeypatch, *tries)
    with pytest.raises(TaskAwaitingInput):
        approve.execute(context)


def asking(bench, monkeypatch, try_number, max_tries, retries):
    """A task that asks, at one of its tries, and its context."""
    from airflow.providers.standard.operators import hitl

    from windtunnel_airflow.tasks import approval

    search = bench.begin(approval=True)
    bench.iterate(search, 1)
    monkeypatch.setattr(approval, "current_search", lambda store, context: search)
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_: None)
    approve = approval.Approve(task_id="approve", store="", approved="planned", refused="refused", retries=retries)
    monkeypatch.setattr(approval.Approve, "do_branch", lambda self, context, branches_to_execute: branches_to_execute)
    ti = SimpleNamespace(
        id=UUID(int=1),
        try_number=try_number,
        max_tries=max_tries,
        xcom_push=lambda **_: None,
        xcom_pull=lambda **_: None,
    )
    return approve, {"ti": ti, "task_instance": ti, "task": approve}


@pytest.fixture
def bench(tmp_path):
    from tests.core.stages.conftest import Bench

    return Bench(tmp_path)


def test_a_worker_builds_only_the_dag_that_it_runs(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(dump(SEARCH | {"launcher": "local"}))
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "b")
    namespace = {"__file__": __file__}
    load_searches(tmp_path, namespace)
    assert set(namespace) == {"__file__", "search_b"}


PARSE = """
import sys, airflow
from airflow.dag_processing.dagbag import DagBag
import airflow.sdk.bases.operator, airflow.sdk.definitions.dag, airflow.sdk.definitions.decorators
calls = 0
def count(frame, event, argument):
    global calls
    calls += event == "call"
sys.setprofile(count)
bag = DagBag(sys.argv[1])
sys.setprofile(None)
assert not bag.import_errors, bag.import_errors
assert bag.dags
heavy = {"torch", "optuna", "plotly", "azure", "kubernetes", "matplotlib", "sklearn", "pandas", "onnx", "onnxruntime"}
print(calls, sorted(heavy & set(sys.modules)))
"""


def test_parsing_is_quick_and_imports_nothing_heavy(home):
    """About 460,000 calls of Python functions, 0.6 s of work; counted, for machines differ in their speed."""
    paths = [ROOT / "plugins", ROOT / "include", ROOT]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, "-c", PARSE, str(ROOT / "dags")]
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    calls, _, heavy = out.strip().splitlines()[-1].partition(" ")
    assert heavy == "[]"
    assert int(calls) <= 550_000
