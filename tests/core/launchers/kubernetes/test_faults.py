"""What becomes of a job whose pods do not do what they should, on a cluster that says so on demand.

The cluster and the launcher's clock are stepped: each look of a watch is one step of the cluster.
"""

from datetime import datetime, timedelta

import pytest

from tests.core.stages.conftest import Bench
from tests.fake_cluster import FakeCluster, stamp, wait_for
from tests.runs import make_run
from windtunnel.errors import LaunchError, RefusedError
from windtunnel.launchers import get_launcher
from windtunnel.launchers.kubernetes import client, states
from windtunnel.launchers.kubernetes.manifest import job_name
from windtunnel.launchers.lanes import launch
from windtunnel.launchers.monitor import StageMonitor
from windtunnel.ledger import Job, Result, State
from windtunnel.ledger.queue import open_queue
from windtunnel.stages import suggest

PENDING = 3600.0  # seconds that a job may wait to be started


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeCluster(tmp_path / "cluster", stepped=True) as found:
        monkeypatch.setenv("KUBECONFIG", found.kubeconfig())
        yield found


class Clock:
    """The time of day, which goes on when a test says so."""

    passed = timedelta()

    def now(self, zone):
        return datetime.now(zone) + self.passed

    def forward(self, seconds):
        self.passed += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr("windtunnel.launchers.kubernetes.launcher.datetime", found)
    return found


@pytest.fixture
def run(cluster, tmp_path):
    def make(*jobs, **limits):
        fields = {"pod_template": cluster.template(), "resources": limits.pop("resources", {})}
        options = {"launcher": "kubernetes", "fields": fields, "trial_retries": 0, "pending": PENDING} | limits
        return make_run(str(tmp_path / "store"), tmp_path / "trace", *(jobs or [["nothing"]]), **options)

    return make


def result_of(run):
    """The first trial's result, once the watch has it; what it wants launched again is launched."""
    monitor = StageMonitor(run.ledger, get_launcher("kubernetes"), "1")

    def look():
        progress = monitor.poll()
        launch(run.ledger, get_launcher("kubernetes"), progress.wanted, print)
        return progress.done

    wait_for(look)
    return run.result("nothing")


def ended(why="", code=1, **status):
    end = {"exitCode": code, "reason": why, "finishedAt": stamp(), "message": "the last words"}
    return {"phase": "Failed", "containerStatuses": [{"name": "trainer", "state": {"terminated": end}}]} | status


def waiting(reason, message=""):
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "trainer", "image": "local/none:1", "state": state}]}


UNPLACED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "1 Insufficient gpu"}


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (ended("Error", 3), "exit_code", ["exit code 3", "as 4 before it"]),
        (ended("OOMKilled", 137), "out_of_memory", ["more than its memory limit, 1073741824", "resources.memory"]),
        (ended("Error", 137, reason="Evicted", message="low on memory"), "evicted", ["evicted: low on memory"]),
        (ended("Error", 137, reason="NodeLost"), "node_lost", ["lost with the node"]),
        ({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no device"}, "gone", ["no device"]),
    ],
)
def test_pods_that_end_without_results(cluster, run, status, kind, words):
    cluster.script = [status] * 5
    run = run(resources={"memory": 2**30}, trial_retries=2)
    run.launch()
    cluster.step(10)
    result = result_of(run)
    assert (result.state, result.kind) == (State.FAILED, kind)
    assert all(word in result.message for word in ["job 1-0", "pod windtunnel-", *words]), result.message
    assert result.log_tail == ("the last words" if "containerStatuses" in status else "")
    assert cluster.jobs == {}


def test_pods_that_never_begin_a_trial_are_not_started_for_ever(cluster, run):
    cluster.script = [ended("Error", 127), ended("Error", 127), ended("Error", 127), {"phase": "Running"}]
    run = run(["nothing"], ["sleep 1"], trial_retries=20)
    get_launcher("kubernetes").launch(run.ledger, run.jobs[0])
    cluster.step(4)
    assert len(cluster.pods) == 4
    monitor = StageMonitor(run.ledger, get_launcher("kubernetes"), "1")
    wait_for(lambda: not monitor.poll().message.startswith("0 of 2"))
    result = run.result("nothing")
    assert result.kind == "exit_code"
    assert "exit code 127, as 2 before it" in result.message
    assert "none of them came so far as to begin a trial" in result.message


def test_a_pod_that_hangs_ends_its_job_at_once(cluster, run):
    cluster.script = [{"phase": "Failed", "reason": "DeadlineExceeded"}, {"phase": "Running"}]
    run = run(job_time=30.0, trial_retries=5)
    run.launch()
    result = result_of(run)
    assert result.kind == "timeout"
    assert "longer than 1830 s, which limits.job_time and trial_time allow" in result.message


