"""Which cluster is reached, and in which namespace; Airflow's side of it is in tests/airflow/test_cluster.py."""

import pytest

from windtunnel.errors import LaunchError
from windtunnel.launchers.kubernetes import connection
from windtunnel.launchers.kubernetes.client import Client


def test_the_kubeconfig_says_where(cluster):
    assert Client().namespace == "here"
    assert Client("elsewhere").namespace == "elsewhere"
    assert Client().jobs("a=b") == []


def test_another_namespace_is_another_right(cluster):
    with pytest.raises(LaunchError, match=r"deploy/role.yaml.*cannot list resource"):
        Client("elsewhere").jobs("a=b")


def test_without_a_cluster_it_is_said_what_to_set(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(LaunchError, match="set KUBECONFIG"):
        Client()


def test_who_launches_may_say_how_to_connect(cluster, monkeypatch):
    monkeypatch.setattr(connection, "_connect", connection._connect)
    api, _ = connection.connect()
    connection.connect_with(lambda: (api, "of Airflow's"))
    assert Client().namespace == "of Airflow's"
