"""Verdicts on jobs by what the cluster says of them, with clocks as they please."""

from datetime import UTC, datetime, timedelta

import pytest

from windtunnel.launchers.kubernetes.states import holds_place, judge
from windtunnel.launchers.kubernetes.trouble import trouble

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = 3600.0


def ago(seconds):
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(created, **status):
    labels = {"kueue.x-k8s.io/queue-name": "team-a"}
    return {"metadata": {"creationTimestamp": ago(created), "labels": labels}, "spec": {}, "status": status}


def pod(created, phase="Pending", **status):
    metadata = {"name": "one", "creationTimestamp": ago(created)}
    spec = {"containers": [{"name": "trainer"}]}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase} | status}


def scheduled(status, since=0):
    return {"type": "PodScheduled", "status": status, "lastTransitionTime": ago(since)}


def kind(*arguments, busy=None):
    verdict = judge(*arguments, HOUR, NOW, busy)
    return verdict and verdict.kind


def test_waiting_for_places_that_the_runs_own_pods_hold_does_not_count():
    waits = job(2 * HOUR), [pod(2 * HOUR, conditions=[scheduled("False")])]
    assert kind(*waits) == "pending"
    assert kind(*waits, busy=NOW) is None
    assert kind(*waits, busy=NOW - timedelta(hours=1.5)) == "pending"
    assert kind(job(2 * HOUR), [], busy=NOW) is None


def test_an_image_gets_its_time_from_when_the_pod_has_a_node():
    pulling = [{"name": "trainer", "image": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}]
    late = pod(1000, conditions=[scheduled("True", 10)], containerStatuses=pulling)
    assert kind(job(1000), [late]) is None
    assert kind(job(1000), [late], busy=NOW) is None
    gone = pod(1000, conditions=[scheduled("True", 200)], containerStatuses=pulling)
    assert kind(job(1000), [gone], busy=NOW) == "image_not_found"


def failed_pull(text, since, reason="Failed"):
    about = {"reason": reason, "message": text, "firstTimestamp": ago(since)}
    return {"metadata": {"name": "event"}, **about}


def pulls(scheduled_ago, events, reason="ImagePullBackOff", said='Back-off pulling image "i"'):
    """The verdict on a pod whose image is not pulled, and the message."""
    state = {"waiting": {"reason": reason, "message": said}}
    one = pod(9000, conditions=[scheduled("True", scheduled_ago)],
              containerStatuses=[{"name": "trainer", "image": "i", "state": state}])  # fmt: skip
    return judge(job(9000), [one], HOUR, NOW, None, lambda _: trouble(events))


def test_an_image_that_cannot_be_pulled_gets_its_time_from_when_it_first_failed():
    """A big image may be under way for long before its registry says no."""
    text = 'Failed to pull image "i": manifest unknown'
    assert pulls(2000, [failed_pull(text, 60)]) is None
    assert pulls(2000, [failed_pull(text, 60), failed_pull(text, 10), failed_pull("Back-off", 50, "BackOff")]) is None
    verdict = pulls(2000, [failed_pull("Error: ErrImagePull", 130), failed_pull(text, 130)])
    assert verdict.kind == "image_not_found"
    assert 'ImagePullBackOff: Back-off pulling image "i"; Failed to pull image "i": manifest unknown' in verdict.message
    assert pulls(2000, []).kind == "image_not_found"  # the events are gone, or may not be read


@pytest.mark.parametrize(
    "text",
    [
        "Failed to pull image: dial tcp 10.0.0.1:443: i/o timeout",
        "Failed to pull image: toomanyrequests: You have reached your pull rate limit",
        "Failed to pull image: unexpected status code 503 Service Unavailable",
        "Failed to pull image: net/http: TLS handshake timeout",
        "Failed to pull image: connect: connection refused",
        "Failed to pull image: lookup registry on 10.0.0.10:53: no such host",
    ],
)
def test_a_registry_that_is_away_for_a_while_is_waited_for_within_the_pending_limit(text):
    assert pulls(HOUR - 10, [failed_pull(text, HOUR - 20)]) is None
    assert pulls(HOUR - 10, [], "ErrImagePull", text) is None
    verdict = pulls(HOUR + 10, [failed_pull(text, HOUR - 20)])
    assert verdict.kind == "image_not_found"
    assert text in verdict.message


def test_a_job_that_had_to_make_room_waits_anew():
    suspended = job(3 * HOUR, conditions=[{"type": "Suspended", "status": "True", "lastTransitionTime": ago(60)}])
    suspended["spec"]["suspend"] = True
    assert kind(suspended, []) is None
    suspended["status"]["conditions"][0]["lastTransitionTime"] = ago(2 * HOUR)
    verdict = judge(suspended, [], HOUR, NOW)
    assert verdict.kind == "pending"
    assert "queue team-a" in verdict.message
    assert kind(job(3 * HOUR, startTime=ago(60)), []) is None


def test_a_pod_whose_other_containers_run_on_is_over_with_its_trainer():
    ended = {"name": "trainer", "state": {"terminated": {"exitCode": 3, "finishedAt": ago(5)}}}
    beside = {"name": "logs", "state": {"running": {}}}
    assert kind(job(60), [pod(60, "Running", containerStatuses=[beside, ended])]) == "exit_code"
    ended["state"] = {"running": {}}
    assert kind(job(60), [pod(60, "Running", containerStatuses=[beside, ended])]) is None
    ended["state"] = {"terminated": {"exitCode": 3, "finishedAt": ago(5)}}
    helper = {"name": "mesh", "state": {"running": {}}}
    going = pod(60, "Running", containerStatuses=[ended], initContainerStatuses=[helper])
    assert kind(job(60), [going]) is None  # the cluster ends such a helper, and then starts the job's next pod


def test_a_pod_whose_trainer_has_ended_holds_no_place_that_others_wait_for():
    ended = {"name": "trainer", "state": {"terminated": {"exitCode": 0, "finishedAt": ago(5)}}}
    one = pod(60, "Running", containerStatuses=[ended, {"name": "mesh", "state": {"running": {}}}])
    one["spec"]["nodeName"] = "node"
    assert not holds_place(one)
    ended["state"] = {"running": {}}
    assert holds_place(one)


def test_a_helper_that_crashes_at_each_start_keeps_its_job_from_starting():
    looping = [{"name": "mesh", "image": "i", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    starts = pod(1000, conditions=[scheduled("True", 200)], initContainerStatuses=looping)
    assert kind(job(1000), [starts]) == "cannot_start"
