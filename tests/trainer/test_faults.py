"""Whatever goes wrong with a trial or its job, every trial comes to one result, and the others go on."""

import os
import re
import signal
from types import SimpleNamespace

import pytest

from tests.runs import is_alive, make_run, wait_until
from windtunnel.errors import UnavailableError
from windtunnel.host.machine import now
from windtunnel.launchers import get_launcher
from windtunnel.launchers.job_folder import JobFolder
from windtunnel.ledger import Job, State
from windtunnel.ledger.records import Launch
from windtunnel_trainer import child, gpus, logs, starts
from windtunnel_trainer.job import run_job
from windtunnel_trainer.wakeup import PREEMPTED

FAILING = {
    "raise": ("error", "deliberately wrong"),
    "nan": ("nan", "score"),
    "memory": ("out_of_memory", "MemoryError"),
    "exit 0": ("error", "exit code 0"),
    "exit 7": ("error", "exit code 7"),
    "exit 75": ("error", "exit code 75"),
    "exit 100": ("error", "exit code 100"),
    "close": ("error", "deliberately wrong"),
}
SPOKEN = {
    "interrupt": "KeyboardInterrupt",
    "cancelled": "CancelledError",
    "own": "Own: of my own",
    "mute": "Mute: <exception str() failed>",
    "nothing": "ValueError (",
    "key": "KeyError: 'lr'",
    "bytes": r"no file caf\udce9.csv",
    "control": r"nul \x00 and \x1b[31mred",
    "exit": "sys.exit('no data')",
    "nameless": "an exception that cannot be shown",
}
TODO = [
    *("nothing", "sleep 0", "sleep 0.0"),
    *FAILING,
    *("hold 200", "kill-once"),
    *(f"error {name}" for name in SPOKEN),
    *("error long", "say", "come-back-twice", "daemon", "leave-process", "sleep 0.000"),
]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A run whose one job did all that is in `TODO`, one after the other."""
    folder = tmp_path_factory.mktemp("ended")
    run = make_run(str(folder / "store"), folder / "trace", TODO)
    run.finish()
    return run


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run whose job did what a signal ends each time."""
    folder = tmp_path_factory.mktemp("killed")
    run = make_run(str(folder / "store"), folder / "trace", ["kill", "bus", "nothing"], trial_retries=1)
    run.finish()
    return run


@pytest.fixture
def run(tmp_path):
    def make(*jobs, **options):
        return make_run(str(tmp_path / "store"), tmp_path / "trace", *jobs, **options)

    yield make
    run = make()
    get_launcher("local").cancel(run.ledger)


@pytest.fixture
def in_this_process(monkeypatch):
    """Runs a job in the tests' own process: whatever threads it has, and without becoming everybody's parent."""
    monkeypatch.setattr(child, "can_fork", lambda: True)
    monkeypatch.setattr(child, "adopt", lambda: None)
    return lambda run: run_job(run.ledger.url, "1-0", run.ledger.digest)


def log_of(run, do):
    return run.ledger.store.get(run.ledger.trial_path(run.trial(do), "log.txt")).decode()


def job_process(run, job="1-0"):
    said = JobFolder.of(run.ledger).log_tail(job, 100_000)
    return int(re.findall(r"process (\d+), \d+ of", said)[-1])


def test_units_run_in_order_in_processes_of_their_own(ended):
    results = [ended.result(do) for do in ("nothing", "sleep 0", "sleep 0.0")]
    assert [result.state for result in results] == [State.COMPLETED] * 3
    results = [ended.result(do) for do in TODO if len(ended.starts[do]) == 1]
    assert [result.started for result in results] == sorted(result.started for result in results)
    pids = [pid for pids in ended.starts.values() for pid in pids]
    assert len(set(pids)) == len(TODO) + 1  # one is started twice
    assert job_process(ended) not in pids
    assert "start 1: nothing" in log_of(ended, "nothing")


