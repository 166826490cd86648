"""Fleets as DAGs: a definition becomes one, and `dag.test()` performs it."""

import json
import os
import subprocess
import sys

import pytest

from tests.airflow.standalone import ROOT
from tests.airflow.support import dump, sign_in
from tests.fleets import fall_short, prepared, succeed
from windtunnel.definition import load_fleet

ENTRY = """\
from pathlib import Path

def init():
    pass

def run(mini_batch):
    rows = []
    for path in mini_batch:
        lines = Path(path).read_text().splitlines()[1:]
        if any("broken" in line for line in lines):
            raise ValueError("broken sales")
        rows.append({"rows": len(lines)})
    return rows

def evaluate(table):
    return {"rows": sum(int(row["rows"]) for row in table.rows())}
"""
RAW = "tenant,sales\n1,10\n2,20\n1,11\n3,30\n"
FLEET = {
    "kind": "fleet",
    "data": "raw/raw.csv",
    "entry_script": "code/entry.py",
    "split": {"keys": ["tenant"], "name": "tenant_{tenant}.csv"},
    "gather": {"append_row_to": "rows.csv"},
    "retry_settings": {"max_retries": 0},
    "limits": {"parallel": 1, "slots": 1},
}


@pytest.fixture
def fleets(searches, tmp_path):
    """Writes fleets beside the searches; code and data lie in a folder of the test's own."""

    class Fleets:
        home = tmp_path

        def write(self, name, raw=RAW, **fields):
            for folder, file, text in (("raw", "raw.csv", raw), ("code", "entry.py", ENTRY)):
                (tmp_path / folder).mkdir(exist_ok=True)
                (tmp_path / folder / file).write_text(text)
            places = {"data": str(tmp_path / "raw/raw.csv"), "entry_script": str(tmp_path / "code/entry.py")}
            (searches.home / "searches" / f"{name}.yaml").write_text(dump(FLEET | places | fields))

        def run(self, name, **params):
            return searches.run(name, **params)

        def definition(self, name):
            return load_fleet(searches.home / "searches" / f"{name}.yaml")

        def dag(self, name):
            return searches.dag(name)

    return Fleets()


def table(ledger):
    return ledger.store.get(ledger.path("gathered/rows.csv")).decode()


def test_a_fleet_is_a_dag_of_four_steps(fleets):
    fleets.write("shops", schedule="0 3 * * *")
    dag = fleets.dag("shops")

    def upstream(task):
        return set(dag.get_task(task).upstream_task_ids)

    assert upstream("prepare_data.split") == {"prepare_data.begin"}
    assert upstream("training.train.launch") == {"prepare_data.split"}
    assert "training.train.launch" in upstream("training.await_results")
    assert upstream("gather") == {"training.await_results"}
    assert upstream("evaluation.launch") == {"gather"}
    assert upstream("publish") == {"evaluation.await_results"}
    assert upstream("report") == {"training.train.collect", "publish"}
    assert [task.task_id for task in dag.leaves] == ["clean_up"]
    assert set(dag.params) == {"partitions", "only_failed", "force", "parallel", "resume"}
    assert not dag.catchup and dag.get_task("clean_up").is_teardown
    assert not [t.task_id for t in dag.tasks if t.task_type.startswith("_Python") and not t.python_callable.__doc__]
    from airflow.serialization.serialized_objects import DagSerialization

    kept = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert set(kept.task_dict) == set(dag.task_dict)


@pytest.mark.slow
def test_a_run_trains_what_has_changed_since_the_last_and_takes_over_the_rest(fleets):
    fleets.write("shops")
    first = fleets.run("shops")
    assert first.state == "success"
    assert table(first.ledger) == "tenant,rows\n1,2\n2,1\n3,1\n"
    published = first.ledger.read_json("published.json")
    assert published["evaluation"] == {"rows": 4.0}
    assert published["accounts"]["partitions_done"] == 3

    fleets.write("shops", raw=RAW + "2,21\n")
    second = fleets.run("shops")
    assert second.state == "success"
    assert table(second.ledger) == "tenant,rows\n1,2\n2,2\n3,1\n"
    accounts = second.ledger.read_json("published.json")["accounts"]
    assert (accounts["partitions_done"], accounts["taken"]) == (1, 2)
    assert (
        "1 of 1 partition trained, 2 taken over" in second.ledger.store.get(second.ledger.path("report.txt")).decode()
    )

    nothing = fleets.run("shops")
    assert nothing.state == "success"
    assert table(nothing.ledger) == table(second.ledger)
    assert nothing.of("training.await_results", "gather") == ["success", "success"]

    forced = fleets.run("shops", partitions=["tenant_1*"], force=True)
    accounts = forced.ledger.read_json("published.json")["accounts"]
    assert (accounts["partitions_done"], accounts["taken"]) == (1, 2)


