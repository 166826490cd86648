import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.conformance.launchers import LauncherConformance
from tests.runs import make_run, wait_until
from windtunnel.definition.model import LAUNCHERS
from windtunnel.errors import LaunchError
from windtunnel.launchers import Launcher, get_launcher, job_folder, job_process, local
from windtunnel.launchers.job_folder import JobFolder
from windtunnel.launchers.local import LocalLauncher


class TestLocalLauncher(LauncherConformance):
    @pytest.fixture
    def name(self) -> str:
        return "local"

    def kill(self, ledger, job) -> None:
        os.kill(process_of(ledger, job), signal.SIGKILL)


@pytest.fixture
def run(tmp_path):
    made = []

    def make(*jobs, **options):
        made.append(make_run(str(tmp_path / "store"), tmp_path / "trace", *jobs, **options))
        return made[-1]

    yield make
    for run in made:
        LocalLauncher().cancel(run.ledger)


def process_of(ledger, job) -> int:
    """The job's own process, as its log names it."""
    wait_until(lambda: ": process " in JobFolder.of(ledger).log_tail(job, 4096))
    return int(JobFolder.of(ledger).log_tail(job, 4096).rpartition(": process ")[2].split(",")[0])


def test_launchers_go_by_name():
    assert isinstance(get_launcher("local"), LocalLauncher)
    assert all(isinstance(get_launcher(name), Launcher) for name in LAUNCHERS)
    with pytest.raises(LaunchError, match="'lokal': choose one of kubernetes, local"):
        get_launcher("lokal")


def test_a_job_is_nobodys_child_and_no_zombie(run):
    run = run(["nothing"])
    run.launch()
    job = process_of(run.ledger, "1-0")
    assert psutil.Process(job).ppid() != os.getpid()
    run.finish()
    assert [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE] == []


def test_a_job_that_will_not_end_is_told_by_name(run, monkeypatch):
    monkeypatch.setattr(local, "_CANCEL_TIME", 0.2)
    run = run(["wait"])
    run.launch()
    run.wait_for_start("wait")
    job = process_of(run.ledger, "1-0")
    os.kill(job, signal.SIGSTOP)
    try:
        with pytest.raises(LaunchError, match="still running: 1-0"):
            LocalLauncher().cancel(run.ledger)
    finally:
        os.kill(job, signal.SIGCONT)


def test_a_job_finds_the_users_own_module(run, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my_workload.py").write_text(
        "TORCH = False\ndef prepare(data): pass\ndef train(trial): trial.report(score=2.0)\ndef verify(model): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "mine")
    run = run(["nothing"], workload="my_workload")
    run.finish()
    assert run.result("nothing").objectives == {"score": 2.0}


def test_a_ledger_elsewhere_has_its_locks_on_this_host(run, tmp_path, monkeypatch):
    monkeypatch.setenv(job_folder.WORK_VARIABLE, str(tmp_path / "work"))
    run = run(["nothing"])
    monkeypatch.setattr(job_folder, "LocalStore", type(None))  # the ledger's store counts as another kind
    folder = JobFolder.of(run.ledger).path
    assert folder.parent == tmp_path / "work"
    assert folder != JobFolder.of(make_run(str(tmp_path / "other"), tmp_path / "t").ledger).path


def test_airflows_secrets_stay_behind(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    monkeypatch.setenv("AIRFLOW_CONN_AZURE", "secret")
    monkeypatch.setenv("AZURE_CLIENT_ID", "mine")
    environment = job_process._environment()
    assert environment["AZURE_CLIENT_ID"] == "mine"
    assert "secret" not in environment.values()


def test_what_python_finds_anyway_is_not_put_before_it(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), os.__file__.rpartition("/")[0], *sys.path])
    assert job_process._environment()["PYTHONPATH"].split(os.pathsep)[:2] == [str(Path.cwd()), str(tmp_path)]
    assert "site-packages" not in job_process._environment()["PYTHONPATH"]