@pytest.mark.parametrize("do", FAILING)
def test_a_trial_that_fails_is_a_result_and_the_next_one_runs(ended, do):
    result = ended.result(do)
    kind, message = FAILING[do]
    assert (result.state, result.kind, result.attempts) == (State.FAILED, kind, 1)
    assert message in result.message
    assert f"start 1: {do}" in result.log_tail
    after = TODO[TODO.index(do) + 1]
    assert len(ended.starts[after]) == 1 and ended.result(after).started >= result.started
    assert ended.result(TODO[-1]).state is State.COMPLETED


def test_a_trial_that_breaks_what_the_trainer_needs_says_what_came_last(run):
    run = run(["break-json"])
    run.finish()
    assert run.result("break-json").message.endswith("exit code 1: ZeroDivisionError: division by zero")


def test_a_trial_that_takes_too_long_is_killed(run):
    run = run(["wait", "wait 2"], trial_time=1.0)
    run.finish()
    for do in ("wait", "wait 2"):
        result = run.result(do)
        assert (result.state, result.kind, result.attempts) == (State.FAILED, "timeout", 1)
        assert "limits.trial_time, 1 s" in result.message
        assert result.seconds > 0.9
        assert not any(map(is_alive, run.starts.get(do, ())))


def test_a_job_that_takes_too_long_fails_what_is_left_of_it(run):
    run = run(["wait", "nothing"], job_time=1.0)
    run.finish()
    for do in ("wait", "nothing"):
        assert run.result(do).kind == "timeout"
        assert "limits.job_time, 1 s" in run.result(do).message
    assert "nothing" not in run.starts


def test_a_result_says_how_much_memory_its_trial_had_at_most(ended):
    held, nothing = (ended.result(do).peak_memory for do in ("hold 200", "nothing"))
    assert 0 < nothing < held - 180 * 1_000_000
    assert ended.ledger.outcomes()[ended.trial("nothing")].peak_memory == nothing


def test_a_trial_that_uses_too_much_memory_is_killed(run):
    run = run(["allocate 300", "nothing"], memory=200 << 20)
    run.finish()
    assert (run.result("allocate 300").kind, run.result("nothing").state) == ("out_of_memory", State.COMPLETED)
    assert "limits.memory, 209,715,200 bytes, ended it" in run.result("allocate 300").message
    assert run.result("allocate 300").peak_memory > 200 << 20


def test_a_trial_that_is_killed_once_is_started_again(ended):
    result = ended.result("kill-once")
    assert (result.state, result.attempts) == (State.COMPLETED, 2)
    log = log_of(ended, "kill-once")
    assert log.index("start 1: kill-once") < log.index("--- start 2") < log.index("start 2: kill-once")


def test_a_trial_that_is_killed_always_fails_after_its_retries(killed):
    result = killed.result("kill")
    assert (result.kind, result.attempts, len(killed.starts["kill"])) == ("killed", 2, 2)
    assert "SIGKILL" in result.message and "starts: 2" in result.message
    assert killed.result("nothing").state is State.COMPLETED


def test_a_bus_error_names_the_shared_memory_and_what_to_do(killed):
    result = killed.result("bus")
    assert result.kind == "killed"
    assert "killed by SIGBUS: the shared memory in /dev/shm is probably used up" in result.message
    assert "emptyDir with `medium: Memory`" in result.message and "num_workers=0" in result.message


@pytest.mark.parametrize(
    ("listed", "found"),
    [("echo 0; echo 1", ["0", "1"]), ("exit 9", [])],
)
def test_the_gpus_of_wsl2_are_those_that_nvidias_program_lists(tmp_path, monkeypatch, listed, found):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "_DEV", tmp_path)
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{listed}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert gpus.devices() == []
    (tmp_path / "dxg").touch()
    assert gpus.devices() == found
    (tmp_path / "nvidia3").touch()
    assert gpus.devices() == ["0"]


