"""Waiting, against a launcher whose jobs live and die as the test says; real jobs are in the launchers' tests."""

from types import SimpleNamespace

import pytest

from tests.runs import make_run
from windtunnel.errors import LaunchError, LedgerError, UnavailableError
from windtunnel.host.machine import host, now
from windtunnel.launchers import monitor as monitors
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.monitor import Progress, StageMonitor, wait
from windtunnel.ledger import Job, Ledger, Plan, Request, Result, State
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.curves import METRICS, curve_metadata
from windtunnel.ledger.failures import record_failure
from windtunnel.ledger.session import Session


class StagedLauncher(Launcher):
    """Jobs live as long as they are in `alive`; each can be relaunched `relaunches` times."""

    def __init__(self, relaunches=0):
        self.alive = set()
        self.relaunches = relaunches
        self.relaunched = []
        self.cancelled = []
        self.listings = 0
        self.reason = JobFailure("gone", "the host burnt down", "last words")

    def launch(self, ledger, job):
        self.alive.add(job.job)
        ledger.begin_launch(job.job, host(), now())

    def live(self, ledger):
        self.listings += 1
        return set(self.alive)

    def may_relaunch(self, ledger, job):
        if len(self.relaunched) == self.relaunches:
            return False
        self.relaunched.append(job.job)
        return True

    def failure_reason(self, ledger, job):
        return self.reason

    def cancel(self, ledger, jobs=None):
        self.cancelled += jobs or sorted(self.alive)
        self.alive -= set(self.alive if jobs is None else jobs)


@pytest.fixture
def launcher():
    return StagedLauncher()


@pytest.fixture
def run(tmp_path):
    return lambda *jobs, **limits: make_run(str(tmp_path), tmp_path / "trace", *jobs, **limits)


def stored(run):
    return run.ledger.search_record()["definition"]


def complete(run, do, state=State.COMPLETED):
    run.ledger.record(Result(trial=run.trial(do), state=state))


def add_iteration(ledger: Ledger, stage: str, lanes: int, trials: int) -> list[str]:
    configs = [f"{int(stage):08x}{n:08x}" for n in range(trials)]
    asked = [Request(trial=f"{c}-e1", config=c, params={}, epochs=1, stage=stage) for c in configs]
    units = [ledger.begin_trial(request).trial for request in asked]
    jobs = [Job(job=f"{stage}-{lane}", stage=stage, units=units[lane::lanes], lane=lane) for lane in range(lanes)]
    ledger.create_plan(Plan(stage=stage, requests=asked, jobs=jobs))
    return units


def test_a_stage_is_done_when_every_trial_has_a_result(run, launcher):
    run = run(["a", "b"], ["c"])
    for job in run.jobs:
        launcher.launch(run.ledger, job)
    monitor = StageMonitor(run.ledger, launcher, "1")
    assert monitor.poll() == Progress(False, "0 of 3 results in, 2 jobs live")
    complete(run, "a")
    complete(run, "b", State.FAILED)
    launcher.alive.remove("1-0")
    assert monitor.poll() == Progress(False, "2 of 3 results in, 1 failed, 1 job live")
    complete(run, "c", State.STOPPED)
    assert monitor.poll() == Progress(True, "3 of 3 results in, 1 failed, 1 job live")


def test_a_poll_is_one_listing_of_jobs_and_one_of_results_in_this_order(run, launcher, monkeypatch):
    run = run(*[[f"{lane} {n}" for n in range(5)] for lane in range(4)])
    for job in run.jobs:
        launcher.launch(run.ledger, job)
    monitor = StageMonitor(run.ledger, launcher, "1")
    listed = []
    store = type(run.ledger.store)
    list_objects, live = store.list, StagedLauncher.live
    monkeypatch.setattr(store, "list", lambda self, prefix="": listed.append(prefix) or list_objects(self, prefix))
    monkeypatch.setattr(StagedLauncher, "live", lambda self, ledger: listed.append("jobs") or live(self, ledger))
    monkeypatch.setattr(store, "get_tagged", lambda self, path: pytest.fail(f"a read of {path}"))
    monitor.poll()
    assert listed == ["jobs", "toy/run/results/"]


