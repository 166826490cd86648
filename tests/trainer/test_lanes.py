"""Lanes that claim, stepped under a clock of the test's own: a lane, and the monitor that sees that lanes live.

Each part is the real one but for the launcher, whose lanes live and die as the test says, and the clock.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.stages.conftest import Bench, outcome, units_of
from windtunnel.errors import LaunchError, UnavailableError
from windtunnel.host.machine import host, now
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.lanes import end_idle, end_other_sessions, lanes_for, record_unlaunched
from windtunnel.launchers.monitor import StageMonitor
from windtunnel.ledger import Job, Ledger, State
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.queue import open_queue, owed
from windtunnel.ledger.session import Session
from windtunnel.stages import choose_finalists, select, suggest
from windtunnel_trainer.lane import Lane


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Lanes(Launcher):
    """Lanes that live until the test ends them."""

    def __init__(self):
        self.alive, self.ended, self.may = set(), [], True
        self.reason = JobFailure("gone", "the host burnt down")

    def launch(self, ledger, job):
        if owed(ledger, job) and job.job not in self.alive:
            self.alive.add(job.job)
            ledger.begin_launch(job.job, host(), now())

    def live(self, ledger):
        return set(self.alive)

    def may_relaunch(self, ledger, job):
        return self.may

    def failure_reason(self, ledger, job):
        return self.reason

    def cancel(self, ledger, jobs=None):
        gone = self.alive if jobs is None else self.alive & set(jobs)
        self.ended += sorted(gone)
        self.alive -= gone


class Stage:
    """A search of two lanes whose first iteration is open, with six trials."""

    def __init__(self, bench, **limits):
        self.bench = bench
        self.clock, self.launcher = Clock(), Lanes()
        self.search = bench.begin(limits={"parallel": 2, "linger": 60} | limits)
        self.ledger, self.definition = self.search.ledger, self.search.definition
        self.plan = self.open(1)

    def open(self, k):
        plan = suggest(self.search, k)
        open_queue(self.ledger, plan.stage)
        return plan

    def launch(self, *numbers):
        """Launch these lanes, and step each."""
        for number in numbers:
            self.launcher.launch(self.ledger, Job.of_lane(1, number))
        return [self.lane(number) for number in numbers]

    def lane(self, number, launch=None, session=1):
        job = Job.of_lane(session, number)
        return Lane(self.ledger, job, launch or self.ledger.last_launch(job.job), self.definition, self.clock)

    def monitor(self, stage="1"):
        return StageMonitor(self.ledger, self.launcher, stage, self.clock)

    def end(self, lane, unit, failed=False):
        """Record a unit's result, as its process does."""
        request = self.ledger.request(unit)
        self.ledger.record(outcome(request, failed).model_copy(update={"seconds": 1.0}))
        lane.settle(unit)

    def wanted(self, monitor, looks=2):
        """What is to be launched after so many looks."""
        progress = None
        for _ in range(looks):
            progress = monitor.poll()
        return [job.job for job in progress.wanted]

    def holders(self):
        return {unit: claim.lane for unit, claim in Claims(self.ledger).listing().items() if not claim.released}


@pytest.fixture
def stage(tmp_path):
    return lambda **limits: Stage(Bench(tmp_path), **limits)


def names(*numbers, session=1):
    return [f"lane-{session}-{number}" for number in numbers]


# Claims


def test_lanes_share_a_stage_and_none_gets_what_another_has(stage):
    stage = stage()
    lanes = stage.launch(0, 1)
    taken = []
    while (unit := lanes[len(taken) % 2].next()) is not None:
        taken.append(unit)
        stage.end(lanes[(len(taken) - 1) % 2], unit)
    assert sorted(taken) == sorted(units_of(stage.plan))
    assert sorted(stage.holders().values()) == names(0) * 3 + names(1) * 3
    assert stage.monitor().poll().done


def test_a_unit_that_has_a_result_already_is_not_claimed(stage):
    stage = stage()
    known = units_of(stage.plan)[0]
    stage.ledger.record(outcome(stage.ledger.request(known)))
    (lane,) = stage.launch(0)
    taken = [lane.next() for _ in range(6)]
    assert None in taken and known not in taken and known not in stage.holders()


def test_the_slots_of_a_lane_claim_like_lanes(stage):
    stage = stage(slots=2)
    (lane,) = stage.launch(0)
    assert len({lane.next(), lane.next()}) == 2


