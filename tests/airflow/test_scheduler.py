"""Searches through Airflow's real scheduler: `dags test` hides what separate processes and a real triggerer do."""

import contextlib
import os
import re
import signal
import time

import psutil
import pytest

from tests.airflow.conftest import DAG_FILE
from tests.airflow.standalone import ROOT, Standalone
from tests.airflow.support import SEARCH, dump, partial_trials
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

pytestmark = pytest.mark.slow

TASK = re.compile(r"airflow worker -- [0-9a-f]{8}-[0-9a-f]{4}-")  # the process that runs one task
LIMIT = 900  # seconds; a quiet machine of two cores needs about 60
SEARCHES = {
    "quick": {},
    "slow": {"settings": {"slow": 2.0}},  # the same configurations would get other ids: the settings count
    "broken": {"iterations": "many"},
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("standalone")
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "dags" / "searches.py").write_text(DAG_FILE)
    text = (ROOT / "dags" / "search_errors.py").read_text().replace("../include/searches", "../searches")
    (folder / "dags" / "search_errors.py").write_text(text)
    for name, fields in SEARCHES.items():
        definition = SEARCH | {"launcher": "local"} | fields
        (folder / "searches" / f"{name}.yaml").write_text(dump(definition))
    with Standalone(folder / "airflow", folder / "dags", folder / "runs") as found:
        found.store = open_store(str(folder / "runs"))
        yield found


def test_a_search_runs_and_publishes(airflow):
    run = airflow.trigger("quick", seed=1, iterations=1)
    assert airflow.wait("quick", run, LIMIT) == "success"
    tasks = airflow.tasks("quick", run)
    left_out = {name for name, ti in tasks.items() if ti["state"] == "skipped"}
    assert left_out == {"refused", *(name for name in tasks if name.startswith("iteration_2."))}
    assert all(ti["state"] == "success" for name, ti in tasks.items() if name not in left_out)
    ledger = Ledger(airflow.store, "quick", run)
    labels = [ti["rendered_map_index"] for name, ti in tasks.items() if name.startswith("iteration_1.train.launch")]
    assert sorted(labels) == [f"lane-1-{lane}" for lane in range(len(labels))]
    models = ledger.read_json("models.json")["models"]
    assert models and all(model["verdict"] == "verified" for model in models)

    events = airflow.client.get("/api/v2/assets/events").json()["asset_events"]
    (extra,) = (event["extra"] for event in events if event["source_dag_id"] == "quick")
    best = max(models, key=lambda model: model["objectives"]["val_acc"])
    assert extra["trial"] == best["trial"]
    assert extra["val_acc"] == best["objectives"]["val_acc"]
    assert extra["uri"].endswith(best["onnx"])


def test_a_broken_definition_is_among_the_import_errors(airflow):
    (error,) = airflow.import_errors()
    assert error["filename"] == "search_errors.py"
    assert "broken.yaml" in error["stack_trace"] and "iterations" in error["stack_trace"]
    dags = airflow.client.get("/api/v2/dags").json()["dags"]
    assert {dag["dag_id"] for dag in dags} == {"quick", "slow"}


@pytest.mark.long
def test_what_is_killed_comes_back_by_itself(airflow):
    """Kill -9 of a job and all its trials and of a task at work."""
    run = airflow.trigger("slow", seed=1)
    ledger = Ledger(airflow.store, "slow", run)
    killed = {"job": False, "task": False}

    def progress():
        if not killed["job"]:
            killed["job"] = kill_job(ledger)
        if not killed["task"] and killed["job"]:
            killed["task"] = kill_task(airflow)
        state = airflow.state("slow", run)
        return state if state in ("success", "failed") else None

    assert airflow.until(progress, LIMIT, "the run does not end") == "success"
    assert killed == {"job": True, "task": True}

    trials = partial_trials(ledger)
    assert all(ledger.result(trial).state == "completed" for trial in trials)
    assert max(len(ledger.attempts(trial)) for trial in trials) == 2  # what was under way; nothing that was finished
    undisturbed = airflow.trigger("slow", seed=1)
    assert airflow.wait("slow", undisturbed, LIMIT) == "success"
    other = Ledger(airflow.store, "slow", undisturbed)
    assert ledger.selection("2").front == other.selection("2").front
    assert ledger.selection("2").hypervolume == other.selection("2").hypervolume