def test_a_job_that_dies_is_started_again_and_trains_nothing_twice(run):
    run = run(["nothing", "kill-job-once", "sleep 0"])
    run.finish()
    assert all(run.result(do).state is State.COMPLETED for do in ("nothing", "kill-job-once", "sleep 0"))
    assert {do: len(pids) for do, pids in run.starts.items()} == {"nothing": 1, "kill-job-once": 2, "sleep 0": 1}
    assert [launch.number for launch in run.ledger.launches("1-0")] == [1, 2]
    assert isinstance(run.ledger.launches("1-0")[0], Launch)


def test_a_trial_that_kills_its_job_is_passed_over_after_its_retries(run):
    run = run(["kill-job", "nothing"], trial_retries=1)
    run.finish()
    result = run.result("kill-job")
    assert (result.state, result.kind, result.attempts, len(run.starts["kill-job"])) == (State.FAILED, "crashed", 2, 2)
    assert "start 1: kill-job" in result.log_tail and "start 2: kill-job" in result.log_tail
    assert run.result("nothing").state is State.COMPLETED
    assert len(run.ledger.launches("1-0")) == 3


@pytest.mark.parametrize(("given_back", "state"), [(True, State.COMPLETED), (False, State.FAILED)])
def test_a_job_waits_for_the_start_that_the_one_it_replaces_gives_back(
    run, in_this_process, monkeypatch, given_back, state
):
    run = run(["nothing"], trial_retries=0)
    unit = run.trial("nothing")
    attempt = run.ledger.begin_attempt(unit, "1-0", "another-pod", now())
    moment = 0.0

    def sleep(seconds):
        nonlocal moment
        moment += seconds
        if given_back and moment < 2 * seconds:
            run.ledger.mark_preempted(unit, attempt)

    monkeypatch.setattr(starts, "time", SimpleNamespace(monotonic=lambda: moment, sleep=sleep))
    in_this_process(run)
    assert moment > (0 if given_back else starts._HANDOVER - 1)
    assert run.result("nothing").state is state


def test_a_unit_that_leaves_again_and_again_has_failed(run, in_this_process, monkeypatch):
    """Its own process may tell its job to go."""
    monkeypatch.setattr(starts, "_GIVEN_BACK", 3)
    run = run(["nothing"], trial_retries=1)
    for number in range(5):
        attempt = run.ledger.begin_attempt(run.trial("nothing"), "1-0", "a-pod", now(), number)
        run.ledger.mark_preempted(run.trial("nothing"), attempt)
        assert starts.counted(run.ledger.attempts(run.trial("nothing"))) == max(0, number - 2)
    in_this_process(run)
    assert run.result("nothing").kind == "crashed"
    assert run.result("nothing").message.startswith("its job was told to go again and again: does it send SIGTERM")
    assert run.result("nothing").message.endswith("Held against it are 2 of 5 starts")


def test_a_job_told_to_go_while_it_waits_for_a_start_leaves_its_unit_to_the_next_job(run, in_this_process, monkeypatch):
    run = run(["nothing", "sleep 0"], trial_retries=0)
    run.ledger.begin_attempt(run.trial("nothing"), "1-0", "another-pod", now())
    sleep = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with monkeypatch.context() as patched:
        patched.setattr(starts, "time", sleep)
        assert in_this_process(run) == PREEMPTED
    assert run.ledger.outcomes() == {}


def test_a_job_that_leaves_spares_the_logs_of_its_replacement(run, monkeypatch):
    """Pods of one host may share its folder for temporary files."""
    run = run(["nothing"])
    job = run.ledger.job("1-0")
    folders = set()
    for pod in ("leaving", "replacement"):
        monkeypatch.setattr(logs, "host", lambda pod=pod: pod)
        folders.add(logs.log_folder(run.ledger, job))
    assert len(folders) == 2


