"""The monitor: lanes that are gone are launched again and lose what they held; thresholds end a run."""

import pytest

from tests.fleets import fall_short, fleet_from, prepared, succeed
from windtunnel.definition import fleet_of
from windtunnel.errors import LaunchError, LedgerError, UnavailableError
from windtunnel.fleet import monitor as monitor_module
from windtunnel.fleet.beginning import RUN, begin, lanes
from windtunnel.fleet.monitor import FleetMonitor
from windtunnel.fleet.planning import plan as plan_of
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import FleetPlan, batch_name, fix_plan, result_of
from windtunnel.fleet.split import split
from windtunnel.host.machine import now
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.lanes import record_unlaunched
from windtunnel.ledger import Ledger
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.failures import record_failure
from windtunnel.stores import open_store

COUNTS = ("error_threshold", "mini_batch_error_threshold")


class Lanes(Launcher):
    """Lanes that live as the test says."""

    def __init__(self):
        self.living, self.launched, self.reason, self.hopeful = set(), [], "gone", True

    def launch(self, ledger, job):
        ledger.begin_launch(job.job, "here", now())
        self.launched.append(job.job)

    def live(self, ledger):
        return set(self.living)

    def may_relaunch(self, ledger, job):
        return self.hopeful and self.reason != "cancelled"

    def failure_reason(self, ledger, job):
        return JobFailure(self.reason, f"job {job.job} is gone", "its last words")

    def cancel(self, ledger, jobs=None):
        self.living -= set(jobs if jobs is not None else self.living)


@pytest.fixture
def watch(tmp_path):
    def make(**fields):
        fleet = fleet_from(tmp_path, split={"rows": 1}, limits={"parallel": 2}, **fields)
        ledger, _, plan = prepared(tmp_path, fleet)
        jobs, launcher = lanes(ledger, fleet, plan), Lanes()
        for job in jobs:
            ledger.begin_launch(job.job, "here", now())
        launcher.living = {job.job for job in jobs}
        return ledger, plan, jobs, launcher, FleetMonitor(ledger, fleet, plan, jobs, launcher)

    return make


def look(ledger, launcher, monitor, times=1):
    """Look so many times, and launch what is wanted each time."""
    for _ in range(times):
        progress = monitor.poll()
        for job in progress.wanted:
            launcher.launch(ledger, job)
        if progress.done:
            break
    return progress


def test_a_run_is_done_when_every_mini_batch_has_a_result(watch):
    ledger, plan, _, _, monitor = watch()
    for number in range(4):
        succeed(ledger, plan, number)
    progress = monitor.poll()
    assert not progress.done
    assert progress.message == "4 of 5 partitions trained, 2 lanes live"
    succeed(ledger, plan, 4)
    assert monitor.poll().done
    assert ledger.result(RUN).metrics["batches_done"] == 5
    assert monitor.poll().done


def test_a_lost_lane_is_wanted_and_what_it_held_goes_elsewhere(watch):
    ledger, plan, jobs, launcher, monitor = watch()
    Queue(ledger, plan, jobs[0], 2, 1).next()
    launcher.living = {"lane-1-1"}
    assert monitor.poll().wanted == ()
    progress = monitor.poll()
    assert (progress.wanted, launcher.launched) == ((jobs[0],), [])  # whoever waits launches it
    assert progress.message.endswith("lane-1-0 to be launched again")
    assert Claims(ledger).listing()[batch_name(0)].released


def test_no_more_lanes_are_wanted_than_are_of_use(watch):
    ledger, plan, _, launcher, monitor = watch()
    for number in range(4):
        succeed(ledger, plan, number)
    launcher.living = {"lane-1-1"}  # it has the last one
    assert look(ledger, launcher, monitor, 3).wanted == ()
    assert launcher.launched == []