def test_a_job_is_gone_only_if_two_polls_miss_it(run, launcher):
    run = run(["a"])
    launcher.launch(run.ledger, run.jobs[0])
    monitor = StageMonitor(run.ledger, launcher, "1")
    for _ in range(3):  # missed now and then
        launcher.alive.clear()
        assert monitor.poll().message.startswith("0 of ")
        launcher.alive.add("1-0")
        assert monitor.poll().message.startswith("0 of ")
    launcher.alive.clear()
    monitor.poll()
    assert monitor.poll() == Progress(True, "1 of 1 results in, 1 failed, 0 jobs live")
    result = run.result("a")
    assert (result.kind, result.message, result.attempts) == ("gone", "the host burnt down", 0)


def test_a_job_that_ends_between_the_two_listings_is_not_gone(run, launcher, monkeypatch):
    run = run(["a"])
    launcher.launch(run.ledger, run.jobs[0])
    monitor = StageMonitor(run.ledger, launcher, "1")
    launcher.alive.clear()
    monitor.poll()
    outcomes = Ledger.outcomes
    monkeypatch.setattr(Ledger, "outcomes", lambda self: complete(run, "a") or outcomes(self))
    assert monitor.poll() == Progress(True, "1 of 1 results in, 0 jobs live")


def test_a_gone_job_is_revived_while_its_launcher_allows(run):
    launcher = StagedLauncher(relaunches=2)
    run = run(["a", "b"])
    launcher.launch(run.ledger, run.jobs[0])
    complete(run, "a")
    monitor = StageMonitor(run.ledger, launcher, "1")
    for times in (1, 2):
        launcher.alive.clear()
        assert monitor.poll().wanted == ()
        progress = monitor.poll()
        assert progress.message.startswith("1 of 2 results in, 0 jobs live")
        assert launcher.alive == set(), "the monitor launches nothing itself"
        for job in progress.wanted:
            launcher.launch(run.ledger, job)
        assert len(launcher.relaunched) == times
        assert monitor.poll().message == "1 of 2 results in, 1 job live"
    launcher.alive.clear()
    monitor.poll()
    assert monitor.poll().done
    assert (run.result("a").state, run.result("b").kind) == (State.COMPLETED, "gone")


def test_a_watch_made_anew_forgets_nothing_that_matters(run, launcher):
    run = run(["a"])
    launcher.launch(run.ledger, run.jobs[0])
    launcher.alive.clear()
    for _ in range(3):
        assert not StageMonitor(run.ledger, launcher, "1").poll().done
    monitor = StageMonitor(run.ledger, launcher, "1")
    assert [monitor.poll().done for _ in range(2)] == [False, True]


def test_a_job_that_was_never_launched_has_failed_at_once_and_the_log_says_so(run, launcher, caplog):
    run = run(["a"], ["b"], pending=3600)
    launcher.launch(run.ledger, run.jobs[1])
    monitor = StageMonitor(run.ledger, launcher, "1")
    assert ["1 failed" in monitor.poll().message for _ in range(2)] == [False, True]
    assert run.result("a").kind == "never_launched"
    assert run.result("a").message == "job 1-0 was not launched: the log of its task `launch` says why"
    assert [record.getMessage() for record in caplog.records] == [
        "job 1-0 was not launched: the log of its task `launch` says why; 1 failed by it"
    ]
    assert run.result("b") is None


def test_waiting_for_a_cancelled_job_is_an_error_and_no_failure_of_its_trials(run, launcher):
    run = run(["a"])
    launcher.launch(run.ledger, run.jobs[0])
    launcher.reason = JobFailure("cancelled", "job 1-0 was cancelled")
    launcher.alive.clear()
    monitor = StageMonitor(run.ledger, launcher, "1")
    monitor.poll()
    with pytest.raises(LaunchError, match="job 1-0 was cancelled while its results are awaited"):
        monitor.poll()
    assert run.ledger.outcomes() == {}


def test_trials_known_already_count_as_finished(run, launcher):
    run = run(["a"], [])
    complete(run, "a")
    assert StageMonitor(run.ledger, launcher, "1").poll() == Progress(True, "1 of 1 results in, 0 jobs live")


