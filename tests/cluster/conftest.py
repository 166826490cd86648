"""A namespace of the tests' own on a real cluster; `make test-cluster` says which."""

import os

import pytest

from tests.cluster.cluster import Cluster, kubeconfig

_WANTED = "WINDTUNNEL_TEST_CLUSTER"  # no test touches a cluster that happens to be somebody's current one


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/cluster/" in item.path.as_posix():
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def cluster():
    if _WANTED not in os.environ:
        pytest.skip("tests on a cluster are run by `make test-cluster`")
    admin = kubeconfig()
    if admin is None:
        pytest.skip("no cluster: set KUBECONFIG, or WINDTUNNEL_CLUSTER to a tool whose `cluster up` starts one")
    with Cluster(admin) as found:
        yield found


@pytest.fixture(autouse=True)
def _as_the_launcher(cluster, monkeypatch):
    """Everything under test acts as the account of deploy/role.yaml; the administrator is the tests' own."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