@pytest.mark.parametrize(
    ("reason", "kind"), [("ErrImageNeverPull", "image_not_found"), ("InvalidImageName", "image_not_found")]
)
def test_an_image_that_will_never_come(cluster, run, reason, kind):
    cluster.script = [waiting(reason, "no such image")]
    run = run()
    run.launch()
    result = result_of(run)
    assert result.kind == kind
    assert f"image local/none:1 cannot be had: {reason}: no such image" in result.message
    assert cluster.jobs == {}  # nothing begins later


@pytest.mark.parametrize(
    ("reason", "kind"), [("ImagePullBackOff", "image_not_found"), ("CreateContainerConfigError", "cannot_start")]
)
def test_what_may_pass_gets_time(cluster, run, reason, kind):
    cluster.script = [waiting(reason, 'secret "windtunnel-storage" not found')]
    run = run()
    run.launch()
    cluster.step()
    (pod,) = cluster.pods.values()
    assert get_launcher("kubernetes").live(run.ledger) == {"1-0"}
    pod["metadata"]["creationTimestamp"] = stamp(-130)
    assert result_of(run).kind == kind
    assert 'secret "windtunnel-storage" not found' in run.result("nothing").message


def test_a_registrys_hiccup_is_waited_for(cluster, run, clock):
    cluster.script = [waiting("ImagePullBackOff", "Back-off pulling image")]
    run = run()
    run.launch()
    cluster.step()
    (pod,) = cluster.pods.values()
    about = {"kind": "Pod", "uid": pod["metadata"]["uid"], "name": pod["metadata"]["name"]}
    told = {"type": "Warning", "reason": "Failed", "message": "Failed to pull image: i/o timeout"}
    cluster.events.append({"metadata": {"name": "e"}, "involvedObject": about, "firstTimestamp": stamp(), **told})
    clock.forward(PENDING - 60)
    assert get_launcher("kubernetes").live(run.ledger) == {"1-0"}
    clock.forward(120)
    assert result_of(run).kind == "image_not_found"
    assert "Failed to pull image: i/o timeout" in run.result("nothing").message


def test_waiting_for_too_long(cluster, run, clock):
    cluster.script = [{"phase": "Pending", "conditions": [UNPLACED]}]
    run = run()
    run.launch()
    assert get_launcher("kubernetes").live(run.ledger) == {"1-0"}
    clock.forward(PENDING + 1)
    result = result_of(run)
    assert result.kind == "pending"
    assert "longer than limits.pending, 3600 s; Unschedulable: 1 Insufficient gpu" in result.message
    assert cluster.jobs == cluster.pods == {}


def test_a_job_may_wait_as_long_as_the_runs_other_pods_work(cluster, run, clock):
    cluster.script = [{"phase": "Running"}, {"phase": "Pending", "conditions": [UNPLACED]}]
    run = run(["nothing"], ["sleep 1"])
    run.launch()
    cluster.step()
    first, _ = cluster.pods.values()
    first["spec"]["nodeName"] = "node7"
    launcher = get_launcher("kubernetes")
    clock.forward(PENDING + 1)
    assert launcher.live(run.ledger) == {"1-0", "1-1"}
    first["status"] = {"phase": "Succeeded"}
    cluster.step()
    assert launcher.live(run.ledger) == {"1-1"}
    clock.forward(PENDING + 1)
    assert launcher.live(run.ledger) == set()


def test_a_quota_that_is_used_up(cluster, run, clock):
    cluster.refuse_pods = 'pods "x" is forbidden: exceeded quota: gpus, requested: 1, used: 2, limited: 2'
    run = run()
    run.launch()
    clock.forward(PENDING + 1)
    result = result_of(run)
    assert result.kind == "quota"
    assert "made no pod for it within limits.pending, 3600 s; FailedCreate: pods" in result.message


def test_pods_that_the_cluster_will_not_make(cluster, run, clock):
    cluster.refuse_pods = 'pods "x" is forbidden: violates PodSecurity "restricted"'
    run = run()
    run.launch()
    clock.forward(PENDING + 1)
    result = result_of(run)
    assert result.kind == "refused"
    assert "violates PodSecurity" in result.message


