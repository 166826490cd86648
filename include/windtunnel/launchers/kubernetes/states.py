"""What the cluster's own words say of a job: that it runs or may yet, or why it is over."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from windtunnel.definition.template import TRAINER
from windtunnel.launchers.kubernetes.trouble import Trouble, passes_by_itself

Object = dict[str, Any]

# An image that is never pulled, or has no valid name, will not come; a registry may be away for a moment.
_NEVER_STARTS = {"InvalidImageName": "image_not_found", "ErrImageNeverPull": "image_not_found"}
_MAY_START = {
    "ErrImagePull": "image_not_found",
    "ImagePullBackOff": "image_not_found",
    "CreateContainerConfigError": "cannot_start",
    "CreateContainerError": "cannot_start",
    "RunContainerError": "cannot_start",
    "CrashLoopBackOff": "cannot_start",  # of an init container that is to run beside the trainer's
}
_TAKES_DOWN = ("out_of_memory", "evicted", "node_lost")  # kinds
_START_PATIENCE = 120.0  # seconds for such a fault to pass, from when it first showed
_BACK_OFF = 360.0  # seconds, the longest that a cluster waits before it starts a job's pod again
_TOLD_TO_GO = 143  # exit code of a process that was sent SIGTERM
_EVER = datetime.fromtimestamp(0, UTC)
_LOST = 15.0  # seconds after which a pod that should have ended runs on a node that does not answer


class JobEnd(NamedTuple):
    """Why a job is over without results.

    Attributes:
        kind: one word for machines.
        message: for a person.
        pod: the pod that tells more, if there is one.
    """

    kind: str
    message: str
    pod: Object | None = None


def job_id(thing: Object) -> str:
    """The job that a Job or a pod is of."""
    return str(thing["metadata"]["labels"]["windtunnel/job"])


def pods_of(job: Object, pods: Iterable[Object]) -> list[Object]:
    """The pods of this very Job, the earliest first."""
    uid = job["metadata"]["uid"]
    own = [pod for pod in pods if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences", []))]
    return sorted(own, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def finished(job: Object) -> str | None:
    """`Complete` or `Failed`, where the cluster is done with the Job."""
    conditions = job.get("status", {}).get("conditions") or []
    ends = [one["type"] for one in conditions if one["status"] == "True" and one["type"] in ("Complete", "Failed")]
    return str(ends[0]) if ends else None


def out_of_time(job: Object, pods: Iterable[Object]) -> bool:
    """Whether the cluster ended the Job, or a pod of it, for its time being over."""
    conditions = job.get("status", {}).get("conditions") or []
    reasons = [one.get("reason") for one in [*conditions, *(pod.get("status", {}) for pod in pods)]]
    return "DeadlineExceeded" in reasons


def ending(pod: Object, moment: datetime) -> bool:
    """Whether a deleted pod may still be running: on a node that does not answer nobody can tell, nor do anything."""
    deleted = pod["metadata"].get("deletionTimestamp")
    running = pod.get("status", {}).get("phase") in ("Pending", "Running")
    return running and deleted is not None and (moment - _time(deleted)).total_seconds() < _LOST


def holds_place(pod: Object) -> bool:
    """Whether the pod has a node's resources, which others may wait for, and works."""
    there = _phase(pod) in ("Pending", "Running") and not _deleted(pod) and not outlived(pod)
    return there and bool(pod["spec"].get("nodeName"))


def outlived(pod: Object) -> bool:
    """Whether containers run on though the trainer's has ended: the cluster lets such a pod run, and hold its place.

    Init containers that run beside it, with `restartPolicy: Always`, do not count: the cluster ends them itself.
    """
    others = [one for one in pod["status"].get("containerStatuses", []) if one.get("name") != TRAINER]
    ended = "terminated" in _trainer(pod["status"].get("containerStatuses", [])).get("state", {})
    return _phase(pod) == "Running" and ended and any("terminated" not in one.get("state", {}) for one in others)


