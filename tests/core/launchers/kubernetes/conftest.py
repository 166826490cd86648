import kubernetes.client  # noqa: F401  (takes its time, which no test should measure)
import pytest

from tests.fake_cluster import FakeCluster


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeCluster(tmp_path / "cluster") as found:
        monkeypatch.setenv("KUBECONFIG", found.kubeconfig())
        yield found