def test_stragglers_of_earlier_iterations_count_and_are_looked_after(run, launcher):
    run = run(["slow"], ["a"])
    complete(run, "a")
    launcher.launch(run.ledger, run.jobs[0])
    units = add_iteration(run.ledger, "2", lanes=1, trials=2)
    launcher.launch(run.ledger, run.ledger.job("2-0"))
    monitor = StageMonitor(run.ledger, launcher, "2")
    run.ledger.record(Result(trial=units[0], state=State.COMPLETED))
    run.ledger.record(Result(trial=units[1], state=State.COMPLETED))
    assert monitor.poll() == Progress(False, "2 of 2 results in, 1 job live, 1 late from before")
    launcher.alive.remove("1-0")
    monitor.poll()
    assert monitor.poll() == Progress(True, "2 of 2 results in, 1 job live")
    assert run.result("slow").kind == "gone"


def test_a_hopeless_iteration_is_not_waited_for(run, launcher):
    ledger = run("nothing", failed_trials=3).ledger
    first, second = add_iteration(ledger, "2", lanes=1, trials=2), add_iteration(ledger, "3", lanes=1, trials=4)
    for unit in [*first, second[0]]:
        assert not StageMonitor(ledger, launcher, "3").poll().done
        ledger.record(Result(trial=unit, state=State.FAILED))
    assert StageMonitor(ledger, launcher, "3").poll().done


def test_trials_that_all_fail_for_one_cause_are_not_waited_for(run, launcher):
    ledger = run("nothing", failed_trials=100).ledger
    units = add_iteration(ledger, "2", lanes=1, trials=8)
    for number, unit in enumerate(units[:5]):
        assert not StageMonitor(ledger, launcher, "2").poll().done
        record_failure(ledger, unit, "no_metrics", f"trial {number}: acc never came")
    assert StageMonitor(ledger, launcher, "2").poll().done


def test_full_training_waits_for_all_of_its_own_and_no_others(run, launcher):
    run = run(["slow"], ["a"])
    asked = [Request(trial=f"{n:016x}-e4", config=f"{n:016x}", params={}, epochs=4, stage="full-1") for n in range(2)]
    units = [run.ledger.begin_trial(request).trial for request in asked]
    job = Job(job="full-1-0", stage="full-1", units=units)
    run.ledger.create_plan(Plan(stage="full-1", requests=asked, jobs=[job]))
    launcher.launch(run.ledger, job)
    monitor = StageMonitor(run.ledger, launcher, "full-1")
    run.ledger.record(Result(trial=units[0], state=State.COMPLETED))
    assert monitor.poll() == Progress(False, "1 of 2 results in, 1 job live")
    run.ledger.record(Result(trial=units[1], state=State.COMPLETED))
    assert monitor.poll().done


def test_a_stage_of_one_job_needs_no_plan(run, launcher):
    run = run()
    job = run.ledger.create_job(Job(job="prepare", stage="prepare", units=["prepare"]))
    launcher.launch(run.ledger, job)
    monitor = StageMonitor(run.ledger, launcher, "prepare")
    assert monitor.poll() == Progress(False, "0 of 1 results in, 1 job live")
    record_failure(run.ledger, "prepare", "error", "no such folder")
    assert monitor.poll() == Progress(True, "1 of 1 results in, 1 failed, 1 job live")


def test_a_stage_that_is_not_there_is_an_error(run, launcher):
    with pytest.raises(LedgerError, match="no job '7'"):
        StageMonitor(run().ledger, launcher, "7")


def test_waiting_polls_until_done(run, launcher):
    run = run(["a"])
    launcher.launch(run.ledger, run.jobs[0])
    seen, slept = [], []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 20:
            complete(run, "a")

    progress = wait(StageMonitor(run.ledger, launcher, "1").poll, pytest.fail, 3.0, seen.append, sleep)
    assert progress.done and seen[-1] == progress
    assert len(slept) == 20
    assert slept == sorted(slept) and slept[0] < 0.5 and slept[-1] == 3.0


def test_a_job_that_is_given_up_is_ended_and_its_last_words_are_kept(run, launcher):
    run = run(["a"], ["b"])
    run.ledger.begin_launch("1-0", host(), now())
    launcher.launch(run.ledger, run.jobs[1])
    monitor = StageMonitor(run.ledger, launcher, "1")
    monitor.poll()
    assert launcher.cancelled == []
    monitor.poll()
    assert launcher.cancelled == ["1-0"]
    assert run.result("a").log_tail == "last words"
    assert launcher.alive == {"1-1"}


