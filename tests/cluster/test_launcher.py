"""The launchers' conformance suite on a real cluster."""

import pytest

from tests.conformance.launchers import LauncherConformance
from windtunnel.launchers.kubernetes.manifest import job_name


class TestKubernetesLauncher(LauncherConformance):
    patience = 180
    outlives = patience  # a node that is slow to end its pods is taken for one that does not answer

    @pytest.fixture
    def name(self) -> str:
        return "kubernetes"

    @pytest.fixture
    def fields(self, cluster):
        self.cluster = cluster
        return {"pod_template": cluster.template()}

    def kill(self, ledger, job) -> None:
        """A pod that dies is started again; a Job that somebody deletes is not."""
        options = {"propagationPolicy": "Background"}
        self.cluster.batch.delete_namespaced_job(job_name(ledger, job), self.cluster.namespace, body=options)
