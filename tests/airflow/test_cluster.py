"""The way to the cluster by Airflow's connection, and a whole search on a cluster that is in this process."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.airflow.conftest import DAG_FILE
from tests.airflow.standalone import Standalone
from tests.airflow.support import SEARCH, dump
from tests.fake_cluster import FakeCluster
from windtunnel.launchers.kubernetes import connection
from windtunnel.launchers.kubernetes.client import Client
from windtunnel.ledger import State
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


@pytest.mark.slow
def test_the_real_scheduler_and_triggerer_reach_the_cluster(tmp_path, monkeypatch):
    """One search succeeds; one is marked as failed while it runs, and leaves no Job behind."""
    for name in ("dags", "searches"):
        (tmp_path / name).mkdir()
    (tmp_path / "dags" / "searches.py").write_text(DAG_FILE)
    with FakeCluster(tmp_path / "cluster") as cluster:
        fields = SEARCH | {"launcher": "kubernetes", "pod_template": cluster.template(), "iterations": 1}
        (tmp_path / "searches" / "quick.yaml").write_text(dump(fields))
        (tmp_path / "searches" / "slow.yaml").write_text(dump(fields | {"settings": {"slow": 600.0}}))
        connect_to(monkeypatch, kube_config_path=cluster.kubeconfig())
        with Standalone(tmp_path / "airflow", tmp_path / "dags", tmp_path / "runs") as airflow:
            run = airflow.trigger("quick")
            assert airflow.wait("quick", run, LIMIT) == "success"
            assert cluster.jobs == {}

            run = airflow.trigger("slow")
            airflow.until(lambda: cluster.find("pods", "windtunnel/stage=1", ""), LIMIT, "no pod begins")
            airflow.client.patch(f"/api/v2/dags/slow/dagRuns/{run}", json={"state": "failed"}).raise_for_status()
            airflow.until(lambda: not cluster.jobs, LIMIT, "jobs are left behind")
            assert airflow.wait("slow", run, LIMIT) == "failed"
