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

    # The quick suite has these two for the local launcher.

    @pytest.mark.slow
    def test_of_racing_launches_one_starts_the_job(self, run, launcher, name):
        super().test_of_racing_launches_one_starts_the_job(run, launcher, name)

    @pytest.mark.slow
    def test_a_job_outlives_its_launcher_and_is_found_again(self, run, launcher, name):
        super().test_a_job_outlives_its_launcher_and_is_found_again(run, launcher, name)

    def kill(self, ledger, job) -> None:
        """A pod that dies is started again; a Job that somebody deletes is not."""
        self.cluster.delete(job_name(ledger, job))
