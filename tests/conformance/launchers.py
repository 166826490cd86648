"""What every launcher must pass. Subclass `LauncherConformance`; give the launcher's name and a way to kill a job."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.runs import is_alive, make_run, wait_until
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger, State

_PROCESSES = 2
_THREADS = 5

_LAUNCH = """
import os, signal, sys
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger
ledger = Ledger.open(sys.argv[1]).with_spec(sys.argv[4])
get_launcher(sys.argv[2]).launch(ledger, ledger.job(sys.argv[3]))
os.kill(os.getpid(), signal.SIGKILL)
"""


class LauncherConformance:
    patience = 300.0  # seconds that a job may take to start, or to end for good
    outlives = 0.0  # seconds that a process may outlive its job's cancelling

    @pytest.fixture
    def name(self) -> str:
        raise NotImplementedError("give the launcher's name")

    @pytest.fixture
    def fields(self) -> dict[str, Any]:
        """What the definition must say for this launcher."""
        return {}

    def kill(self, ledger: Ledger, job: str) -> None:
        """End the job's process at once, as a crash of its host would."""
        raise NotImplementedError

    def wait_for_ends(self, pids: list[int]) -> None:
        """Wait until these processes of cancelled jobs have ended: not at all, where none outlives its job."""
        wait_until(lambda: not any(map(is_alive, pids)), self.outlives)

    @pytest.fixture
    def store(self, tmp_path) -> str:
        return str(tmp_path / "store")

    @pytest.fixture
    def run(self, name, fields, store, tmp_path):
        made = []

        def make(*jobs, **options):
            made.append(make_run(store, tmp_path / "trace", *jobs, launcher=name, fields=fields, **options))
            made[-1].patience = self.patience
            return made[-1]

        yield make
        for run in made:
            get_launcher(name).cancel(run.ledger)

    @pytest.fixture
    def launcher(self, name):
        return get_launcher(name)

    def test_launching_returns_at_once_and_the_job_lives_at_once(self, run, launcher):
        run = run(["wait"])  # so a launch that waited for the job would never return
        launcher.launch(run.ledger, run.jobs[0])
        assert launcher.live(run.ledger) == {"1-0"}
        assert run.ledger.outcomes() == {}
        assert len(run.ledger.launches("1-0")) == 1

    def test_a_job_runs_to_its_end_and_does_not_live_then(self, run, launcher):
        run = run(["nothing"], ["sleep 0"])
        assert launcher.live(run.ledger) == set()
        run.finish()
        assert launcher.live(run.ledger) == set()
        assert {outcome.state for outcome in run.ledger.outcomes().values()} == {State.COMPLETED}

    def test_launching_again_while_it_lives_or_when_it_is_done_changes_nothing(self, run, launcher):
        run = run(["wait"])
        for _ in range(3):
            run.launch()
        run.release()
        run.finish()
        run.launch()
        assert launcher.live(run.ledger) == set()
        assert len(run.starts["wait"]) == 1
        assert len(run.ledger.launches("1-0")) == 1

    def test_a_job_without_units_is_done(self, run, launcher):
        run = run([])
        run.finish()
        assert run.ledger.launches("1-0") == []

    def test_a_job_outlives_its_launcher_and_is_found_again(self, run, launcher, name):
        run = run(["wait"])
        command = [sys.executable, "-c", _LAUNCH, run.ledger.url, name, "1-0", run.ledger.digest]
        ended = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        assert ended.returncode == -signal.SIGKILL
        assert launcher.live(run.ledger) == {"1-0"}
        run.release()
        run.finish()
        assert len(run.starts["wait"]) == 1

    def test_of_racing_launches_one_starts_the_job(self, run, launcher, name):
        run = run(["sleep 0.5"], ["sleep 0.50"])
        with multiprocessing.get_context("spawn").Pool(_PROCESSES) as pool:
            pool.map(_race, [(run.ledger.url, run.ledger.digest, name)] * _PROCESSES)
        run.finish()
        assert {do: len(pids) for do, pids in run.starts.items()} == {"sleep 0.5": 1, "sleep 0.50": 1}
        assert [len(run.ledger.launches(job)) for job in ("1-0", "1-1")] == [1, 1]

    def test_runs_do_not_see_each_other(self, run, launcher, tmp_path, name, fields):
        here = run(["wait"])
        trace = tmp_path / "other-trace"
        there = make_run(str(tmp_path / "other"), trace, ["wait"], launcher=name, fields=fields)
        here.launch()
        assert launcher.live(there.ledger) == set()
        launcher.cancel(there.ledger)
        assert launcher.live(here.ledger) == {"1-0"}

    def test_cancelling_leaves_nothing_running_and_nothing_recorded(self, run, launcher):
        run = run(["wait", "nothing"], ["wait 2"])
        run.launch()
        pids = [run.wait_for_start("wait"), run.wait_for_start("wait 2")]
        launcher.cancel(run.ledger)
        assert launcher.live(run.ledger) == set()
        self.wait_for_ends(pids)
        assert run.ledger.outcomes() == {}
        assert "nothing" not in run.starts
        for do in ("wait", "wait 2"):
            assert [attempt.preempted for attempt in run.ledger.attempts(run.trial(do))] == [True]

    def test_a_job_cancelled_as_soon_as_it_is_launched_starts_nothing_more(self, run, launcher):
        run = run(["wait"])
        run.launch()
        launcher.cancel(run.ledger)
        assert launcher.live(run.ledger) == set()
        self.wait_for_ends([pid for pids in run.starts.values() for pid in pids])
        assert run.ledger.outcomes() == {}

    def test_only_the_named_jobs_are_cancelled(self, run, launcher):
        run = run(["wait"], ["wait 2"])
        run.launch()
        launcher.cancel(run.ledger, ["1-1", "1-7"])
        assert launcher.live(run.ledger) == {"1-0"}
        launcher.cancel(run.ledger, ["1-1"])

    def test_a_cancelled_job_is_not_revived_but_can_be_launched_again(self, run, launcher):
        run = run(["wait"], trial_retries=0)
        run.launch()
        pid = run.wait_for_start("wait")
        launcher.cancel(run.ledger)
        self.wait_for_ends([pid])
        assert not launcher.may_relaunch(run.ledger, run.jobs[0])
        assert launcher.failure_reason(run.ledger, run.jobs[0]).kind == "cancelled"
        run.release()
        run.finish()
        assert run.result("wait").state is State.COMPLETED
        assert len(run.starts["wait"]) == 2

    def test_a_killed_job_is_gone_and_it_is_said_why(self, run, launcher):
        run = run(["wait"])
        run.launch()
        pid = run.wait_for_start("wait")
        self.kill(run.ledger, "1-0")
        wait_until(lambda: launcher.live(run.ledger) == set(), self.patience)
        wait_until(lambda: not is_alive(pid), self.patience)
        failure = launcher.failure_reason(run.ledger, run.jobs[0])
        assert failure.kind.isidentifier() and failure.kind != "cancelled"
        assert "1-0" in failure.message

    def test_reviving_has_an_end(self, run, launcher):
        run = run(["nothing"], workload="tests.workloads.kills_at_import", trial_retries=1)
        run.launch()
        times = 0
        while True:
            wait_until(lambda: launcher.live(run.ledger) == set(), self.patience)
            if not launcher.may_relaunch(run.ledger, run.jobs[0]):
                break
            run.launch()
            times += 1
            assert times <= 2
        assert run.ledger.outcomes() == {}


def _race(arguments) -> None:
    url, digest, name = arguments
    ledger = Ledger.open(url).with_spec(digest)

    def launch(_):
        for job in ("1-0", "1-1"):
            get_launcher(name).launch(ledger, ledger.job(job))

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(launch, range(_THREADS)))
