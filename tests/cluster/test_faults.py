"""Faults of a real cluster, each made to happen: a failed result that says what it was, or a trial that goes on."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.runs import make_run, wait_until
from windtunnel.errors import RefusedError
from windtunnel.launchers import get_launcher
from windtunnel.launchers.kubernetes.client import Client
from windtunnel.launchers.kubernetes.manifest import job_name
from windtunnel.ledger import State

PATIENCE = 180


@pytest.fixture
def run(cluster, tmp_path):
    made = []

    def make(*jobs, template=None, resources=None, **limits):
        fields = {"pod_template": template or cluster.template(), "resources": resources or {}}
        trace = tmp_path / "trace"
        options = {"launcher": "kubernetes", "fields": fields} | limits
        made.append(make_run(str(tmp_path / "store"), trace, *(jobs or [["nothing"]]), **options))
        made[-1].patience = PATIENCE
        return made[-1]

    yield make
    for run in made:
        get_launcher("kubernetes").cancel(run.ledger)


def failure(run, do="nothing"):
    """The trial's failure, after which nothing of the job is left."""
    run.launch()
    run.wait()
    result = run.result(do)
    assert result.state is State.FAILED
    wait_until(lambda: get_launcher("kubernetes").live(run.ledger) == set(), PATIENCE)
    print(f"{result.kind}: {result.message}\n  log: {result.log_tail.strip()!r}")
    return result


def with_command(cluster, *command, **spec):
    template = cluster.template(**spec)
    template["spec"]["containers"][0]["command"] = [*command]
    return template


def test_an_exit_code(cluster, run):
    result = failure(run(template=with_command(cluster, "sh", "-c", "echo the disk is broken; exit 3")))
    assert result.kind == "exit_code"
    assert "on node1 ended with exit code 3, as 2 before it" in result.message.replace(node_of(cluster), "node1")
    assert result.log_tail == "the disk is broken\n"


def test_a_pod_that_uses_too_much_memory(cluster, run):
    hog = with_command(cluster, "sh", "-c", "echo I am hungry; exec tail /dev/zero")
    result = failure(run(template=hog, resources={"memory": "64 MiB"}))
    assert result.kind == "out_of_memory"
    assert "its memory limit, 67108864 (resources.memory)" in result.message
    assert result.log_tail == "I am hungry\n"


def test_a_trial_that_uses_too_much_memory_does_not_take_its_pod_along(run):
    run = run(["allocate 600", "nothing"], resources={"memory": "256 MiB"}, trial_retries=0)
    result = failure(run, "allocate 600")
    assert result.kind == "out_of_memory"
    assert "the kernel killed its process" in result.message
    assert run.result("nothing").state is State.COMPLETED


def test_a_trial_that_takes_its_whole_pod_down_with_its_memory(run):
    run = run(["exhaust-job", "nothing"], resources={"memory": "256 MiB"}, trial_retries=0)
    result = failure(run, "exhaust-job")
    assert (result.kind, result.attempts) == ("out_of_memory", 1)
    assert "was killed for using more than its memory limit, 268435456 (resources.memory)" in result.message
    assert run.result("nothing").state is State.COMPLETED


def test_a_pod_that_is_evicted(cluster, run, monkeypatch):
    monkeypatch.setattr("windtunnel.launchers.kubernetes.manifest._OTHER_DEATHS", -1)  # once is enough here
    template = with_command(cluster, "sh", "-c", "head -c 40M /dev/zero >/file; sleep 600")
    template["spec"]["containers"][0]["resources"]["limits"]["ephemeral-storage"] = "10Mi"
    result = failure(run(template=template, resources={"gpus": 0}, trial_retries=0))
    assert result.kind == "evicted"
    assert "was evicted: " in result.message
    assert "storage" in result.message


def test_an_image_that_is_not_there(cluster, run):
    template = cluster.template()
    template["spec"]["containers"][0]["image"] = "local/nowhere:7"
    result = failure(run(template=template))
    assert result.kind == "image_not_found"
    assert "image local/nowhere:7 cannot be had: ErrImageNeverPull" in result.message


def test_a_template_that_is_refused(cluster, run):
    template = cluster.template()
    template["spec"]["containers"][0]["volumeMounts"][0]["name"] = "nowhere"
    with pytest.raises(RefusedError, match=r'mend pod_template.*volumeMounts\[0\]\.name: Not found: "nowhere"'):
        run(template=template).launch()


def test_an_account_that_may_not(cluster):
    with pytest.raises(RefusedError, match=r"deploy/role.yaml.*cannot list resource"):
        Client("default").jobs("")
    assert Client().jobs("") is not None


def test_a_quota(cluster, run):
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"requests.nvidia.com/gpu": "0"}}}
    cluster.core.create_namespaced_resource_quota(cluster.namespace, quota)
    try:
        result = failure(run(pending=8))
    finally:
        cluster.core.delete_namespaced_resource_quota("none", cluster.namespace)
    assert result.kind == "quota"
    assert "exceeded quota: none, requested: requests.nvidia.com/gpu=1" in result.message