def judge(
    job: Object,
    pods: Sequence[Object],
    pending: float,
    moment: datetime,
    busy: datetime | None = None,
    trouble_of: Callable[[Object], Trouble] = lambda pod: (None, ""),
) -> JobEnd | None:
    """Whether the job is over without results; None while it runs or may yet.

    Args:
        job: the Job.
        pods: its own, the earliest first.
        pending: seconds that it may wait to be started.
        moment: now.
        busy: when a pod of the run last held its place, whose turn it was: until then waiting does not count.
        trouble_of: gives what the events say of a pod; asked of one only that has failed to start for a while.
    """
    end = finished(job)
    if end == "Complete":
        return JobEnd("gone", "its pod ended well, but without results", pods[-1] if pods else None)
    for pod in pods:
        if pod.get("status", {}).get("reason") == "DeadlineExceeded":
            return _end_of(pod, pods)
    if end == "Failed":
        return _failed(job, pods)
    there = [pod for pod in pods if _phase(pod) in ("Pending", "Running") and not _deleted(pod)]
    for pod in there:
        if outlived(pod):
            return _end_of(pod, pods)
        if (stuck := _stuck(pod, pending, moment, busy, trouble_of)) is not None:
            return _because_of_a_node(stuck, _lost(pods))
    return None if there else _without_pod(job, pods, pending, moment, busy)


def deaths(pods: Sequence[Object], since: datetime = _EVER) -> list[Object]:
    """Those of a job's pods that failed, since a moment, for reasons of their own: neither evicted nor told to go."""
    failed = [pod for pod in pods if _phase(pod) == "Failed" and not pod["status"].get("reason")]
    failed = [pod for pod in failed if _end_time(pod) >= since]
    return [pod for pod in failed if (_terminated(pod) or {}).get("exitCode") != _TOLD_TO_GO]


def taken_down(pod: Object) -> tuple[JobEnd, datetime] | None:
    """What the cluster took a pod down for, and when, trials and all; None where it ended by itself or not at all."""
    if _phase(pod) != "Failed":
        return None
    verdict = _end_of(pod, [pod])
    return (verdict, _end_time(pod)) if verdict.kind in _TAKES_DOWN else None


def never_began(dead: Sequence[Object]) -> JobEnd:
    """The verdict on a job whose pods die before they begin a trial, as a broken image or an unreachable store has it.

    Args:
        dead: its pods that failed, the earliest first.
    """
    verdict = _end_of(dead[-1], dead)
    return verdict._replace(message=f"{verdict.message}; none of them came so far as to begin a trial")


def _failed(job: Object, pods: Sequence[Object]) -> JobEnd:
    ended = [pod for pod in pods if _phase(pod) == "Failed"]
    if ended:
        return _end_of(max(ended, key=_end_time), pods)
    condition = next(one for one in job["status"]["conditions"] if one["type"] == "Failed")
    if condition.get("reason") == "DeadlineExceeded":
        return JobEnd("timeout", "its Job was active for longer than its activeDeadlineSeconds")
    words = f"{condition.get('reason', 'Failed')}: {condition.get('message', '')}"
    return JobEnd("gone", f"the cluster gave it up, and its pods are deleted: {words}")


def _end_of(pod: Object, pods: Sequence[Object]) -> JobEnd:
    """Why a pod failed, in the words of its status."""
    status, where = pod["status"], _place(pod)
    reason, words = status.get("reason", ""), status.get("message", "")
    if reason == "DeadlineExceeded":
        seconds = pod["spec"].get("activeDeadlineSeconds")
        text = f"its {where} hung: it ran for longer than {seconds} s, which limits.job_time and trial_time allow"
        return JobEnd("timeout", text, pod)
    if reason in ("Evicted", "Preempting"):
        return JobEnd("evicted", f"its {where} was evicted: {words or reason}", pod)
    if reason in ("NodeLost", "NodeShutdown", "Terminated", "Shutdown"):
        return JobEnd("node_lost", f"its {where} was lost with the node: {words or reason}", pod)
    failures = sum(_phase(one) == "Failed" for one in pods)
    times = f", as {failures - 1} before it" if failures > 1 else ""
    ended = _terminated(pod)
    if ended is None:
        return JobEnd("gone", f"its {where} failed: {reason} {words}".rstrip(), pod)
    if ended.get("reason") == "OOMKilled":
        limit = _trainer(pod["spec"]["containers"]).get("resources", {}).get("limits", {}).get("memory")
        beyond = f"its memory limit, {limit} (resources.memory)" if limit else "the memory of its node"
        return JobEnd("out_of_memory", f"its {where} was killed for using more than {beyond}{times}", pod)
    text = f"its {where} ended with exit code {ended.get('exitCode')}{times}, without results"
    return JobEnd("exit_code", text, pod)