def test_a_launch_that_is_not_the_latest_claims_nothing_more(stage):
    stage = stage()
    (lane,) = stage.launch(0)
    stage.end(lane, lane.next())
    stage.ledger.begin_launch("lane-1-0", host(), now())
    assert lane.next() is None and lane.done()


def test_a_lane_of_an_older_session_claims_nothing_more(stage):
    stage = stage()
    (lane,) = stage.launch(0)
    stage.bench.begin(session="s2", limits={"parallel": 2})
    assert lane.next() is None and lane.done()


@pytest.mark.parametrize("refused", ["before", "after"])
@pytest.mark.parametrize("name", ["claims/", "results/"])
def test_a_store_that_refuses_in_the_midst_of_a_claim_costs_no_unit(stage, monkeypatch, name, refused):
    stage = stage()
    mate, lane = stage.launch(0, 1)
    held = mate.next()
    methods = {"claims/": "create", "results/": "stat"}
    work, left = getattr(stage.ledger.store, methods[name]), [False, True]

    def refusing(path, *arguments):
        done = work(path, *arguments) if refused == "after" and name == "claims/" else None
        if name in path and left.pop():
            raise UnavailableError("no space left")
        return work(path, *arguments) if done is None else done

    lane.next()
    monkeypatch.setattr(stage.ledger.store, methods[name], refusing)
    taken = []
    with pytest.raises(UnavailableError):
        taken.append(lane.next())
    monkeypatch.undo()
    while (unit := lane.next()) is not None:
        taken.append(unit)
        stage.end(lane, unit)
    assert len(set(taken)) == len(taken) == 4 and held not in taken


@pytest.mark.parametrize("name", ["claims/{}.1.json", "claims/{}.1.released.json", "trials/{}/attempts/1.json"])
def test_a_folder_in_the_place_of_a_claim_or_a_start_lets_nobody_wait(stage, name):
    stage = stage(parallel=1)
    first, *_ = units_of(stage.plan)
    if "released" in name:
        Claims(stage.ledger).take(first, "lane-9-9", 1)
    (Path(stage.ledger.url) / name.format(first)).mkdir(parents=True)
    (lane,) = stage.launch(0)
    monitor, taken = stage.monitor(), set()
    for _ in range(20):
        unit = lane.next()
        if unit is not None:
            taken.add(unit)
            stage.ledger.begin_attempt(unit, "lane-1-0", host(), now())
            stage.end(lane, unit)
        stage.clock.now += 20
        if (progress := monitor.poll()).done:
            break
    assert progress.done and taken == set(units_of(stage.plan))


def test_a_folder_in_the_place_of_a_result_counts_as_a_failure_that_names_it(stage):
    stage = stage(parallel=1)
    first, *_ = units_of(stage.plan)
    folder = Path(stage.ledger.url) / f"results/{first}.json"
    folder.mkdir(parents=True)
    (lane,) = stage.launch(0)
    for _ in range(12):
        if (unit := lane.next()) is not None:
            assert unit != first
            stage.end(lane, unit)
    progress = stage.monitor().poll()
    assert progress.done and ", 1 failed, " in progress.message
    for result in (stage.ledger.outcomes()[first], stage.ledger.outcome(first), stage.ledger.result(first)):
        assert (result.kind, result.state) == ("unreadable", State.FAILED)
        assert f"{folder}: a folder, or what is no file, stands in its place; move it away" in result.message


# Sessions


def test_a_new_session_ends_older_lanes_and_releases_what_they_held(stage):
    stage = stage()
    held = [lane.next() for lane in stage.launch(0, 1)]
    again = stage.bench.begin(session="s2", limits={"parallel": 2})
    end_other_sessions(again.ledger, stage.launcher)
    assert stage.launcher.ended == names(0, 1)
    assert stage.holders() == {}
    stage.ledger = again.ledger
    open_queue(again.ledger, suggest(again, 1).stage)
    lane = stage.lane(0, 1, session=2)
    taken = [lane.next() for _ in range(6)]
    assert set(held) < set(taken) and set(stage.holders().values()) == {"lane-2-0"}


# Lanes that are gone


def test_a_lane_that_starts_anew_goes_on_with_what_it_held(stage):
    stage = stage(slots=2)
    (lane,) = stage.launch(0)
    held = {lane.next(), lane.next()}
    stage.launcher.alive.clear()
    (again,) = stage.launch(0)
    assert {again.next(), again.next()} == held
    assert again.next() not in held


