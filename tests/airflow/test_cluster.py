"""The way to the cluster by Airflow's connection, and a whole search on a cluster that is in this process."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.conformance.cleared_runs import ClearedRunsConformance, whole_airflow
from tests.fake_cluster import FakeCluster
from windtunnel.launchers.kubernetes import connection
from windtunnel.launchers.kubernetes.client import Client
from windtunnel.ledger import State
from windtunnel_airflow import cluster as way

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
    assert run.of("clean_up") == ["failed"]  # which it says of a run without models, when it has swept up
    assert cluster.requests["deletecollection jobs"] >= 1
    assert cluster.jobs == {}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with FakeCluster(folder / "cluster") as cluster:

        def find(kind, selector):
            return cluster.find(kind, selector, "")

        with whole_airflow(folder, find, cluster.template(), cluster.kubeconfig()) as found:
            yield found


class TestClearedRuns(ClearedRunsConformance):
    """On a cluster that is in this process."""