def test_a_run_that_is_marked_failed_leaves_nothing_running(airflow):
    run = airflow.trigger("slow", seed=2)
    ledger = Ledger(airflow.store, "slow", run)
    airflow.until(lambda: processes(ledger, "lane-1-0"), LIMIT, "no job begins")
    airflow.client.patch(f"/api/v2/dags/slow/dagRuns/{run}", json={"state": "failed"}).raise_for_status()
    airflow.until(lambda: airflow.tasks("slow", run)["clean_up"]["state"] == "failed", LIMIT, "nothing is cancelled")
    assert not processes(ledger)
    assert airflow.wait("slow", run, LIMIT) == "failed"


def processes(ledger, *job):
    """The processes of the run's jobs."""
    return [p for p in psutil.process_iter(["cmdline"]) if {ledger.url, *job} <= set(p.info["cmdline"] or [])]


def kill_job(ledger):
    """Kill -9 a training job's processes, once a trial of it is under way; whether there were any."""
    found = processes(ledger, "lane-1-0")
    children = [child for p in found for child in p.children(recursive=True)]
    if not children:
        return False
    for process in [*found, *children]:
        kill(process.pid)
    return True


def kill_task(airflow):
    """Kill -9 a process of the scheduler's that runs a task; whether there was one."""
    for process in psutil.Process(airflow.process.pid).children(recursive=True):
        try:
            if TASK.search(" ".join(process.cmdline())):
                kill(process.pid)
                return True
        except psutil.Error:
            continue
    return False


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


SURE = {
    "workload": "tests.workloads.sure",
    "objectives": {"score": "maximize", "cost": "minimize"},
    "iterations": 1,
    "trials": {"initial": 3, "per_iteration": 3},
    "epochs": {"partial": 1, "full": 2},
    "limits": {"parallel": 2},
}


def add(airflow, **searches):
    """Write more definitions, and have the DAG file read again."""
    folder = airflow.home.parent
    for name, fields in searches.items():
        (folder / "searches" / f"{name}.yaml").write_text(dump(SURE | fields))
    (folder / "dags" / "searches.py").touch()


@pytest.mark.long
def test_airflow_calls_the_callbacks_and_notifiers_of_a_definition_and_goes_on_for_ever(airflow, tmp_path):
    file = tmp_path / "told"
    options = {"file": str(file), "words": "{{ run_id }}"}
    add(
        airflow,
        forever={
            "schedule": "@continuous",
            "dag": {"on_success": [{"name": "tests.airflow.telling.Notifier", "options": options}]},
        },
        unprepared={
            "workload": "tests.workloads.quick",
            "objectives": {"val_acc": "maximize"},
            "data": {"fail": True},
            "dag": {"on_failure": [{"name": "tests.airflow.telling.note", "options": {"file": str(file)}}]},
        },
    )
    failing = airflow.trigger("unprepared")
    assert airflow.wait("unprepared", failing, LIMIT) == "failed"
    path = "/api/v2/dags/forever/dagRuns"

    def done():
        runs = airflow.client.get(path).json()["dag_runs"]
        return [run["dag_run_id"] for run in runs if run["state"] == "success"]

    airflow.until(lambda: len(done()) >= 2, LIMIT, "there is no second run")
    airflow.client.patch("/api/v2/dags/forever", json={"is_paused": True}).raise_for_status()
    expected = {f"unprepared {failing} function", *(f"forever {run} {run}" for run in done()[:2])}
    airflow.until(lambda: expected <= set(file.read_text().splitlines()), LIMIT, "nothing is told")


@pytest.mark.long
def test_an_answer_that_its_task_dies_with_is_not_asked_for_again(airflow):
    add(airflow, asked={"approval": True})
    run = airflow.trigger("asked")
    airflow.until(lambda: airflow.tasks("asked", run).get("approve", {}).get("state") == "awaiting_input", LIMIT, "no")
    path = f"/api/v2/dags/asked/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
    airflow.client.patch(path, json={"chosen_options": ["Approve"], "params_input": {}}).raise_for_status()
    end = time.monotonic() + LIMIT
    while not kill_task(airflow):
        assert time.monotonic() < end
    assert airflow.wait("asked", run, LIMIT) == "success"
    tasks = airflow.tasks("asked", run)
    assert (tasks["approve"]["try_number"], tasks["publish"]["state"]) == (2, "success")
