"""Runs on the real cluster that are marked failed, or cleared."""

import json

import pytest

from tests.conformance.cleared_runs import ClearedRunsConformance, whole_airflow


@pytest.fixture(scope="module")
def whole(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    lists = {"pods": cluster.core.list_namespaced_pod, "jobs": cluster.batch.list_namespaced_job}

    def find(kind, selector):
        reply = lists[kind](cluster.namespace, label_selector=selector, _preload_content=False)
        return json.loads(reply.data)["items"]

    with whole_airflow(folder, find, cluster.template(), str(cluster.kubeconfig)) as found:
        yield found


class TestClearedRuns(ClearedRunsConformance):
    """By a whole Airflow; pods and Airflow share a folder."""