def test_a_lane_that_is_gone_for_good_releases_what_it_held_and_fails_nothing(stage):
    stage = stage(trial_retries=0)
    first, second = stage.launch(0, 1)
    held = first.next()
    stage.launcher.alive.discard("lane-1-0")
    stage.launcher.may = False
    monitor = stage.monitor()
    assert stage.wanted(monitor) == []
    assert held not in stage.holders() and stage.ledger.outcomes() == {}
    taken = [second.next() for _ in range(6)]
    assert held in taken, "the other lane does it"


def test_where_no_lane_is_left_the_open_trials_have_failed_at_once(stage):
    stage = stage(pending=3600)
    for number in (0, 1):
        record_unlaunched(stage.ledger, Job.of_lane(1, number), LaunchError("no such queue"))
    monitor = stage.monitor()
    monitor.poll()
    assert monitor.poll().done
    assert {(one.kind, one.message) for one in stage.ledger.outcomes().values()} == {("launch_failed", "no such queue")}


def test_waiting_for_lanes_that_were_cancelled_is_an_error_and_no_failure_of_trials(stage):
    stage = stage()
    stage.launch(0, 1)
    stage.launcher.alive.clear()
    stage.launcher.may, stage.launcher.reason = False, JobFailure("cancelled", "job lane-1-0 was cancelled")
    monitor = stage.monitor()
    monitor.poll()
    with pytest.raises(LaunchError, match="cancelled while its results are awaited"):
        monitor.poll()
    assert stage.ledger.outcomes() == {}


# Lost wake-ups


def test_a_lane_that_ended_just_before_there_was_work_is_launched_again(stage):
    stage = stage()
    lanes = stage.launch(0, 1)
    while (unit := lanes[0].next()) is not None:
        stage.end(lanes[0], unit)
    select(stage.search, 1)
    stage.clock.now += 61
    assert lanes[0].next() is None and lanes[0].done()
    stage.open(2)  # `launch` found the lanes alive
    monitor = stage.monitor("2")
    assert stage.wanted(monitor) == []
    stage.launcher.alive.clear()  # and then they ended
    assert stage.wanted(monitor) == names(0, 1)


def test_no_more_lanes_are_wanted_than_trials_are_open(stage):
    stage = stage()
    (lane,) = stage.launch(0)
    for _ in range(5):
        stage.end(lane, lane.next())
    assert stage.wanted(stage.monitor()) == []
    assert [job.job for job in lanes_for(stage.ledger, stage.definition, stage.plan)] == names(0)


# Whoever looks launches nothing


def test_the_monitor_launches_nothing_and_says_what_is_to_be_launched(stage):
    stage = stage()
    monitor = stage.monitor()
    monitor.poll()
    progress = monitor.poll()
    assert [job.job for job in progress.wanted] == names(0, 1)
    assert "lane-1-0, lane-1-1 to be launched again" in progress.message
    assert stage.launcher.alive == set() and stage.ledger.last_launch("lane-1-0") == 0


# Counting


def test_launches_are_counted_since_the_last_claim_or_result(stage):
    stage = stage(trial_retries=1, parallel=1)
    monitor = stage.monitor()
    for _ in range(2):  # twice as many as may be futile, but each time the lane comes to something
        for _ in range(2):
            stage.launcher.alive.clear()
            assert stage.wanted(monitor) == names(0)
            stage.launch(0)
        (lane,) = stage.launch(0)
        stage.end(lane, lane.next())
    for _ in range(3):
        stage.launcher.alive.clear()
        assert stage.wanted(monitor) == names(0)
        stage.launch(0)
    assert stage.ledger.last_launch("lane-1-0") == 7
    stage.launch(0)
    stage.launcher.alive.clear()
    while not (progress := monitor.poll()).done:
        for job in progress.wanted:
            stage.launcher.launch(stage.ledger, job)
        stage.launcher.alive.clear()
    states = [one.state for one in stage.ledger.outcomes().values()]
    assert (states.count(State.COMPLETED), states.count(State.FAILED)) == (2, 4)


# Time


def test_after_its_time_a_lane_claims_no_more_and_is_replaced(stage):
    stage = stage(job_time=100, parallel=1)
    (lane,) = stage.launch(0)
    unit = lane.next()
    stage.clock.now = 101
    assert lane.next() is None
    stage.end(lane, unit)  # what runs is not cut short
    assert lane.done()
    stage.launcher.alive.clear()
    assert stage.wanted(stage.monitor()) == names(0)


