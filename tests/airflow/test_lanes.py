"""What Airflow's tasks do with lanes, each called as Airflow calls it."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from tests.core.stages.conftest import Bench, outcome
from windtunnel.host.machine import host, now
from windtunnel.launchers.base import Launcher
from windtunnel.launchers.lanes import lanes_for
from windtunnel.launchers.monitor import Progress
from windtunnel.ledger import Job
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.queue import open_queue
from windtunnel.stages import choose_finalists, select, suggest


@pytest.fixture
def search(tmp_path):
    """A continuous search of two lanes, whose only iteration is open."""
    search = Bench(tmp_path).begin(iterations=1, continuous=True, limits={"parallel": 2})
    open_queue(search.ledger, suggest(search, 1).stage)
    return search


class Remembering(Launcher):
    """Remembers what it launches; nothing of it lives."""

    def __init__(self):
        self.launched = []

    def launch(self, ledger, job):
        self.launched.append(job.job)
        ledger.begin_launch(job.job, host(), now())

    def live(self, ledger):
        return set()

    def may_relaunch(self, ledger, job):
        return True

    def failure_reason(self, ledger, job):
        raise AssertionError

    def cancel(self, ledger, jobs=None):
        raise AssertionError


def test_what_the_trigger_wants_launched_the_sensor_launches_and_waits_again(search, monkeypatch, home):
    from airflow.sdk.exceptions import TaskDeferred

    from windtunnel.launchers import monitor
    from windtunnel_airflow.sensors import awaiting, results
    from windtunnel_airflow.triggers import results as triggers

    launcher = Remembering()
    monkeypatch.setattr(results, "current_search", lambda *_: search)
    monkeypatch.setattr(awaiting, "get_launcher", lambda name: launcher)
    monkeypatch.setattr(triggers, "get_launcher", lambda name: launcher)
    watch = monitor.StageMonitor(search.ledger, launcher, "1")
    watch.poll()
    wanted = [job.job for job in watch.poll().wanted]
    assert wanted == ["lane-1-0", "lane-1-1"] and launcher.launched == [], "whoever looks launches nothing"
    sensor = results.AwaitResults(task_id="wait", store="here", parts=[{"stage": "1", "job": "lane-1-0"}])
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute_complete({}, {"message": "gone", "wanted": wanted})
    assert launcher.launched == wanted
    assert deferred.value.trigger.serialize()[1]["stage"] == "1"


class Looking:
    """A trigger and a clock: every look finds the next progress, and only a pause takes time."""

    def __init__(self, *found):
        self.found, self.slept = list(found), 0.0

    def poller(self):
        return lambda: self.found.pop(0) if len(self.found) > 1 else self.found[0]

    def monotonic(self):
        return self.slept

    def sleep(self, seconds):
        self.slept += seconds


@pytest.mark.parametrize(
    ("found", "defers"),
    [
        ([Progress(False, "0 of 1"), Progress(False, "0 of 1"), Progress(True, "1 of 1")], False),
        ([Progress(False, "0 of 1"), Progress(False, "gone", (Job.of_lane(1, 0),)), Progress(True, "1 of 1")], True),
        ([Progress(False, "0 of 1")], True),
    ],
)
def test_what_is_over_soon_is_not_deferred(search, monkeypatch, home, found, defers):
    from airflow.sdk.exceptions import TaskDeferred

    from windtunnel_airflow.sensors import awaiting, results

    looking = Looking(*found)
    monkeypatch.setattr(results, "current_search", lambda *_: search)
    monkeypatch.setattr(results.AwaitResults, "trigger", lambda self, ledger: looking)
    monkeypatch.setattr(awaiting, "time", looking)
    sensor = results.AwaitResults(task_id="wait", store="here", parts=[{"stage": "1", "job": "lane-1-0"}])
    with pytest.raises(TaskDeferred) if defers else nullcontext():
        sensor.execute({})
    assert 0 < looking.slept <= 5.0


@pytest.fixture
def collected(search, monkeypatch, home):
    """What the task `collect` of a lane says of a stage, and whether it is red or skipped."""
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    from windtunnel_airflow.tasks import training

    monkeypatch.setattr(training, "current_ledger", lambda store: search.ledger)
    monkeypatch.setattr(training, "set_label", lambda text: None)

    def collect(stage, lane):
        told = []
        monkeypatch.setattr(training, "tell", told.append)
        try:
            training.collect.function({"stage": stage, "job": lane}, "here")
        except AirflowFailException as error:
            return SimpleNamespace(state="red", said=str(error), told=told)
        except AirflowSkipException:
            return SimpleNamespace(state="skipped", said="", told=told)
        return SimpleNamespace(state="green", said="", told=told)

    return collect


def test_a_straggler_that_fails_is_red_in_the_group_in_which_it_ends(search, collected):
    *done, late = search.ledger.plan("1").requests
    for request in done:
        Claims(search.ledger).take(request.trial, "lane-1-0", 1)
        search.ledger.record(outcome(request))
    Claims(search.ledger).take(late.trial, "lane-1-1", 1)
    assert collected("1", "lane-1-0").state == "green"
    assert collected("1", "lane-1-1").state == "skipped", "it runs"
    select(search, 1)
    plan = choose_finalists(search)
    for request in plan.requests:
        Claims(search.ledger).take(request.trial, "lane-1-0", 1)
        search.ledger.record(outcome(request))
    assert collected(plan.stage, "lane-1-1").state == "green", "nobody waits for it"
    search.ledger.record(outcome(late, failed=True))
    after = collected(plan.stage, "lane-1-1")
    assert after.state == "red" and late.trial in after.said
    assert collected(plan.stage, "lane-1-0").state == "green"


def test_a_lane_that_holds_a_straggler_belongs_to_the_group(search):
    plan = search.ledger.plan("1")
    *done, late = plan.requests
    Claims(search.ledger).take(late.trial, "lane-1-1", 1)
    for request in done:
        search.ledger.record(outcome(request))
    assert [lane.job for lane in lanes_for(search.ledger, search.definition, plan)] == ["lane-1-0", "lane-1-1"]