@pytest.mark.parametrize(
    ("answer", "error", "kind", "words"),
    [
        ((422, "Job is invalid: spec.containers[0].image: Required"), RefusedError, "refused", "mend pod_template"),
        ((403, "jobs is forbidden: User cannot create"), RefusedError, "refused", "deploy/role.yaml"),
        ((403, "forbidden: exceeded quota: count/jobs.batch"), LaunchError, "quota", "quota is used up"),
    ],
)
def test_jobs_that_the_cluster_refuses(cluster, run, answer, error, kind, words):
    cluster.refuse_jobs = answer
    with pytest.raises(error, match=words) as caught:
        run().launch()
    assert caught.value.kind == kind
    assert answer[1] in str(caught.value)


def test_a_job_that_somebody_deleted(cluster, run):
    cluster.script = [{"phase": "Running"}]
    run = run()
    run.launch()
    cluster.delete(job_name(run.ledger, "1-0"))
    result = result_of(run)
    assert result.kind == "deleted"
    assert "its Job was deleted" in result.message


def test_a_node_that_does_not_answer(cluster, run, clock):
    cluster.script = [{"phase": "Running", "unanswering": True}, {"phase": "Pending", "conditions": [UNPLACED]}]
    run = run()
    run.launch()
    cluster.step()
    (pod,) = cluster.pods.values()
    pod["metadata"] |= {"deletionTimestamp": stamp(-60)}
    pod["spec"]["nodeName"] = "node7"
    clock.forward(PENDING + states._BACK_OFF + 1)
    result = result_of(run)
    assert result.kind == "node_lost"
    assert "on node7 does not answer any more" in result.message
    assert cluster.jobs == {}


def test_a_pod_that_is_lost_is_replaced(cluster, run):
    """Preempted, drained, deleted: the cluster starts another, and the trial is done there."""
    cluster.script = [ended("Error", 143), ended("Error", 143)]
    run = run()
    run.launch()
    assert result_of(run).state is State.COMPLETED
    assert result_of(run).attempts == 1


def test_a_trial_that_kills_its_pod_is_passed_over_and_its_lane_mates_go_on(cluster, run):
    run = run(["kill-job", "nothing"], trial_retries=1)
    run.launch()
    assert result_of(run).state is State.COMPLETED
    poison = run.result("kill-job")
    assert (poison.state, poison.kind, poison.attempts) == (State.FAILED, "crashed", 2)


def test_a_pod_that_its_trial_took_down_with_its_memory(cluster, run):
    """Where the kernel ends a container as a whole, only the cluster can tell what it was."""
    cluster.killed_for = "OOMKilled"
    run = run(["kill-job", "nothing"], trial_retries=1, resources={"memory": 2**30})
    run.launch()
    assert result_of(run).state is State.COMPLETED
    result = run.result("kill-job")
    assert (result.state, result.kind, result.attempts) == (State.FAILED, "out_of_memory", 2)
    assert "was killed for using more than its memory limit, 1073741824 (resources.memory)" in result.message
    assert [attempt.kind for attempt in run.ledger.attempts(run.trial("kill-job"))] == ["out_of_memory"] * 2
    assert [attempt.kind for attempt in run.ledger.attempts(run.trial("nothing"))] == [""]


def test_preemptions_count_neither_for_the_trial_nor_for_the_job(cluster, run):
    run = run(["wait"], trial_retries=0)
    run.launch()
    times = cluster.jobs[job_name(run.ledger, "1-0")]["spec"]["backoffLimit"] + 1
    for count in range(1, times + 1):
        cluster.until(lambda count=count: len(run.starts.get("wait", ())) == count)
        (name,) = cluster.pods
        cluster.preempt(name)
        cluster.until(lambda name=name: name not in cluster.pods)
    run.release()
    monitor = StageMonitor(run.ledger, get_launcher("kubernetes"), "1")
    wait_for(lambda: monitor.poll().done)
    assert run.result("wait").state is State.COMPLETED
    assert [attempt.preempted for attempt in run.ledger.attempts(run.trial("wait"))] == [True] * times + [False]


def test_pods_that_are_deleted_again_and_again_use_up_the_jobs_retries(cluster, run):
    """A hand is no preemption: the cluster counts such pods, which ends the job rather than the cluster's patience."""
    run = run(["wait"], trial_retries=0)
    run.launch()
    monitor = StageMonitor(run.ledger, get_launcher("kubernetes"), "1")

    def delete():
        for name in list(cluster.pods):
            cluster.delete_pod(name, grace=0)
        return monitor.poll().done

    wait_for(delete)
    assert run.result("wait").kind == "gone"
    assert "its pods are deleted: BackoffLimitExceeded" in run.result("wait").message


def test_an_api_server_that_is_away_for_a_while(cluster, run):
    run = run()
    cluster.outages = 2
    run.launch()
    cluster.outages = 1
    assert result_of(run).state is State.COMPLETED
    assert len(cluster.jobs) == 1