def test_a_start_that_is_much_older_than_a_trial_may_take_hangs_and_its_lane_is_replaced(stage):
    stage = stage(trial_time=10, parallel=1)
    (lane,) = stage.launch(0)
    unit = lane.next()
    stage.ledger.begin_first_attempt(unit, "lane-1-0", host(), now())
    monitor = stage.monitor()
    assert stage.wanted(monitor) == []
    for _ in range(6):
        stage.clock.now += 50
        assert stage.wanted(monitor) == [] and stage.launcher.ended == []
    stage.clock.now += 50
    assert stage.wanted(monitor, looks=1) == names(0)
    assert stage.launcher.ended == names(0)
    assert stage.ledger.attempts(unit)[-1].kind == "timeout"
    assert stage.holders()[unit] == "lane-1-0", "it goes on with it"


def test_the_time_in_which_a_full_disk_lets_nobody_look_does_not_make_a_trial_hang(stage):
    stage = stage(trial_time=10, parallel=1)
    (lane,) = stage.launch(0)
    stage.ledger.begin_first_attempt(lane.next(), "lane-1-0", host(), now())
    monitor = stage.monitor()
    assert stage.wanted(monitor) == []
    stage.clock.now += 10_000  # the monitor waited in its heartbeat, and the trial in its report
    assert stage.wanted(monitor) == [] and stage.launcher.ended == []


# Rungs and stages


def test_the_stage_of_a_trial_says_how_long_it_may_take(stage):
    stage = stage(trial_time=10)
    (lane,) = stage.launch(0)
    unit = lane.next()
    assert lane.trial_time(unit) == 10
    while unit is not None:
        stage.end(lane, unit)
        unit = lane.next()
    select(stage.search, 1)
    plan = choose_finalists(stage.search)
    open_queue(stage.ledger, plan.stage)
    stage.clock.now += 10
    assert lane.trial_time(lane.next()) == 40  # four times the epochs


def test_nothing_of_an_iteration_is_begun_any_more_once_finalists_train(stage):
    stage = stage()
    (lane,) = stage.launch(0)
    for _ in range(3):
        stage.end(lane, lane.next())
    select(stage.search, 1)
    plan = choose_finalists(stage.search)
    taken = lane.next()
    assert taken in units_of(stage.plan), "a person has not approved them yet"
    stage.end(lane, taken)
    open_queue(stage.ledger, plan.stage)
    rest = [unit for unit in (lane.next() for _ in range(9)) if unit is not None]
    assert sorted(rest) == sorted(units_of(plan))


def finalists(stage, *stragglers):
    """End all but the stragglers, select, and open the full training."""
    for unit in units_of(stage.plan):
        if unit not in stragglers:
            stage.ledger.record(outcome(stage.ledger.request(unit)))
    select(stage.search, 1)
    plan = choose_finalists(stage.search)
    open_queue(stage.ledger, plan.stage)
    return plan


def without_first_lane(stage):
    """Lose the lane of a straggler as finalists train: the other lane, the straggler, the full training's plan."""
    first, second = stage.launch(0, 1)
    straggler = first.next()
    plan = finalists(stage, straggler)
    stage.launcher.alive.discard("lane-1-0")
    return second, straggler, plan


def test_a_lane_that_starts_anew_while_finalists_train_ends_its_straggler(stage):
    stage = stage()
    second, straggler, plan = without_first_lane(stage)
    assert [job.job for job in lanes_for(stage.ledger, stage.definition, plan)] == names(0, 1)
    (again,) = stage.launch(0)
    assert again.next() == straggler
    assert second.next() in units_of(plan)


def test_a_straggler_is_ended_before_the_search_though_only_its_lane_is_missing(stage):
    stage = stage()
    second, straggler, plan = without_first_lane(stage)
    for _ in units_of(plan):
        stage.end(second, second.next())
    monitor = stage.monitor(plan.stage)
    assert stage.wanted(monitor) == names(0)
    (again,) = stage.launch(0)
    assert again.next() == straggler
    progress = monitor.poll()
    assert not progress.done and progress.message.endswith("1 late from before")
    stage.end(again, straggler)
    assert monitor.poll().done


