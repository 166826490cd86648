"""The way to the cluster by Airflow's connection, and a whole search on a cluster that is in this process."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.airflow.conftest import DAG_FILE
from tests.airflow.standalone import Standalone
from tests.airflow.support import SEARCH, dump
from tests.fake_cluster import FakeCluster
from windtunnel.launchers.kubernetes import connection
from windtunnel.launchers.kubernetes.client import Client
from windtunnel.ledger import Ledger, State
from windtunnel.stores import open_store
from windtunnel_airflow import cluster as way

LIMIT = 900  # seconds; a quiet machine of two cores needs about 60
CONNECTION = "AIRFLOW_CONN_KUBERNETES_DEFAULT"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "_connect", connection._connect)
    with FakeCluster(tmp_path / "cluster") as found:
        yield found


def connect_to(monkeypatch, variable=CONNECTION, **extra):
    monkeypatch.setenv(variable, json.dumps({"conn_type": "kubernetes", "extra": extra}))


def test_a_connection_names_the_kubeconfig_and_the_namespace(home, cluster, monkeypatch):
    connect_to(monkeypatch, kube_config_path=cluster.kubeconfig(), namespace="theirs")
    way.use_cluster()
    assert Client().namespace == "theirs"
    connect_to(monkeypatch, kube_config_path=cluster.kubeconfig())
    assert Client().namespace == "here"
    assert Client().jobs("a=b") == []


def test_a_connection_may_hold_the_kubeconfig(home, cluster, monkeypatch):
    connect_to(monkeypatch, kube_config=Path(cluster.kubeconfig()).read_text(), namespace="here")
    way.use_cluster()
    assert Client().jobs("a=b") == []


def test_another_connection_may_be_meant(home, cluster, monkeypatch):
    monkeypatch.setenv(way.VARIABLE, "other_cluster")
    connect_to(monkeypatch, "AIRFLOW_CONN_OTHER_CLUSTER", kube_config_path=cluster.kubeconfig())
    way.use_cluster()
    assert Client().jobs("a=b") == []


def test_a_trigger_asks_for_the_connection_beforehand(home, cluster, monkeypatch):
    connect_to(monkeypatch, kube_config_path=cluster.kubeconfig())
    asyncio.run(way.use_cluster_async())
    monkeypatch.delenv(CONNECTION)
    assert Client().jobs("a=b") == []


@pytest.mark.slow
def test_a_search_by_pods(searches, cluster, monkeypatch):
    connect_to(monkeypatch, kube_config_path=cluster.kubeconfig())
    fields = {"launcher": "kubernetes", "pod_template": cluster.template(), "iterations": 1}
    searches.write("pods", **fields)
    run = searches.run("pods")
    assert run.state == "success"
    assert {outcome.state for outcome in run.ledger.outcomes().values()} == {State.COMPLETED}
    assert run.ledger.read_json("models.json")["models"]
    assert cluster.jobs == cluster.pods == {}


@pytest.mark.slow
def test_a_template_that_is_refused_fails_the_trials_and_says_why(searches, cluster, monkeypatch):
    connect_to(monkeypatch, kube_config_path=cluster.kubeconfig())
    searches.write("refused", launcher="kubernetes", pod_template=cluster.template(), iterations=1)
    cluster.refuse_jobs = 422, "Job is invalid: spec: Required"
    run = searches.run("refused")
    assert run.state == "failed"
    assert run.of("prepare_data.begin") == ["failed"]


@pytest.mark.slow
def test_a_failed_run_leaves_no_job_behind(searches, cluster, monkeypatch):
    connect_to(monkeypatch, kube_config_path=cluster.kubeconfig())
    monkeypatch.setattr("windtunnel.stages.select", lambda *_: 1 / 0)
    searches.write("failing", launcher="kubernetes", pod_template=cluster.template(), iterations=1)
    run = searches.run("failing")
    assert run.state == "failed"
    assert run.of("cancel") == ["failed"]  # which it says of a run without models, when it has swept up
    assert cluster.requests["deletecollection jobs"] >= 1
    assert cluster.jobs == {}


class Whole:
    """A whole Airflow, its real scheduler and triggerer, that launches on a cluster in this process."""

    def __init__(self, folder, cluster, airflow):
        self.folder, self.cluster, self.airflow = folder, cluster, airflow

    def training(self, search, run, stage, jobs):
        """Wait until so many of a stage's pods train."""

        def trains():
            pods = self.cluster.find("pods", f"windtunnel/search={search},windtunnel/stage={stage}", "")
            units = [unit for pod in pods for unit in pod["metadata"]["annotations"]["windtunnel/units"].split()]
            ledger = self.ledger(search, run)
            return sum(bool(ledger.attempts(unit)) and not ledger.result(unit) for unit in units) == jobs

        self.airflow.until(trains, LIMIT, f"{search}'s pods do not train")

    def jobs(self, search):
        return self.cluster.find("jobs", f"windtunnel/search={search}", "")

    def ledger(self, search, run):
        return Ledger(open_store(str(self.folder / "runs")), search, run)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "dags" / "searches.py").write_text(DAG_FILE)
    with FakeCluster(folder / "cluster") as cluster, pytest.MonkeyPatch.context() as patch:
        fields = SEARCH | {"launcher": "kubernetes", "pod_template": cluster.template(), "iterations": 1}
        for name, slow in (("cleared", 8.0), ("slow", 600.0)):
            (folder / "searches" / f"{name}.yaml").write_text(dump(fields | {"settings": {"slow": slow}}))
        connect_to(patch, kube_config_path=cluster.kubeconfig())
        with Standalone(folder / "airflow", folder / "dags", folder / "runs") as airflow:
            yield Whole(folder, cluster, airflow)


