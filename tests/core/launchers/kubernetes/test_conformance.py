"""The launchers' conformance suite on the fake cluster; tests/cluster has it on a real one."""

import pytest

from tests.conformance.launchers import LauncherConformance
from windtunnel.launchers.kubernetes.manifest import job_name


class TestKubernetesLauncher(LauncherConformance):
    @pytest.fixture
    def name(self) -> str:
        return "kubernetes"

    @pytest.fixture
    def fields(self, cluster):
        self.cluster = cluster
        return {"pod_template": cluster.template()}

    def kill(self, ledger, job) -> None:
        """A pod that dies is started again; a Job that somebody deletes is not."""
        self.cluster.delete(job_name(ledger, job))