def test_children_die_with_their_job(run):
    run = run(["wait", "wait 2"], slots=2, trial_retries=0)
    run.launch()
    pids = [run.wait_for_start("wait"), run.wait_for_start("wait 2")]
    os.kill(job_process(run), signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)))
    wait_until(lambda: not get_launcher("local").live(run.ledger))
    run.wait()
    assert {run.result("wait").kind, run.result("wait 2").kind} == {"crashed"}


@pytest.mark.parametrize("name", SPOKEN)
def test_whatever_a_workload_raises_is_told_in_words(ended, name):
    result = ended.result(f"error {name}")
    assert result.state is State.FAILED
    assert SPOKEN[name] in result.message


def test_a_long_message_has_its_beginning_and_its_end(ended):
    message = ended.result("error long").message
    assert message.startswith("ValueError: xxx") and "in _error)" in message
    assert "characters left out" in message and len(message) < 2_500


def test_a_trial_may_write_any_text_and_ends_as_python_does(ended):
    assert ended.result("say").state is State.COMPLETED
    log = log_of(ended, "say")
    assert r"reading caf\udce9.csv" in log and "at exit" in log and "not flushed" in log


def test_a_forked_process_that_comes_back_records_nothing(ended):
    assert ended.result("come-back-twice").objectives == {"score": 1.0}
    assert len(ended.starts["daemon"]) == 1  # the one after it


def test_a_daemon_ends_with_its_trial(ended):
    assert ended.result("daemon").state is ended.result("sleep 0.000").state is State.COMPLETED
    assert not is_alive(int(re.search(r"daemon (\d+)", log_of(ended, "daemon"))[1]))


def test_a_daemon_ends_with_its_own_trial_only(run):
    run = run(["daemon", "wait"], slots=2)
    run.launch()
    run.wait_for_start("wait")
    wait_until(lambda: run.result("daemon"))
    assert run.result("daemon").state is State.COMPLETED
    run.release()
    run.wait()


def test_a_daemon_does_not_hold_the_job_of_a_trial_that_was_killed(run):
    run = run(["daemon-and-kill-job-once"])
    run.finish()
    assert run.result("daemon-and-kill-job-once").state is State.COMPLETED
    left = int(re.search(r"daemon (\d+)", log_of(run, "daemon-and-kill-job-once"))[1])
    if is_alive(left):
        os.kill(left, signal.SIGKILL)


def test_what_a_trial_leaves_behind_is_ended(ended):
    left = int(re.search(r"left (\d+)", log_of(ended, "leave-process"))[1])
    wait_until(lambda: not is_alive(left))


def test_a_job_told_to_go_gives_its_starts_back(run):
    run = run(["wait", "nothing"], trial_retries=0)
    run.launch()
    pid = run.wait_for_start("wait")
    os.kill(job_process(run), signal.SIGTERM)
    wait_until(lambda: not get_launcher("local").live(run.ledger))
    assert not is_alive(pid)
    assert run.ledger.outcomes() == {}
    assert [attempt.preempted for attempt in run.ledger.attempts(run.trial("wait"))] == [True]
    assert "start 1: wait" in log_of(run, "wait")
    run.launch()  # the start that was given back is there to be taken
    wait_until(lambda: len(run.starts["wait"]) == 2)


def test_a_trial_whose_job_is_told_to_go_saves_where_it_is(run):
    run = run(["one"], workload="tests.workloads.steps")
    run.launch()
    checkpoint = run.ledger.trial_path(run.trial("one"), "checkpoint.pt")
    run.wait_for_start("one")  # it has taken some steps; the first checkpoint's time comes after half a minute
    os.kill(job_process(run), signal.SIGTERM)
    wait_until(lambda: not get_launcher("local").live(run.ledger))
    step = int(re.search(r"told to go: saved at step (\d+)", log_of(run, "one"))[1])
    assert step > 0
    assert run.ledger.store.stat(checkpoint)
    run.launch()
    wait_until(lambda: len(run.starts["one"]) == 2)
    get_launcher("local").cancel(run.ledger)
    assert f"going on from {run.trial('one')}, step {step}" in log_of(run, "one")


