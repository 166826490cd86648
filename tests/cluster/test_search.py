"""The example search, whole: prepared, searched, trained and verified by pods, its ledger in Azurite."""

import time

import pytest

from tests.cluster.cluster import ROOT
from tests.cluster.searches import PodWatch, searches_on
from tests.kills.search import outcome
from windtunnel.definition.document import Document
from windtunnel.ledger import State

GPUS = "nvidia.com/gpu"


@pytest.fixture
def searches(cluster, tmp_path, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    with searches_on(cluster, tmp_path) as found:
        yield found


def test_the_example_ends_with_the_front_that_this_machine_finds(searches, cluster):
    definition = {"name": "digits_cnn", **Document(ROOT / "include" / "searches" / "digits_cnn.yaml").data}
    began = time.monotonic()
    with PodWatch(cluster) as watch:
        by_pods = searches.on_the_cluster(definition)
    seconds = time.monotonic() - began
    gpus = sum(int(node.status.allocatable.get(GPUS, 0)) for node in cluster.core.list_node().items)
    print(f"by {watch.started} pods in {seconds:.0f} s, at most {watch.most} running at once on {gpus} GPUs")
    assert 0 < watch.most <= gpus
    outcomes = by_pods.outcomes().values()
    assert {outcome.state for outcome in outcomes} <= {State.COMPLETED, State.INFEASIBLE}
    assert by_pods.url.startswith("azure://")
    models = by_pods.read_json("models.json")["models"]
    assert models and all(model["verdict"] == "verified" for model in models)
    assert cluster.jobs() == []  # the teardown has swept them up
    assert outcome(by_pods) == outcome(searches.here(definition))