def test_a_pod_that_waits_for_too_long(run):
    result = failure(run(resources={"gpus": 1000}, pending=5))
    assert result.kind == "pending"
    assert "limits.pending, 5 s; Unschedulable: " in result.message
    assert "Insufficient nvidia.com/gpu" in result.message


def test_a_secret_that_is_missing_is_named(cluster, run, monkeypatch):
    monkeypatch.setattr("windtunnel.launchers.kubernetes.states._START_PATIENCE", 3.0)
    template = cluster.template()
    template["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "windtunnel-storage"}}]
    result = failure(run(template=template))
    assert result.kind == "cannot_start"
    assert 'secret "windtunnel-storage" not found' in result.message


def test_a_pod_that_hangs_beyond_its_deadline(cluster, run):
    template = with_command(cluster, "sh", "-c", "echo zzz; exec sleep 600", activeDeadlineSeconds=3)
    result = failure(run(template=template))
    assert result.kind == "timeout"
    assert "ran for longer than 3 s" in result.message
    assert result.log_tail in ("zzz\n", "")


def test_a_job_that_is_deleted_by_hand(cluster, run):
    run = run(["wait"])
    run.launch()
    run.wait_for_start("wait")
    delete_job(cluster, run)
    assert failure(run_again(run), "wait").kind == "deleted"


def test_a_pod_that_is_deleted_by_hand_is_replaced(cluster, run):
    run = run(["wait", "nothing"], trial_retries=0)
    run.launch()
    run.wait_for_start("wait")
    # A kubelet that has yet to notice that a pod runs tells it to go a minute late; its replacement begins at once.
    pod = cluster.until(lambda: next((pod for pod in cluster.pods(run.ledger, "1-0") if is_running(pod)), None))
    cluster.core.delete_namespaced_pod(pod["metadata"]["name"], cluster.namespace)
    cluster.until(lambda: len(run.starts["wait"]) == 2)
    run.release()
    run.wait()
    assert run.result("wait").state is run.result("nothing").state is State.COMPLETED
    assert [attempt.preempted for attempt in run.ledger.attempts(run.trial("wait"))] == [True, False]


def test_a_trial_that_kills_its_pod_is_passed_over_and_its_lane_mates_go_on(run):
    run = run(["kill-job", "nothing"], trial_retries=1)
    result = failure(run, "kill-job")
    assert (result.kind, result.attempts) == ("crashed", 2)
    assert run.result("nothing").state is State.COMPLETED


@pytest.fixture
def kubelet():
    home = Path(os.environ.get("CLUSTER_HOME", "/var/tmp/test-cluster"))
    file = home / "run" / "kubelet.pid"
    if not file.exists():
        pytest.skip("the kubelet of this cluster is not a process that a test can stop: see WINDTUNNEL_CLUSTER")
    pid = int(file.read_text())
    yield pid
    os.kill(pid, signal.SIGCONT)


def test_a_node_that_is_lost_for_a_while(cluster, run, kubelet):
    """A cluster of one node evicts nothing from it, so the test does what the cluster would: it deletes the pod."""
    run = run(["wait", "nothing"], trial_retries=0)
    run.launch()
    run.wait_for_start("wait")
    os.kill(kubelet, signal.SIGSTOP)
    cluster.until(lambda: not cluster.nodes_ready())
    name = cluster.pods(run.ledger, "1-0")[0]["metadata"]["name"]
    cluster.core.delete_namespaced_pod(name, cluster.namespace)
    cluster.until(lambda: len(cluster.pods(run.ledger, "1-0")) == 2)  # the lost one, and one that waits for a node
    assert get_launcher("kubernetes").live(run.ledger) == {"1-0"}
    os.kill(kubelet, signal.SIGCONT)
    cluster.until(lambda: len(run.starts["wait"]) == 2)
    run.release()
    run.wait()
    assert run.result("wait").state is run.result("nothing").state is State.COMPLETED


def is_running(pod):
    return pod["status"]["phase"] == "Running"


def delete_job(cluster, run):
    options = {"propagationPolicy": "Background"}
    cluster.batch.delete_namespaced_job(job_name(run.ledger, "1-0"), cluster.namespace, body=options)


def run_again(run):
    """The same run, whose job is not launched again when a failure is waited for."""
    run.launch = lambda: time.sleep(0)
    return run


def node_of(cluster):
    return cluster.core.list_node().items[0].metadata.name


def test_a_container_that_does_not_end_by_itself_holds_neither_pod_nor_gpu(cluster, run):
    """As a service mesh injects one: the pod runs on when its trainer has ended."""
    template = cluster.template()
    first = template["spec"]["containers"][0]
    script = "trap 'exit 0' TERM; while true; do sleep 1; done"
    mesh = {key: first[key] for key in ("image", "imagePullPolicy") if key in first}
    template["spec"]["containers"].append(mesh | {"name": "mesh", "command": ["sh", "-c", script]})
    jobs = [["nothing"], ["sleep 0"], ["sleep 0.0"], ["sleep 0.00"]]
    run = run(*jobs, template=template, resources={"gpus": 1})
    run.finish(PATIENCE)
    assert {run.result(do).state for (do,) in jobs} == {State.COMPLETED}