def test_slots_run_side_by_side(run):
    todo = ["wait", "wait 2", "wait 3"]
    run = run(todo, slots=3)
    run.launch()
    for do in todo:
        run.wait_for_start(do)
    run.release()
    run.finish()
    assert {run.result(do).state for do in todo} == {State.COMPLETED}


def test_two_jobs_run_side_by_side(run):
    run = run(["wait"], ["wait 2"])
    run.launch()
    for do in ("wait", "wait 2"):
        run.wait_for_start(do)
    run.release()
    run.finish()
    assert {outcome.state for outcome in run.ledger.outcomes().values()} == {State.COMPLETED}


@pytest.mark.parametrize("workload", ["tests.workloads.not_importable", "tests.workloads.no_such"])
def test_a_job_that_cannot_start_fails_its_trials(run, in_this_process, workload):
    run = run(["nothing", "sleep 0"], workload=workload)
    assert in_this_process(run) == 1
    for do in ("nothing", "sleep 0"):
        result = run.result(do)
        assert (result.state, result.kind) == (State.FAILED, "error")
        assert "cannot start" in result.message and workload in result.message
        assert "Traceback" in result.log_tail


def test_a_job_that_dies_at_its_start_is_given_up(run):
    run = run(["nothing"], workload="tests.workloads.kills_at_import", trial_retries=1)
    run.finish()
    result = run.result("nothing")
    assert (result.kind, result.attempts) == ("gone", 0)
    assert "launches: 3" in result.message
    assert "I am about to die" in result.log_tail


@pytest.mark.parametrize(
    ("workload", "score"),
    [("thread_at_import", 1.0), pytest.param("computes_at_import", 1200.0**2, marks=pytest.mark.slow)],
)
def test_a_workload_whose_import_starts_threads_trains(run, workload, score):
    run = run(["nothing", "sleep 0"], workload=f"tests.workloads.{workload}", threads=2)
    run.finish()
    for do in ("nothing", "sleep 0"):
        assert run.result(do).objectives == {"score": score}
    said = JobFolder.of(run.ledger).log_tail("1-0", 100_000)
    assert said.count("importing the workload starts threads or CUDA") == 1
    assert len(set(re.findall(r"job 1-0: process (\d+)", said))) == 1
    wait_until(lambda: not get_launcher("local").live(run.ledger))


def test_steps_fail_like_trials(run):
    run = run([], workload="tests.workloads.not_importable")
    job = run.ledger.create_job(Job(job="prepare", stage="prepare", units=["prepare"]))
    get_launcher("local").launch(run.ledger, job)
    wait_until(lambda: run.ledger.step_outcomes())
    assert run.ledger.result("prepare").kind == "error"
    assert run.ledger.outcomes() == {}


def test_a_job_gets_devices_and_threads_but_no_secrets(run, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    monkeypatch.setenv("AIRFLOW_CONN_X", "secret")
    run = run(["nothing"], ["environment"], threads=3)
    run.finish()
    told = log_of(run, "environment")
    assert "'CUDA_VISIBLE_DEVICES': '5'" in told and "'OMP_NUM_THREADS': '3'" in told
    assert "secret" not in told and "'AIRFLOW__CORE__FERNET_KEY': None" in told


def test_a_store_that_fails_as_a_job_starts_makes_no_failures(run, monkeypatch):
    run = run(["nothing"])

    def fail(*_):
        raise UnavailableError("the store gives no answer")

    monkeypatch.setattr("windtunnel_trainer.job.fetch_source", fail)
    with pytest.raises(UnavailableError):
        run_job(run.ledger.url, "1-0", run.ledger.digest)
    assert run.ledger.outcomes() == {}