@pytest.mark.parametrize("anew", [False, True])
def test_lanes_that_always_die_are_given_up_and_what_is_left_has_failed(watch, anew):
    ledger, plan, jobs, launcher, monitor = watch(retry_settings={"max_retries": 2})
    succeed(ledger, plan, 0)
    launcher.living = set()
    for _ in range(60):
        progress = look(ledger, launcher, monitor, 2)
        if progress.done:
            break
        if anew:  # as under Airflow, where each launch is a new wait
            monitor = FleetMonitor(ledger, fleet_of(ledger), plan, jobs, launcher)
    assert look(ledger, launcher, monitor).done
    assert 1 < launcher.launched.count("lane-1-0") < 10
    lost = result_of(ledger, batch_name(4))
    assert (lost.kind, lost.message, lost.log_tail) == ("gone", "job lane-1-0 is gone", "its last words")
    assert result_of(ledger, batch_name(0)).state == "completed"


def test_a_run_whose_lanes_never_begin_anything_has_failed_whatever_the_thresholds(watch):
    ledger, _, _, launcher, monitor = watch()
    launcher.living = set()
    for _ in range(60):
        if (progress := look(ledger, launcher, monitor, 2)).done:
            break
    assert progress.done
    assert progress.failure == "no lane came so far as to begin a mini-batch: job lane-1-0 is gone"
    assert result_of(ledger, batch_name(4)).kind == "gone"


@pytest.mark.parametrize("n", [1, 3])
def test_it_has_failed_too_where_whoever_gives_up_dies_meanwhile(watch, monkeypatch, n):
    ledger, plan, jobs, launcher, monitor = watch()
    launcher.living = set()
    fail, given_up = monitor_module.fail, []

    def dies_after_some(*arguments, **facts):
        if len(given_up) == n:
            raise UnavailableError("the store is away")
        given_up.append(arguments)
        return fail(*arguments, **facts)

    with monkeypatch.context() as patched, pytest.raises(UnavailableError):
        patched.setattr(monitor_module, "fail", dies_after_some)
        look(ledger, launcher, monitor, 60)
    progress = look(ledger, launcher, FleetMonitor(ledger, fleet_of(ledger), plan, jobs, launcher), 60)
    assert progress.done
    assert progress.failure == "no lane came so far as to begin a mini-batch: job lane-1-0 is gone"
    assert ledger.result(RUN).state == "failed"


def test_a_lane_that_cannot_be_launched_leaves_its_work_to_the_others(watch):
    ledger, plan, jobs, launcher, monitor = watch()
    Queue(ledger, plan, jobs[0], 2, 1).next()
    launcher.living = {"lane-1-1"}
    record_unlaunched(ledger, jobs[0], LaunchError("no room"))
    assert look(ledger, launcher, monitor, 3).wanted == ()
    assert Claims(ledger).listing()[batch_name(0)].released
    assert result_of(ledger, batch_name(0)) is None


def test_a_session_that_was_overtaken_neither_plans_nor_waits_nor_claims(watch, tmp_path):
    ledger, plan, jobs, _, monitor = watch()
    queue = Queue(ledger, plan, jobs[0], 2, 1, clock=iter([0.0, 0.0, 0.5, 5.0, 5.0]).__next__)
    assert queue.next() is not None
    later = begin(fleet_of(ledger), ledger, "later")
    assert later.turn.number == 2
    assert lanes(later, fleet_of(later), plan)[0].job == "lane-2-0"
    with pytest.raises(LedgerError, match="session 2 took over this run"):
        monitor.poll()
    with pytest.raises(LedgerError, match="session 2 took over this run"):
        fix_plan(ledger, plan)
    assert queue.next() is not None  # it looks now and then
    assert (queue.next(), queue.ended) == (None, "a later session has begun")


def test_a_session_waits_for_none_that_still_beats(watch):
    ledger, *_ = watch()

    def beat(seconds):
        ledger.turn.beat()

    with pytest.raises(LedgerError, match="session still works on"):
        begin(fleet_of(ledger), ledger, "other", lambda session: None, sleep=beat)
    assert begin(fleet_of(ledger), ledger, "other", lambda session: None, sleep=lambda seconds: None).turn.number == 2