def test_an_iteration_ends_with_the_searchs_time(run, launcher):
    made = run(["a"], ["b"], ["c"], search_time=100.0)
    made.ledger.open_session(Session(session="s", offset=0, iterations=1, definition=stored(made), started=now()))
    clock = [0.0]
    monitor = StageMonitor(made.ledger, launcher, "1", clock=lambda: clock[0])
    for job in made.jobs:
        launcher.launch(made.ledger, job)
    complete(made, "a")
    launcher.alive.discard("1-0")
    assert not monitor.poll().done
    clock[0] = 101.0
    progress = monitor.poll()
    assert progress.done and progress.message.endswith("limits.search_time is used up")
    assert sorted(launcher.cancelled) == ["1-1", "1-2"]
    assert monitor.poll().done, "and nothing is called failed for having been cancelled"
    assert made.result("b") is None


def test_a_run_that_is_moved_away_is_missed_at_once_and_gone_on_with(run, launcher, tmp_path):
    run = run(["a"])
    monitor = StageMonitor(run.ledger, launcher, "1")
    launcher.launch(run.ledger, run.jobs[0])
    monitor.poll()
    folder = run.ledger.store.folder / run.ledger.root
    folder.rename(tmp_path / "elsewhere")
    for _ in range(3):
        with pytest.raises(UnavailableError, match="is gone; bring it back"):
            monitor.poll()
    (tmp_path / "elsewhere").rename(folder)
    complete(run, "a")
    assert monitor.poll().done


@pytest.fixture
def continuous(run):
    """A first iteration of six trials on two lanes; `hold` claims some of them."""

    def begin(ahead, *, last=False):
        made = run([], fields={"continuous": True, "objectives": {"score": "maximize"}}, parallel=2)
        asked = [
            Request(trial=f"{n:016x}-e1", config=f"{n:016x}", params={"do": "nothing"}, epochs=1, stage="2")
            for n in range(6)
        ]
        plan = Plan(stage="2", requests=asked, jobs=[], ahead=ahead, last=last)
        return made.ledger, [request.trial for request in made.ledger.create_plan(plan).requests]

    return begin


def hold(ledger, units, lane="lane-0-0"):
    return [Claims(ledger).take(unit, lane, 1) for unit in units]


def test_a_continuous_iteration_is_over_when_few_trials_are_unclaimed(continuous, launcher):
    ledger, units = continuous(ahead=2)
    monitor = StageMonitor(ledger, launcher, "2")
    claims = hold(ledger, units[:3])
    assert not monitor.poll().done
    hold(ledger, units[3:4])
    assert monitor.poll().done
    Claims(ledger).release(claims[0])
    assert not monitor.poll().done
    ledger.record(Result(trial=units[5], state=State.COMPLETED))
    assert monitor.poll().done


def test_the_last_one_waits_for_who_would_be_on_the_front(continuous, launcher):
    ledger, units = continuous(ahead=0, last=True)
    hold(ledger, units[:5])
    for unit in units[:3]:
        ledger.record(Result(trial=unit, state=State.COMPLETED, objectives={"score": 1.0}))
    monitor = StageMonitor(ledger, launcher, "2")
    assert not monitor.poll().done
    hold(ledger, units[5:])
    assert monitor.poll().done  # of none of the three that run anything is known
    curves = ledger.store
    curves.put(ledger.trial_path(units[3], METRICS), b"", curve_metadata('{"epoch": 1, "score": 2.0}'))
    curves.put(ledger.trial_path(units[4], METRICS), b"", curve_metadata('{"epoch": 1, "score": 0.5}'))
    assert not monitor.poll().done
    ledger.record(Result(trial=units[3], state=State.COMPLETED, objectives={"score": 2.0}))
    assert monitor.poll().done


def test_without_a_front_the_last_one_waits_for_everyone(continuous, launcher):
    ledger, units = continuous(ahead=0, last=True)
    hold(ledger, units)
    ledger.record(Result(trial=units[0], state=State.FAILED, kind="error"))
    monitor = StageMonitor(ledger, launcher, "2")
    assert not monitor.poll().done
    ledger.record(Result(trial=units[1], state=State.COMPLETED, objectives={"score": 1.0}))
    assert monitor.poll().done


def test_a_look_that_waited_for_a_full_disk_is_not_waited_for_once_more(monkeypatch):
    clock, slept = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(monitors.time, "monotonic", lambda: clock.now)

    def poll():
        clock.now += 3600.0
        return Progress(len(slept) == 3, "0 of 1 results in, 1 job live")

    wait(poll, pytest.fail, sleep=slept.append)
    assert len(slept) == 3 and max(slept) <= 20.0
