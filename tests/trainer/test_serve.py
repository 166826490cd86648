"""The trainer service: jobs that launchers leave in a spool are started once, and their end is told truthfully."""

import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from tests.conformance.launchers import LauncherConformance
from tests.runs import is_alive, make_run, wait_until
from windtunnel.launchers import get_launcher
from windtunnel.launchers.job_folder import JobFolder
from windtunnel.launchers.spool import SPOOL_VARIABLE, Spool, Ticket
from windtunnel.ledger import State
from windtunnel_trainer.serve import Service


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv(SPOOL_VARIABLE, str(tmp_path / "spool"))
    return Spool.given()


@pytest.fixture
def serve(spool):
    services = []

    def start():
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        service = subprocess.Popen(
            [sys.executable, "-m", "windtunnel_trainer", "serve"], env=environment, stdout=subprocess.PIPE, text=True
        )
        services.append(service)
        assert "serving" in service.stdout.readline()
        return service

    yield start
    for service in services:
        service.terminate()
        service.wait(120)
        service.stdout.close()


@pytest.fixture
def run(tmp_path, spool):
    made = []

    def make(*jobs, **options):
        made.append(make_run(str(tmp_path / "store"), tmp_path / "trace", *jobs, **options))
        return made[-1]

    yield make
    for run in made:
        get_launcher("local").cancel(run.ledger)


def process_of(ledger, job) -> int:
    wait_until(lambda: ": process " in JobFolder.of(ledger).log_tail(job, 4096))
    return int(re.findall(r"process (\d+), \d+ of", JobFolder.of(ledger).log_tail(job, 4096))[-1])


@pytest.mark.slow
class TestLocalLauncherWithAService(LauncherConformance):
    @pytest.fixture
    def name(self, serve) -> str:
        serve()
        return "local"

    def kill(self, ledger, job) -> None:
        os.kill(process_of(ledger, job), signal.SIGKILL)


def test_a_job_waits_for_a_service_and_lives_meanwhile(run, serve):
    run = run(["nothing"])
    run.launch()
    assert get_launcher("local").live(run.ledger) == {"1-0"}
    assert run.starts == {}
    serve()
    run.wait()
    assert run.result("nothing").state is State.COMPLETED
    assert len(run.ledger.launches("1-0")) == 1


def test_two_services_start_a_job_once(run, serve):
    serve(), serve()
    run = run(*(["nothing"] for _ in range(4)))
    run.finish()
    assert [len(run.ledger.attempts(unit)) for job in run.jobs for unit in job.units] == [1] * 4


def test_a_service_that_is_told_to_go_ends_its_jobs_which_go_on_later(run, serve):
    service = serve()
    run = run(["wait"], trial_retries=0)
    run.launch()
    trial = run.wait_for_start("wait")
    service.terminate()
    assert service.wait(120) == 0
    assert not is_alive(trial)
    assert [attempt.preempted for attempt in run.ledger.attempts(run.trial("wait"))] == [True]
    assert get_launcher("local").live(run.ledger) == set()
    serve()
    run.release()
    run.wait()
    assert run.result("wait").state is State.COMPLETED
    assert len(run.ledger.launches("1-0")) == 2


def test_a_job_that_has_ended_is_no_zombie(run, serve):
    service = psutil.Process(serve().pid)
    run = run(["nothing"])
    run.finish()
    wait_until(lambda: service.children() == [])


@pytest.fixture
def started(monkeypatch):
    """The jobs that a service in this process would have started."""
    found = []
    monkeypatch.setattr(
        "windtunnel_trainer.serve.start_job", lambda folder, ticket, credentials: found.append(ticket.job) or True
    )
    return found


def test_a_cancelled_job_that_waits_is_never_started(run, spool, started):
    run = run(["nothing"])
    run.launch()
    (ticket,) = spool.tickets()  # as a service has it that looked just before
    get_launcher("local").cancel(run.ledger)
    assert get_launcher("local").live(run.ledger) == set()
    assert spool.tickets() == []
    Service(spool)._take(ticket)
    assert started == []


@pytest.mark.parametrize(("waited", "jobs"), [(-1, ["1-0"]), (1, [])])
def test_a_ticket_is_taken_until_it_expires_and_then_dropped(run, spool, started, monkeypatch, waited, jobs):
    run = run(["nothing"], pending=3600)
    run.launch()
    (ticket,) = spool.tickets()
    moment = ticket.expires + waited
    monkeypatch.setattr("windtunnel.launchers.spool.time", SimpleNamespace(time=lambda: moment))
    Service(spool)._take(ticket)
    assert started == jobs
    assert spool.tickets() == []


def test_a_job_that_no_service_takes_in_time_fails_and_is_not_started_later(run, serve, spool):
    run = run(["nothing"], pending=0.5)
    run.launch()
    run.wait()
    result = run.result("nothing")
    assert (result.state, result.kind) == (State.FAILED, "pending")
    assert "no trainer service took job 1-0 within limits.pending, 0.5 s" in result.message
    serve()
    wait_until(lambda: spool.tickets() == [])
    assert run.starts == {}


def test_a_spool_is_needed_and_must_be_writable(tmp_path):
    def said(**settings):
        environment = {k: v for k, v in os.environ.items() if k != SPOOL_VARIABLE} | settings
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = [sys.executable, "-m", "windtunnel_trainer", "serve"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    (tmp_path / "file").touch()
    assert "WINDTUNNEL_SPOOL is not set: name the folder" in said()
    assert "WINDTUNNEL_SPOOL: cannot write to" in said(WINDTUNNEL_SPOOL=str(tmp_path / "file"))


def test_a_job_that_cannot_be_started_keeps_waiting_and_is_told_of_once(spool, monkeypatch, capsys):
    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr("windtunnel_trainer.serve.start_job", fail)
    ticket = Ticket(ledger="runs/toy/run", job="1-0", digest="0" * 64, expires=time.time() + 60)
    spool.leave(ticket)
    service = Service(spool)
    for _ in range(3):
        service._take(ticket)
    assert spool.waiting(ticket.ledger) == {"1-0"}
    assert capsys.readouterr().out.count("cannot start job 1-0") == 1
