"""The monitor: lanes that are gone are launched again and lose what they held; thresholds end a run."""

import pytest

from tests.fleets import fall_short, fleet_from, prepared, succeed
from windtunnel.errors import LaunchError, UnavailableError
from windtunnel.fleet.beginning import RUN, lanes
from windtunnel.fleet.monitor import FleetMonitor
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import batch_name, result_of
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.failures import record_failure


class Lanes(Launcher):
    """Lanes that live as the test says."""

    def __init__(self):
        self.living, self.launched, self.reason = set(), [], "gone"

    def launch(self, ledger, job):
        self.launched.append(job.job)

    def live(self, ledger):
        return set(self.living)

    def may_relaunch(self, ledger, job):
        raise AssertionError

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
        launcher.living = {job.job for job in jobs}
        return ledger, plan, jobs, launcher, FleetMonitor(ledger, fleet, plan, jobs, launcher)

    return make


def test_a_run_is_done_when_every_mini_batch_has_a_result(watch):
    ledger, plan, _, _, monitor = watch()
    for number in range(4):
        succeed(ledger, plan, number)
    progress = monitor.poll()
    assert (progress.done, progress.live) == (False, 2)
    assert progress.message == "4 of 5 partitions trained, 2 lanes live"
    succeed(ledger, plan, 4)
    assert monitor.poll().done
    assert ledger.result(RUN).metrics["batches_done"] == 5
    assert monitor.poll().done


def test_a_lost_lane_is_launched_again_and_what_it_held_goes_elsewhere(watch):
    ledger, plan, jobs, launcher, monitor = watch()
    Queue(ledger, plan, jobs[0], 2, 1).next()
    launcher.living = {"lane-1"}
    monitor.poll()
    assert launcher.launched == []
    monitor.poll()
    assert launcher.launched == ["lane-0"]
    assert Claims(ledger).listing()[batch_name(0)].released


def test_no_more_lanes_are_launched_than_are_of_use(watch):
    ledger, plan, _, launcher, monitor = watch()
    for number in range(4):
        succeed(ledger, plan, number)
    launcher.living = {"lane-1"}  # it has the last one
    monitor.poll()
    monitor.poll()
    assert launcher.launched == []


def test_lanes_that_always_die_are_given_up_and_what_is_left_has_failed(watch):
    ledger, plan, _, launcher, monitor = watch()
    succeed(ledger, plan, 0)
    launcher.living = set()
    for _ in range(100):
        progress = monitor.poll()
        if progress.done:
            break
    assert progress.done
    assert launcher.launched.count("lane-0") == 10
    lost = result_of(ledger, batch_name(4))
    assert (lost.kind, lost.message, lost.log_tail) == ("gone", "job lane-0 is gone", "its last words")
    assert result_of(ledger, batch_name(0)).state == "completed"


def test_launches_count_anew_once_something_has_ended(watch):
    ledger, plan, _, launcher, monitor = watch()
    launcher.living = set()
    for number in range(4):
        for _ in range(5):
            monitor.poll()
        succeed(ledger, plan, number)
    assert len(launcher.launched) > 6
    assert result_of(ledger, batch_name(4)) is None


def test_a_threshold_ends_the_run_at_once(watch):
    ledger, plan, _, launcher, monitor = watch(mini_batch_error_threshold=0)
    fall_short(ledger, plan, 2)
    progress = monitor.poll()
    assert progress.done
    assert progress.failure == "1 mini-batches failed; mini_batch_error_threshold allows 0"
    assert launcher.living == set()
    assert ledger.result(RUN).state == "failed"


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


def test_what_is_claimed_by_nobody_knows_whom_goes_to_a_lane_that_is_launched_again(watch):
    ledger, plan, jobs, launcher, monitor = watch()
    Queue(ledger, plan, jobs[0], 2, 1).next()
    ledger.store.put(ledger.path(f"claims/{batch_name(0)}.1.json"), b"{")
    launcher.living = {"lane-0"}
    monitor.poll()
    monitor.poll()
    assert Claims(ledger).listing()[batch_name(0)].released


def test_a_result_that_cannot_be_read_counts_as_failed(watch):
    ledger, plan, _, _, monitor = watch()
    for number in range(5):
        succeed(ledger, plan, number)
    ledger.store.put(ledger.path(f"results/{batch_name(2)}.json"), b'{"batch": ')
    assert monitor.poll().message == "4 of 5 partitions trained, 1 failed, 2 lanes live"
    assert "b000002.json" in result_of(ledger, batch_name(2)).message


def test_a_store_that_takes_no_writes_is_told_of_though_polls_only_read(watch, monkeypatch):
    ledger, plan, jobs, launcher, monitor = watch()
    moments = iter([0.0, 5.0, 20.0, 20.0])
    monitor = FleetMonitor(ledger, monitor._fleet, plan, jobs, launcher, lambda: next(moments))

    def full(*_, **__):
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(type(ledger.store), "put", full)
    monitor.poll()
    with pytest.raises(UnavailableError, match="the disk is full"):
        monitor.poll()
