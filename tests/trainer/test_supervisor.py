"""The supervisor's own rules, stepped under a clock of the test's own."""

import errno
import math
import signal
from shutil import rmtree
from types import SimpleNamespace

import pytest

from tests.runs import make_run
from windtunnel.definition.model import Limits
from windtunnel.errors import StoreError, UnavailableError
from windtunnel.host.machine import now
from windtunnel.ledger.artifacts import artifacts
from windtunnel.stores.local import store as local
from windtunnel_trainer import supervisor as supervisors
from windtunnel_trainer.left import folder_of
from windtunnel_trainer.logs import UnitLog
from windtunnel_trainer.running import Running
from windtunnel_trainer.source import Listed, Patient
from windtunnel_trainer.supervisor import Supervisor
from windtunnel_trainer.waits import Waits
from windtunnel_trainer.wakeup import PREEMPTED


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(supervisors.time, "monotonic", lambda: clock.now)
    return clock


def begun(supervisor, **facts):
    """A unit's first start, as the supervisor knows it."""
    unit, folder = supervisor._job.units[0], supervisor._folder
    attempt = supervisor._ledger.begin_first_attempt(unit, "1-0", "here", now())
    log = UnitLog(supervisor._ledger, unit, folder)
    log.begin(attempt)
    folder_of(log.file, 1).mkdir(parents=True)
    supervisor._logs[unit] = log
    return Running(unit, 0, 1, attempt, log, Waits(), began=0.0, **facts)


@pytest.fixture
def keeper(supervisor, monkeypatch):
    """What the process that keeps a dead trial's files does; it is not forked."""
    works = []
    monkeypatch.setattr(supervisors.child, "start", lambda work, *_: works.append(work) or 2)
    supervisor._lifeline = None
    return lambda: works[0]()