def test_a_straggler_goes_on_in_a_session_that_begins_while_finalists_train(stage):
    stage = stage()
    (first,) = stage.launch(0)
    straggler = first.next()
    plan = finalists(stage, straggler)
    again = stage.bench.begin(session="s2", limits={"parallel": 2, "linger": 60})
    end_other_sessions(again.ledger, stage.launcher)
    assert stage.holders() == {}
    stage.ledger = again.ledger
    open_queue(again.ledger, plan.stage)
    lane = stage.lane(0, 1, session=2)
    *taken, last = [lane.next() for _ in range(1 + len(plan.units))]
    assert sorted(taken) == sorted(plan.units), "finalists come first"
    assert last == straggler and lane.next() is None
    for unit in plan.units:
        stage.end(lane, unit)
    assert not stage.monitor(plan.stage).poll().done
    assert owed(stage.ledger, Job.of_lane(2, 0)) == [straggler]
    stage.end(lane, straggler)
    assert stage.monitor(plan.stage).poll().done


def test_a_straggler_is_claimed_by_another_lane_where_its_own_is_given_up_while_finalists_train(stage):
    stage = stage()
    first, second = stage.launch(0, 1)
    straggler = first.next()
    plan = finalists(stage, straggler)
    second.next()  # it knows the full training
    Claims(stage.ledger).release(Claims(stage.ledger).listing()[straggler])
    taken = {second.next() for _ in plan.units}
    assert straggler in taken


@pytest.mark.parametrize("late", [0.0, 9.0])
def test_so_is_one_whose_claim_came_as_the_full_training_opened(stage, late):
    """Of what nobody had claimed by then nothing is begun, so a lane that saw no claim does not know of it."""
    stage = stage()
    (lane,) = stage.launch(1)
    straggler = units_of(stage.plan)[0]
    for _ in units_of(finalists(stage, straggler)):
        stage.end(lane, lane.next())
    end = stage.clock.now + late
    while stage.clock.now < end:
        assert lane.next() is None
        stage.clock.now += 0.5
    Claims(stage.ledger).release(Claims(stage.ledger).take(straggler, "lane-1-0", 1, None))
    while (taken := lane.next()) is None and not lane.done():
        stage.clock.now += 0.5
    assert taken == straggler


def test_a_lane_looks_through_all_claims_ever_more_rarely_while_finalists_train(stage, monkeypatch):
    stage = stage()
    (lane,) = stage.launch(1)
    for _ in units_of(finalists(stage)):
        stage.end(lane, lane.next())
    looks, listing = [], Claims.listing
    monkeypatch.setattr(Claims, "listing", lambda claims: looks.append(stage.clock.now) or listing(claims))
    while not lane.done():
        assert lane.next() is None
        stage.clock.now += 0.5
    assert 2 <= len(looks) < 12


def test_a_straggler_is_not_waited_for_once_the_searchs_time_is_used_up(stage, monkeypatch):
    stage = stage(search_time=1000)
    first, second = stage.launch(0, 1)
    plan = finalists(stage, first.next())
    for _ in units_of(plan):
        stage.end(second, second.next())
    monkeypatch.setattr(Session, "seconds_left", lambda *_: 10.0)
    monitor = stage.monitor(plan.stage)
    assert not monitor.poll().done
    stage.clock.now += 11
    assert monitor.poll().done


def test_the_time_in_which_a_monitor_reads_the_run_does_not_end_the_search_early(stage, monkeypatch):
    stage = stage(search_time=1000)
    monkeypatch.setattr(Session, "seconds_left", lambda *_: 10.0)
    sessions = Ledger.sessions

    def slow(ledger):
        stage.clock.now += 100
        return sessions(ledger)

    monkeypatch.setattr(Ledger, "sessions", slow)
    monitor = stage.monitor()
    monkeypatch.setattr(Ledger, "sessions", sessions)
    stage.clock.now += 9
    assert not monitor.poll().done
    stage.clock.now += 2
    assert monitor.poll().done


def test_no_lane_is_wanted_for_what_another_one_holds(stage):
    stage = stage(slots=2)
    (first,) = stage.launch(0)
    stragglers = {first.next(), first.next()}
    plan = finalists(stage, *stragglers)
    for unit in units_of(plan):
        stage.ledger.record(outcome(stage.ledger.request(unit)))
    assert [job.job for job in lanes_for(stage.ledger, stage.definition, plan)] == names(0)
    assert stage.wanted(stage.monitor(plan.stage)) == []


