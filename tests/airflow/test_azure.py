"""Whole searches with their ledgers in Azure Blob Storage: under `dags test`, and under the real scheduler."""

import json
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import psutil
import pytest
import yaml

from tests.airflow.conftest import DAG_FILE
from tests.airflow.standalone import ROOT, Standalone
from tests.airflow.support import SEARCH, dump, partial_trials
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

pytestmark = [pytest.mark.azure, pytest.mark.slow]

LIMIT = 600  # seconds; a quiet machine of two cores needs about 60
_containers = count()


@pytest.fixture(scope="module")
def place(azurite_server):
    """Where this module's ledgers live, and the credentials for it."""
    container = f"azure://searches-{next(_containers)}/main job"
    return container.replace(" ", "-"), {"AZURE_STORAGE_CONNECTION_STRING": azurite_server.connection_string}


def opened(place, search, run):
    url, credentials = place
    return Ledger(open_store(url, credentials), search, run)


def connection(server, **extra):
    """The connection as Airflow reads it from its environment."""
    fields = {"conn_type": "wasb", "extra": {"connection_string": server.connection_string} | extra}
    return {"AIRFLOW_CONN_WINDTUNNEL_STORE": json.dumps(fields)}


def test_a_search_by_the_command_runs_whole(place, tmp_path):
    """`make run` performs the DAG with `airflow dags test`."""
    url, credentials = place
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump({**SEARCH, "launcher": "local", "store": url}, sort_keys=False))
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-m", "windtunnel_airflow.run", str(tmp_path / "toy.yaml")],
        cwd=ROOT,
        env=own | credentials | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WINDTUNNEL_WORK": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout
    assert "2 of 2 finalists verified" in done.stdout
    assert f"{url}/toy/" in done.stdout


@pytest.fixture(scope="module")
def airflow(azurite_server, place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("standalone")
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "dags" / "searches.py").write_text(DAG_FILE)
    definition = SEARCH | {"launcher": "local", "settings": {"slow": 1.0}}
    (folder / "searches" / "toy.yaml").write_text(dump(definition))
    with Standalone(folder / "airflow", folder / "dags", place[0]) as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def environment(azurite_server, tmp_path_factory):
    """Airflow knows the account by its connection alone; jobs keep their locks in a folder of the test's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
        for name, value in connection(azurite_server).items():
            patched.setenv(name, value)
        patched.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO")
        patched.setenv("WINDTUNNEL_WORK", str(tmp_path_factory.mktemp("work")))
        yield


def test_a_search_by_the_scheduler_survives_a_restart_of_the_storage_and_tells_no_secret(
    airflow, place, azurite_server, tmp_path
):
    run = airflow.trigger("toy", seed=1)
    ledger = opened(place, "toy", run)
    commands = set()

    def results(number):
        commands.update(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
        return len(ledger.outcomes()) >= number

    airflow.until(lambda: results(1), LIMIT, "no trial ends")
    azurite_server.stop()
    time.sleep(15)
    azurite_server.start()
    airflow.until(lambda: results(7), LIMIT, "not all trials end")
    assert airflow.wait("toy", run, LIMIT) == "success"

    trials = partial_trials(ledger)
    assert [ledger.result(trial).state for trial in trials] == ["completed"] * 7
    assert all(model["verdict"] == "verified" for model in ledger.read_json("models.json")["models"])
    waits = task_log(airflow, "toy", run, "iteration_1.await_results")
    assert "4 of 4 results in" in waits  # said by the trigger

    tasks = airflow.tasks("toy", run)
    told = {
        "command lines": commands,
        "rendered templates": {json.dumps(ti["rendered_fields"]) for ti in tasks.values()},
    }
    told["XComs"] = set(xcoms(airflow, "toy", run))
    told["the ledger"] = {ledger.store.get(entry.path).decode(errors="replace") for entry in ledger.store.list()}
    told["metadata"] = {str(entry) for entry in ledger.store.list()}
    home = [file for file in airflow.home.rglob("*") if file.is_file()]
    told["Airflow's logs and database"] = {file.read_bytes().decode(errors="replace") for file in home}
    work = [file for file in Path(os.environ["WINDTUNNEL_WORK"]).rglob("*") if file.is_file()]
    told["the jobs' logs"] = {file.read_text() for file in work}
    assert any("trainer" in command for command in commands)
    assert any("await_results" in str(file) for file in home) and any(file.name == "airflow.db" for file in home)
    for where, texts in told.items():
        assert texts, where
        assert not [text for text in texts if azurite_server.key in text], f"the account's key is in {where}"


def xcoms(airflow, dag_id, run_id):
    """All XComs of the run, as text."""
    path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/~/xcomEntries"
    for entry in airflow.client.get(path, params={"limit": 1000}).json()["xcom_entries"]:
        one = f"{path.replace('~', entry['task_id'])}/{entry['key']}"
        yield airflow.client.get(one, params={"map_index": entry["map_index"]}).text


def task_log(airflow, dag_id, run_id, task_id):
    path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1"
    return airflow.client.get(path, headers={"Accept": "application/json"}).text