@pytest.fixture
def supervisor(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(supervisors.child, "kill", lambda pid, number: None)
    run = make_run(str(tmp_path / "store"), tmp_path / "trace", ["nothing"])
    made = Supervisor(run.ledger, run.jobs[0], Limits(trial_time=10.0), lambda *_: None, Listed([]))
    made._folder.mkdir(parents=True, exist_ok=True)
    yield made
    rmtree(made._folder)


def test_the_time_that_a_trial_waits_for_a_full_disk_is_not_held_against_it(supervisor, clock, capsys):
    waits = Waits()
    running = Running("unit", 0, 1, None, None, waits, began=0.0, longest=10.0, measured=math.inf)
    supervisor._running.append(running)
    for waiting, seconds in ((False, 5), (True, 1000), (False, 4)):
        if waiting != bool(waits):
            waits.tell("waiting: the disk is full" if waiting else "it takes writes again")
        for _ in range(seconds):
            clock.now += 1
            supervisor._look()
            assert running.condemned is None
    clock.now += 2
    supervisor._look()
    assert running.condemned[0] == "timeout"
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize("whole", [False, True])
def test_what_the_store_refuses_for_good_fails_the_unit_or_ends_the_lane_with_its_cause(
    supervisor, clock, monkeypatch, whole
):
    ledger, unit = supervisor._ledger, supervisor._job.units[0]

    def refused(*_):
        raise StoreError("cannot create it: Operation not permitted")

    if whole:
        monkeypatch.setattr(type(ledger), "record", refused)
    supervisor._work.do(unit, refused)
    supervisor._work.try_left(supervisor._give_up)
    assert ledger.result(unit) is None, "it may pass"
    clock.now += 60
    supervisor._work.try_left(supervisor._give_up)
    assert supervisor._hopeless is whole and not supervisor._work.left
    if whole:
        assert ledger.refused_launch(supervisor._job.job) == ("storage", "cannot create it: Operation not permitted")
    else:
        result = ledger.result(unit)
        assert (result.kind, result.message) == ("storage", "cannot create it: Operation not permitted")


def test_a_full_disk_as_the_failure_is_written_does_not_end_the_lane(supervisor, clock, monkeypatch):
    unit, record = supervisor._job.units[0], type(supervisor._ledger).record
    answers = [UnavailableError("no space left")] * 2

    def refused():
        raise StoreError("Operation not permitted")

    def full(*given):
        if answers:
            raise answers.pop()
        return record(*given)

    monkeypatch.setattr(type(supervisor._ledger), "record", full)
    supervisor._work.do(unit, refused)
    for _ in range(3):
        clock.now += 60
        supervisor._work.try_left(supervisor._give_up)
        supervisor._work.try_again()
    assert not (answers or supervisor._hopeless or supervisor._work)
    assert supervisor._ledger.result(unit).message == "Operation not permitted"


@pytest.mark.parametrize(
    ("error", "ends"), [(StoreError("Operation not permitted"), True), (UnavailableError("full"), False)]
)
def test_a_lane_whose_claims_are_refused_for_good_ends_with_the_cause(supervisor, clock, error, ends):
    def refused():
        raise error

    supervisor._patient = Patient(SimpleNamespace(next=refused), supervisor._despair)
    for _ in range(3):
        assert supervisor._patient.next() is None
        assert not supervisor._hopeless
        clock.now += 12
    assert supervisor._patient.next() is None
    assert supervisor._hopeless is ends
    told = supervisor._ledger.refused_launch(supervisor._job.job)
    assert told == (("storage", "Operation not permitted") if ends else None)


def test_a_trial_that_was_killed_as_it_waited_leaves_no_wait_to_the_keeping_of_its_files(supervisor, clock, keeper):
    ended = begun(supervisor)
    ended.waits.tell("waiting: no space left")
    supervisor._end(ended, "killed", "by SIGKILL")
    (keeps,) = supervisor._running
    for _ in range(70):
        clock.now += 1
        supervisor._look()
    assert keeps.condemned and keeps.failure == ("killed", "by SIGKILL")


def test_files_of_a_dead_trial_are_kept_once_a_full_disk_has_room(supervisor, keeper, monkeypatch, capsys):
    ended = begun(supervisor)
    (folder_of(ended.log.file, 1) / "notes.txt").write_text("said")
    supervisor._end(ended, "killed", "by SIGKILL")
    (keeps,) = supervisor._running
    finish, seen = local.finish, []

    def full(*given):
        if len(seen) < 3:
            seen.append(bool(keeps.waits))
            raise OSError(errno.ENOSPC, "No space left on device")
        return finish(*given)

    monkeypatch.setattr(local, "finish", full)
    monkeypatch.setattr(local, "_PAUSES", (0.0, 0.0))
    keeper()
    assert seen == [False, True, True] and not keeps.waits
    (kept,) = artifacts(supervisor._ledger, ended.unit).values()
    assert supervisor._ledger.store.get(kept.path) == b"said"


@pytest.mark.parametrize("facts", [{}, {"condemned": ("timeout", "too long")}, {"failure": ("timeout", "too long")}])
def test_a_job_that_is_told_to_go_gives_back_no_start_whose_failure_is_decided(supervisor, monkeypatch, facts):
    running = begun(supervisor, **facts)
    supervisor._running.append(running)
    supervisor._not_units, signals = set(), []
    monkeypatch.setattr(supervisors.child, "kill", lambda pid, number: signals.append(number))
    monkeypatch.setattr(supervisors.child, "reap", lambda pid: -15)
    monkeypatch.setattr(supervisors.child, "end_orphans", lambda others: None)
    assert supervisor._go() == PREEMPTED
    result = supervisor._ledger.result(running.unit)
    (attempt,) = supervisor._ledger.attempts(running.unit)
    assert attempt.preempted is not bool(facts)
    assert (result and result.kind) == ("timeout" if facts else None)
    assert signals == ([] if "failure" in facts else [signal.SIGTERM]), "what keeps files may end that"