def _stuck(
    pod: Object, pending: float, moment: datetime, busy: datetime | None, trouble_of: Callable[[Object], Trouble]
) -> JobEnd | None:
    if _phase(pod) != "Pending":
        return None
    scheduled = _condition(pod, "PodScheduled")
    since = _time(pod["metadata"]["creationTimestamp"])
    if scheduled.get("status") == "True":
        since = _time(scheduled.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])
    elif busy is not None:
        since = max(since, busy)
    waited = (moment - since).total_seconds()
    for one in [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]:
        state = one.get("state", {}).get("waiting", {})
        reason = state.get("reason", "")
        kind, words = _NEVER_STARTS.get(reason), state.get("message", "")
        if kind is None and reason in _MAY_START and waited > _START_PATIENCE:
            failed, text = trouble_of(pod)
            passes = passes_by_itself(words) or passes_by_itself(text)
            long = (
                waited > pending if passes else (moment - max(failed or since, since)).total_seconds() > _START_PATIENCE
            )
            kind, words = (_MAY_START[reason] if long else None), words if text in words else f"{words}; {text}"
        if kind is not None:
            what = f"image {one.get('image')} cannot be had" if kind == "image_not_found" else "it cannot be started"
            return JobEnd(kind, f"its {_place(pod)} does not start: {what}: {reason}: {words}", pod)
    if waited <= pending:
        return None
    why = f"{scheduled['reason']}: {scheduled.get('message', '')}" if scheduled.get("reason") else "it is being set up"
    return JobEnd("pending", f"its {_place(pod)} waited longer than limits.pending, {pending:g} s; {why}", pod)


def _without_pod(
    job: Object, pods: Sequence[Object], pending: float, moment: datetime, busy: datetime | None
) -> JobEnd | None:
    """Judge a job that the cluster has no living pod for: between two tries, queued, lost, or over a quota."""
    given = (job["metadata"]["creationTimestamp"], job.get("status", {}).get("startTime"))
    queued = _condition(job, "Suspended").get("lastTransitionTime")  # again, where it had to make room
    since = max([*(_time(one) for one in (*given, queued) if one), *map(_end_time, pods)])
    since = since if busy is None else max(since, busy)
    patience = pending + (_BACK_OFF if pods else 0.0)
    if (moment - since).total_seconds() <= patience:
        return None
    if job["spec"].get("suspend"):
        queue = job["metadata"]["labels"].get("kueue.x-k8s.io/queue-name", "?")
        return JobEnd("pending", f"it waited in queue {queue} for longer than limits.pending, {pending:g} s")
    verdict = JobEnd("pending", f"the cluster made no pod for it within limits.pending, {pending:g} s")
    return _because_of_a_node(verdict, _lost(pods))


def _lost(pods: Sequence[Object]) -> list[Object]:
    """Deleted pods that are still there: on a node that does not answer."""
    return [pod for pod in pods if _deleted(pod) and _phase(pod) in ("Pending", "Running")]


def _because_of_a_node(verdict: JobEnd, lost: Sequence[Object]) -> JobEnd:
    """A verdict on a job that waits, where it waits since a node was lost."""
    if verdict.kind != "pending" or not lost:
        return verdict
    return JobEnd("node_lost", f"its {_place(lost[-1])} does not answer any more, and {verdict.message}", verdict.pod)


def _place(pod: Object) -> str:
    node = pod["spec"].get("nodeName")
    return f"pod {pod['metadata']['name']}" + (f" on {node}" if node else "")


def _phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _deleted(pod: Object) -> bool:
    return pod["metadata"].get("deletionTimestamp") is not None


def _condition(thing: Object, kind: str) -> Object:
    conditions = thing.get("status", {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


def _trainer(things: Sequence[Object]) -> Object:
    return next((one for one in things if one.get("name") == TRAINER), {})


def _terminated(pod: Object) -> Object | None:
    """How the trainer's container ended; or another one, where that kept it from starting."""
    statuses = [*pod["status"].get("containerStatuses", []), *pod["status"].get("initContainerStatuses", [])]
    ends = {one["name"]: one["state"]["terminated"] for one in statuses if "terminated" in one.get("state", {})}
    return ends.get(TRAINER) or next((end for end in ends.values() if end.get("exitCode")), None)


def last_words(pod: Object) -> str:
    """The end of the log as the pod's own status keeps it, where its node does not give the log any more."""
    return str((_terminated(pod) or {}).get("message", ""))


def _end_time(pod: Object) -> datetime:
    ended = _terminated(pod) or {}
    deleted = pod["metadata"].get("deletionTimestamp")
    return _time(ended.get("finishedAt") or deleted or pod["metadata"]["creationTimestamp"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