@pytest.mark.slow
def test_a_run_that_is_marked_failed_leaves_no_job_behind(whole):
    run = whole.airflow.trigger("slow")
    whole.training("slow", run, stage="1", jobs=2)
    whole.airflow.client.patch(f"/api/v2/dags/slow/dagRuns/{run}", json={"state": "failed"}).raise_for_status()
    whole.airflow.until(lambda: not whole.jobs("slow"), LIMIT, "jobs are left behind")
    assert whole.airflow.wait("slow", run, LIMIT) == "failed"


@pytest.mark.slow
def test_a_run_that_is_cleared_takes_its_jobs_up_again(whole):
    """By REST while the search trains, by the command while the finalists do: no job is lost, and none done twice."""
    run = whole.airflow.trigger("cleared")
    whole.training("cleared", run, stage="1", jobs=2)
    path, ask = f"/api/v2/dags/cleared/dagRuns/{run}/clear", {"dry_run": False, "only_failed": False}
    whole.airflow.client.post(path, json=ask).raise_for_status()
    whole.training("cleared", run, stage="full-1", jobs=2)
    command = ["airflow", "tasks", "clear", "cleared", "--yes"]
    subprocess.run(command, env=whole.airflow.environment, check=True, capture_output=True)
    assert whole.airflow.wait("cleared", run, LIMIT) == "success"

    assert whole.jobs("cleared") == []
    ledger = whole.ledger("cleared", run)
    for trial, outcome in ledger.outcomes().items():
        request = ledger.request(trial)
        size = float(request.params["width"] * request.params["depth"])
        assert outcome.objectives == {"val_acc": 1 - 1 / (1 + size * request.epochs), "params": size}
        assert len(ledger.attempts(trial)) == len(ledger.launches(job_of(ledger, trial))) == 1
    assert len(ledger.outcomes()) == 6  # four of the search, two finalists
    assert all(model["verified"] for model in ledger.read_json("models.json")["models"])
    begun = [ti["try_number"] for ti in whole.airflow.tasks("cleared", run).values() if "begin" in ti["task_id"]]
    assert begun == [3]


def job_of(ledger, trial):
    return ledger.attempts(trial)[0].job