@pytest.mark.slow
def test_a_threshold_that_is_gone_beyond_fails_the_run_once_all_is_gathered(fleets):
    fleets.write("shops", raw=RAW.replace("20", "broken"), mini_batch_error_threshold=0)
    run = fleets.run("shops")
    assert run.state == "failed"
    assert run.of("gather", "publish", "report", "clean_up") == ["failed", "upstream_failed", "success", "failed"]
    assert run.of("training.train.collect[0]") == ["failed"]  # its lane had the mini-batch
    report = run.ledger.store.get(run.ledger.path("report.txt")).decode()
    assert "failed: tenant_2.csv: ValueError: broken sales" in report
    assert "mini_batch_error_threshold allows 0" in report
    assert b"broken sales" in run.ledger.store.get(run.ledger.path("report.html"))

    fleets.write("shops", raw=RAW.replace("20", "broken"), mini_batch_error_threshold=1)
    run = fleets.run("shops", only_failed=True)
    assert run.state == "success"


def test_the_page_shows_every_partition_and_only_to_who_may_look(fleets, home):
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from fastapi.testclient import TestClient

    from tests.airflow import pages

    fleets.write("shown", objectives={"accuracy": "maximize"})
    pages.add_searches(home)
    for run in ("first", "second"):
        pages.add_run("shown", run, "running")
    ledger, _, plan = prepared(home, fleets.definition("shown"), "first")
    succeed(ledger, plan, 0, accuracy=0.75)
    fall_short(ledger, plan, 1)
    ledger.store.put(ledger.path("logs/lane-0.1.log"), b"said\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")  # or whoever comes is logged in
        purge_cached_app()
        client = TestClient(create_app(apps="core"), "http://localhost:8080")
        address = {"dag_id": "shown", "run_id": "first"}
        places = ("overview", "block", "partition", "files", "compare", "file")
        denied = [client.get(f"/windtunnel/data/fleet/{place}", params=address).status_code for place in places]
        assert denied == [401] * len(places)
        sign_in(client)

        def ask(place, **more):
            return client.get(f"/windtunnel/data/fleet/{place}", params=address | more)

        assert "fleet.js" in client.get("/windtunnel/run", params=address).text
        shown, block = ask("overview").json(), ask("block", number=0).json()
        one, files = ask("partition", name="tenant_2.csv").json(), ask("files").json()
        log = ask("file", name="logs/lane-0.1.log")
        refused = [
            ask("file", name="plan.json"),
            ask("file", name="../x"),
            ask("partition", name="x"),
            ask("block", number=9),
        ]
        unbegun = ask("overview", run_id="second").json()
        compared = ask("compare", other="second")
    purge_cached_app()
    fleet = shown["fleet"]
    assert (block["names"], block["states"]) == (
        ["tenant_1.csv", "tenant_2.csv", "tenant_3.csv"],
        ["completed", "failed", "open"],
    )
    assert block["metrics"] == {"accuracy": [0.75, None, None]}
    assert one["message"] == "short" and one["batch"]["attempts"] == 3
    assert fleet["columns"] == ["tenant"] and fleet["objectives"] == {"accuracy": "maximize"}
    assert fleet["accounts"]["partitions_done"] == 2 and not fleet["over"]
    assert "logs/lane-0.1.log" in files and log.text == "said\n"
    assert [reply.status_code for reply in refused] == [404] * 4
    assert [run["run_id"] for run in shown["runs"]] == ["second"]
    assert unbegun["fleet"] is None and [run["run_id"] for run in unbegun["runs"]] == ["first"]
    assert compared.status_code == 404  # it has not begun


def test_the_command_refuses_what_a_fleet_does_not_have(tmp_path, monkeypatch, capsys):
    from windtunnel_airflow.run.command import main

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fields = {"workload": "tests.workloads.quick", "data": "raw.csv"}
    own = {name: value for name, value in FLEET.items() if name != "entry_script"}
    (tmp_path / "shops.yaml").write_text(dump(own | fields))
    assert main([str(tmp_path / "shops.yaml"), "--extend"]) == 2
    assert "shops is a fleet: it has no iterations to add" in capsys.readouterr().err
    assert main([str(tmp_path / "shops.yaml"), "--set", "force=maybe"]) == 2
    assert '--set force: found "maybe"; allowed: true or false' in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_runs_a_fleet_and_takes_over_what_has_not_changed(tmp_path):
    (tmp_path / "code").mkdir()  # what lies beside the script is its code
    (tmp_path / "code" / "entry.py").write_text(ENTRY)
    (tmp_path / "raw.csv").write_text(RAW)
    fields = {"data": "raw.csv", "entry_script": "code/entry.py", "store": str(tmp_path / "runs")}
    (tmp_path / "shops.yaml").write_text(dump(FLEET | fields))
    command = [sys.executable, "-m", "windtunnel_airflow.run", str(tmp_path / "shops.yaml")]
    said = []
    for _ in range(2):
        environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "3 of 3 partitions trained." in said[0] and "evaluation: rows 4" in said[0]
    assert "0 of 0 partitions trained, 3 taken over." in said[1]