def test_an_api_server_that_stays_away(cluster, run, monkeypatch):
    monkeypatch.setattr(client, "_PATIENCE", 0.2)
    cluster.outages = 1000
    with pytest.raises(LaunchError, match="503: it is being restarted"):
        run().launch()


def test_polls_cost_two_requests_whatever_there_is(cluster, run):
    cluster.script = [{"phase": "Running"}] * 20
    run = run(*([["nothing"]] * 20))
    run.launch()
    assert cluster.requests == {"create jobs": 20}
    cluster.requests.clear()
    assert len(get_launcher("kubernetes").live(run.ledger)) == 20
    assert cluster.requests == {"list jobs": 1, "list pods": 1}
    cluster.requests.clear()
    get_launcher("kubernetes").cancel(run.ledger)
    assert cluster.requests["deletecollection jobs"] == 1


def test_a_job_that_failed_is_launched_anew_when_asked(cluster, run):
    cluster.script = [ended("Error", 3)] * 4
    run = run()
    run.launch()
    cluster.step(5)
    assert get_launcher("kubernetes").live(run.ledger) == set()
    run.launch()
    assert result_of(run).state is State.COMPLETED
    assert len(run.ledger.launches("1-0")) == 2


def with_helper(code):
    """A pod whose trainer has ended, while another container runs on."""
    end = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "finishedAt": stamp()}
    trainer, helper = {"terminated": end}, {"running": {}}
    statuses = [{"name": "trainer", "state": trainer}, {"name": "mesh", "state": helper}]
    return {"phase": "Running", "containerStatuses": statuses}


def test_a_job_that_is_done_gives_its_place_back_though_a_container_runs_on(cluster, run):
    cluster.script = [with_helper(0), {"phase": "Running"}]
    run = run(["nothing"], ["sleep 1"])
    run.launch()
    launcher = get_launcher("kubernetes")
    assert launcher.live(run.ledger) == {"1-1"}
    assert len(cluster.jobs) == 2  # its results may still come into view
    run.ledger.record(Result(trial=run.trial("nothing"), state=State.COMPLETED))
    assert launcher.live(run.ledger) == {"1-1"}
    assert [job["metadata"]["labels"]["windtunnel/job"] for job in cluster.jobs.values()] == ["1-1"]
    cluster.step()
    assert len(cluster.pods) == 1


def test_a_job_whose_trainer_failed_is_started_again_though_a_container_runs_on(cluster, run):
    cluster.script = [with_helper(3), with_helper(143)]
    run = run(trial_retries=1)
    run.launch()
    result = result_of(run)
    assert result.state is State.COMPLETED
    assert len(run.ledger.launches("1-0")) == 3


def test_a_job_whose_trainer_fails_each_time_beside_another_container_is_given_up(cluster, run):
    cluster.script = [with_helper(3)] * 9
    run = run(trial_retries=20)
    run.launch()
    result = result_of(run)
    assert (result.state, result.kind) == (State.FAILED, "exit_code")
    assert len(run.ledger.launches("1-0")) == 3  # nothing was begun in any of them
    assert cluster.jobs == {}


def test_a_lane_whose_job_is_complete_is_replaced_as_soon_as_there_is_work(cluster, tmp_path):
    """It ended when there was nothing to do; the cluster starts nothing of a Job that is complete."""
    cluster.script = [{"phase": "Succeeded"}, {"phase": "Running"}]
    fields = {"launcher": "kubernetes", "pod_template": cluster.template(), "limits": {"parallel": 1}}
    search = Bench(tmp_path).begin(**fields)
    ledger, launcher = search.ledger, get_launcher("kubernetes")
    open_queue(ledger, suggest(search, 1).stage)
    launch(ledger, launcher, [Job.of_lane(1, 0)], print)
    cluster.step(2)
    (complete,) = cluster.jobs.values()
    assert states.finished(complete) == "Complete" and launcher.live(ledger) == set()
    monitor = StageMonitor(ledger, launcher, "1", lambda: 0.0)
    assert not monitor.poll().wanted  # its results may still come into view
    wanted = monitor.poll().wanted
    assert [lane.job for lane in wanted] == ["lane-1-0"]
    assert list(cluster.jobs.values()) == [complete], "whoever polls launches nothing"
    launch(ledger, launcher, wanted, print)
    (another,) = cluster.jobs.values()
    assert another["metadata"]["uid"] != complete["metadata"]["uid"]
    assert (ledger.last_launch("lane-1-0"), launcher.live(ledger)) == (2, {"lane-1-0"})
