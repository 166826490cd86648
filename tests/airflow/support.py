"""Whole searches in this process: a definition becomes a DAG, which `dag.test()` runs."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta

import yaml
from airflow.dag_processing.dagbag import DagBag

from tests.airflow.instant import InstantLauncher
from windtunnel import launchers
from windtunnel.definition import checks
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

SEARCH = {
    "workload": "tests.workloads.quick",
    "objectives": {"val_acc": "maximize", "params": "minimize"},
    "launcher": "instant",
    "iterations": 2,
    "trials": {"initial": 4, "per_iteration": 3},
    "epochs": {"partial": 1.0, "full": 2.0},
    "finalists": {"max": 2},
    "limits": {"parallel": 2},
}


@dataclass(frozen=True)
class Finished:
    """A DAG run that has ended."""

    state: str
    run_id: str
    states: dict[str, str]
    labels: dict[str, str]
    ledger: Ledger

    def of(self, *tasks):
        """The states of these tasks: `iteration_1.train.collect[0]` is a mapped one."""
        return [self.states.get(task) for task in tasks]


class Searches:
    def __init__(self, home, monkeypatch):
        self.home = home
        self.store = str(home / "runs")
        monkeypatch.setitem(launchers._LAUNCHERS, "instant", "tests.airflow.instant:InstantLauncher")
        monkeypatch.setattr(checks, "LAUNCHERS", (*checks.LAUNCHERS, "instant"))
        monkeypatch.setattr(InstantLauncher, "trained", [])
        self.trained = InstantLauncher.trained

    def write(self, name, **fields):
        (self.home / "searches" / f"{name}.yaml").write_text(dump(SEARCH | fields))

    def dag(self, name):
        bag = DagBag(self.home / "dags")
        assert not bag.import_errors
        dag = bag.dags[name]
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
        return dag

    def run(self, name, dag=None, **params):
        run = (dag or self.dag(name)).test(run_conf=params)
        tasks = run.get_task_instances()
        names = {ti: f"{ti.task_id}[{ti.map_index}]" if ti.map_index >= 0 else ti.task_id for ti in tasks}
        return Finished(
            state=str(run.state),
            run_id=run.run_id,
            states={names[ti]: str(ti.state) for ti in tasks},
            labels={names[ti]: ti.rendered_map_index for ti in tasks if ti.map_index >= 0},
            ledger=Ledger(open_store(self.store), name, params.get("resume") or run.run_id),
        )


def dump(fields):
    """A definition's file; the order counts, for the first objective is the first."""
    return yaml.safe_dump(fields, sort_keys=False)


def partial_trials(ledger):
    """Ids of the trials of all iterations, in order."""
    return [r.trial for stage in ledger.stages() if stage.is_iteration for r in ledger.plan(stage).requests]


def sign_in(client):
    """Let the client's requests come from an admin; the server itself gives tokens for a password only."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="admin", role="admin"))
    client.headers["Authorization"] = f"Bearer {token}"


def answer(search, choice):
    """Wait until the search asks for an approval, and give it, as the user interface does: by the REST API."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    def respond():
        client = TestClient(create_app(apps="core"), "http://localhost:8080")
        sign_in(client)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            found = client.get(f"/api/v2/dags/{search}/dagRuns/~/hitlDetails").json()
            for detail in found.get("hitl_details", []):
                ti = detail["task_instance"]
                if ti["state"] == "awaiting_input":
                    path = f"/api/v2/dags/{search}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}"
                    reply = client.patch(
                        f"{path}/-1/hitlDetails", json={"chosen_options": [choice], "params_input": {}}
                    )
                    assert reply.status_code == 200, reply.text
                    return
            time.sleep(0.2)

    thread = threading.Thread(target=respond, daemon=True)
    thread.start()
    return thread
