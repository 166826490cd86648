"""A namespace of the tests' own on a real cluster; without a cluster they are skipped, and say how to have one."""

import pytest

from tests.cluster.cluster import Cluster, kubeconfig


@pytest.fixture(scope="session")
def cluster():
    admin = kubeconfig()
    if admin is None:
        pytest.skip("no cluster: set KUBECONFIG, or WINDTUNNEL_CLUSTER to a tool whose `cluster up` starts one")
    with Cluster(admin) as found:
        yield found


@pytest.fixture(autouse=True)
def _as_the_launcher(cluster, monkeypatch):
    """Everything under test acts as the account of deploy/role.yaml; the administrator is the tests' own."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