def test_what_the_end_of_a_searchs_time_cut_short_is_not_gone_on_with_while_finalists_train(stage, monkeypatch):
    stage = stage(search_time=1000)
    (first,) = stage.launch(0)
    cut_short = first.next()
    monkeypatch.setattr(Session, "seconds_left", lambda *_: 0.0)
    monitor = stage.monitor()
    stage.clock.now = 1
    assert monitor.poll().done
    assert stage.holders() == {}
    plan = finalists(stage, cut_short)
    (again,) = stage.launch(0)
    assert again.next() in units_of(plan)


# Lingering


def test_a_lane_without_work_lingers_and_ends(stage):
    stage = stage(linger=60)
    (lane,) = stage.launch(0)
    while (unit := lane.next()) is not None:
        stage.end(lane, unit)
    stage.clock.now += 59
    assert lane.next() is None and not lane.done()
    stage.clock.now += 2
    assert lane.done()


def test_a_lane_looks_for_work_before_it_ends_however_long_its_imports_take(stage):
    stage = stage(linger=60)
    lane = stage.lane(0)
    stage.clock.now += 100
    assert not lane.done()
    assert lane.next() == stage.plan.requests[0].trial


def test_a_lane_that_lingers_takes_up_the_next_iteration(stage):
    stage = stage(linger=60)
    (lane,) = stage.launch(0)
    while (unit := lane.next()) is not None:
        stage.end(lane, unit)
    select(stage.search, 1)
    stage.clock.now += 30
    assert lane.next() is None
    plan = stage.open(2)
    stage.clock.now += 3
    assert lane.next() in units_of(plan)
    stage.clock.now += 45
    assert not lane.done()


def test_lanes_without_work_end_before_a_person_is_waited_for_and_others_do_not(stage):
    stage = stage()
    first, _ = stage.launch(0, 1)
    held = first.next()
    end_idle(stage.ledger, stage.launcher)
    assert stage.launcher.ended == names(1)
    stage.end(first, held)
    end_idle(stage.ledger, stage.launcher)
    assert stage.launcher.ended == names(1, 0)


def test_the_end_of_a_searchs_time_ends_lanes_that_linger_too(stage, monkeypatch):
    stage = stage(search_time=1000)
    first, _ = stage.launch(0, 1)
    first.next()
    monkeypatch.setattr(Session, "seconds_left", lambda *_: 10.0)
    monitor = stage.monitor()
    assert not monitor.poll().done
    stage.clock.now = 11
    assert monitor.poll().done
    assert stage.launcher.ended == names(0, 1)


# Memory


def test_a_lane_remembers_nothing_of_what_is_settled(stage):
    stage = stage()
    lanes = stage.launch(0, 1)
    for lane in lanes * 3:
        stage.end(lane, lane.next())
    for lane in lanes:
        stage.clock.now += 60
        assert lane.next() is None
        assert (lane._held, lane._queue, list(lane._others), list(lane._goes_on)) == ({}, [], [], [])


# Processes

CUDA = """
import os, sys, types
from pathlib import Path

class Cuda(types.ModuleType):
    def __getattr__(self, name):
        with open(sys.argv[1] + "/touched", "a") as file:
            file.write(f"{os.getpid()} {name}\\n")
        return lambda: False

sys.modules["torch.cuda"] = Cuda("torch.cuda")
from itertools import count
from tests.core.stages.conftest import Bench, outcome
from tests.trainer.test_lanes import Stage
from windtunnel.ledger import Job
from windtunnel_trainer.supervisor import Supervisor

def train(ledger, job, unit, attempt, log):
    sys.modules["torch.cuda"].init()
    ledger.record(outcome(ledger.request(unit)))

stage = Stage(Bench(Path(sys.argv[1])))
lane = Job.of_lane(1, 0)
stage.launcher.launch(stage.ledger, lane)
stage.clock = count(step=30).__next__
print(os.getpid(), Supervisor(stage.ledger, lane, stage.definition.limits, train, stage.lane(0)).run())
"""


@pytest.mark.slow
def test_a_lane_leaves_cuda_to_its_trials(tmp_path):
    """What has used CUDA cannot fork processes that do."""
    done = subprocess.run([sys.executable, "-c", CUDA, str(tmp_path)], check=True, capture_output=True, text=True)
    lane, code = done.stdout.split()[-2:]
    touched = [line.split() for line in (tmp_path / "touched").read_text().splitlines()]
    assert code == "0" and lane not in {process for process, _ in touched}
    assert [name for _, name in touched] == ["init"] * 6 and len({process for process, _ in touched}) == 6