def test_a_plan_of_a_session_that_was_overtaken_is_replaced(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger = begin(fleet, Ledger(open_store(str(tmp_path / "runs")), "toy", "run"), "first")
    partitions = split(ledger, fleet)
    half_written = FleetPlan(basis="old", batches=((0,),), session=1)
    ledger.store.create(ledger.path("plan.json"), half_written.to_bytes(), {"session": "1"})
    later = begin(fleet, ledger, "later")
    assert plan_of(later, fleet, partitions).batches == ((0,), (1,), (2,))
    with pytest.raises(LedgerError, match="session 2 took over this run"):
        plan_of(ledger, fleet, partitions)


def test_a_threshold_ends_the_run_at_once(watch):
    ledger, plan, _, launcher, monitor = watch(mini_batch_error_threshold=0)
    fall_short(ledger, plan, 2)
    progress = monitor.poll()
    assert progress.done
    assert progress.failure == "1 mini-batch failed; mini_batch_error_threshold allows 0"
    assert launcher.living == set()
    assert ledger.result(RUN).state == "failed"


FAILED = 3  # of five mini-batches of one item
EDGES = [
    *(({name: most}, 0 <= most < FAILED) for name in COUNTS for most in (-1, 0, 1, FAILED - 1, FAILED, FAILED + 1)),
    *(({"allowed_failed_percent": most}, most < 60) for most in (0, 50, 59.9, 60, 60.1, 100)),
    ({"error_threshold": FAILED, "mini_batch_error_threshold": FAILED - 1}, True),  # each for itself
    ({"error_threshold": -1, "mini_batch_error_threshold": -1, "allowed_failed_percent": 40}, True),
]


@pytest.mark.parametrize(("thresholds", "fails"), EDGES, ids=str)
def test_a_run_fails_once_a_threshold_is_gone_beyond_and_not_before(watch, thresholds, fails):
    ledger, plan, _, _, monitor = watch(**thresholds)
    for number in range(FAILED - 1):
        fall_short(ledger, plan, number)
    assert bool(monitor.poll().failure) == any(0 <= most < FAILED - 1 for most in counts(thresholds))
    fall_short(ledger, plan, FAILED - 1)
    assert bool(monitor.poll().failure) == fails
    for number in range(FAILED, 5):
        succeed(ledger, plan, number)
    progress = monitor.poll()
    assert (progress.done, bool(progress.failure)) == (True, fails)
    assert ledger.result(RUN).state == ("failed" if fails else "completed")
    assert list(thresholds)[-1] in progress.failure or not fails


def counts(thresholds):
    """Thresholds as counts of mini-batches, of which there are five."""
    return [most / 20 if "percent" in name else most for name, most in thresholds.items()]


def test_a_run_whose_entry_cannot_begin_has_failed(watch):
    ledger, _, _, _, monitor = watch()
    record_failure(ledger, RUN, "error", "no process came through its init")
    progress = monitor.poll()
    assert progress.done
    assert progress.failure == "no process came through its init"


def test_a_lane_that_was_cancelled_is_told_of(watch):
    _, _, _, launcher, monitor = watch()
    launcher.living, launcher.reason = set(), "cancelled"
    monitor.poll()
    with pytest.raises(LaunchError, match="launch it again to go on"):
        monitor.poll()


def test_a_poll_is_a_few_listings_however_many_partitions_there_are(watch, monkeypatch):
    ledger, _, _, _, monitor = watch()
    listed = []
    kind = type(ledger.store)
    listing = kind.list
    monkeypatch.setattr(kind, "list", lambda self, prefix="": listed.append(prefix) or listing(self, prefix))
    monitor.poll()
    assert len(listed) <= 3


def test_a_result_that_cannot_be_read_counts_as_failed(watch):
    ledger, plan, _, _, monitor = watch()
    for number in range(5):
        succeed(ledger, plan, number)
    ledger.store.put(ledger.path(f"results/{batch_name(2)}.json"), b'{"batch": ')
    assert monitor.poll().message == "4 of 5 partitions trained, 1 failed, 2 lanes live"
    assert "b000002.json" in result_of(ledger, batch_name(2)).message
