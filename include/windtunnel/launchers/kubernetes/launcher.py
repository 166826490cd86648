"""The launcher: submits Jobs, asks what lives, explains what is gone, sweeps up."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from windtunnel.definition import Definition, definition_of
from windtunnel.definition.template import TRAINER
from windtunnel.errors import LaunchError
from windtunnel.host.machine import host, now
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.kubernetes.client import Client, Object
from windtunnel.launchers.kubernetes.manifest import JOB, LAUNCH, job_name, manifest, selector
from windtunnel.launchers.kubernetes.states import (
    JobEnd,
    deaths,
    ending,
    finished,
    holds_place,
    job_id,
    judge,
    last_words,
    never_began,
    out_of_time,
    outlived,
    pods_of,
    taken_down,
)
from windtunnel.launchers.kubernetes.trouble import trouble
from windtunnel.ledger import Attempt, Job, Ledger
from windtunnel.ledger.claims import Claim, Claims, under_way
from windtunnel.ledger.failures import LOG_TAIL
from windtunnel.ledger.queue import owed

_TIME_TO_END = 60.0  # seconds that cancelled pods get to end; their grace is 30 s unless the template says another
_FUTILE = 3  # pods that die before they begin anything: the next ones will, too
_SECOND = timedelta(seconds=1)
_SELECTED = 50  # jobs named in one selector
_UNFINISHED = "status.successful=0"
_NOT_DONE = "status.phase!=Succeeded"


class KubernetesLauncher(Launcher):
    """Runs each job as one `batch/v1` Job, whose pods the cluster starts again when they die.

    A Job's name is made from its run and its id, so that a job can neither run twice nor be lost: whoever launches it
    again finds it there.
    """

    def __init__(self) -> None:
        """Nothing is asked of the cluster yet."""
        self._client = cache(Client)
        self._known: dict[str, Definition] = {}
        self._told: set[str] = set()
        self._busy: dict[str, datetime] = {}

    def launch(self, ledger: Ledger, job: Job) -> None:
        """Create the Job unless it is there or the job is done; one that is over without results is replaced."""
        definition = definition_of(ledger)
        client = self._client(definition.resources.namespace)
        deadline = time.monotonic() + _TIME_TO_END
        while owed(ledger, job):
            wanted = manifest(ledger, job, definition, ledger.last_launch(job.job) + 1)
            there = wanted if client.create_job(wanted) else client.job(wanted["metadata"]["name"])
            if there is None:
                continue  # deleted since
            if finished(there) or (there is not wanted and self._is_over(ledger, client, there)):
                client.delete_job(there)
            elif "deletionTimestamp" not in there["metadata"]:
                number = int(there["metadata"]["annotations"][LAUNCH])
                ledger.begin_launch(job.job, host(), now(), number)
                return
            elif time.monotonic() > deadline:
                raise LaunchError(f"job {job.job} is being deleted since {_TIME_TO_END:g} s and does not go")
            time.sleep(0.5)

    def live(self, ledger: Ledger) -> set[str]:
        """Ids of the jobs that run or may yet: one listing of Jobs, and one of pods."""
        definition, client = self._search(ledger)
        moment = datetime.now(UTC)
        jobs = client.jobs(selector(ledger), _UNFINISHED)
        pods = client.pods(selector(ledger), _NOT_DONE)
        self._tell(ledger, pods)
        self._release(ledger, client, jobs, pods)
        if any(map(holds_place, pods)):
            self._busy[ledger.url] = moment
        hopeful = {job_id(job) for job in jobs if not self._judge(ledger, definition, job, pods_of(job, pods), moment)}
        return hopeful | {job_id(pod) for pod in pods if ending(pod, moment)}

    def may_relaunch(self, ledger: Ledger, job: Job) -> bool:
        """Whether the job's Job may be replaced by another.

        That is so where the trainer has ended while another container runs on, as often as the cluster would start it
        again, and of a lane where the Job is complete, out of time or deleted. All others the cluster starts again
        itself, and what it has given up is gone.
        """
        _, client = self._search(ledger)
        there = client.job(job_name(ledger, job.job))
        if ledger.cancelled(job.job):
            return False
        if job.session is not None:
            return there is None or finished(there) == "Complete" or self._is_over(ledger, client, there)
        if there is None or not self._outlived(ledger, client, there):
            return False
        launches = ledger.last_launch(job.job)
        return launches - _starts(ledger, job) < _FUTILE and launches <= there["spec"]["backoffLimit"]

    def failure_reason(self, ledger: Ledger, job: Job) -> JobFailure:
        """Why, in the cluster's words, with the end of the pod's log."""
        if ledger.cancelled(job.job):
            return JobFailure("cancelled", f"job {job.job} was cancelled")
        definition, client = self._search(ledger)
        there = client.job(job_name(ledger, job.job))
        if there is None:
            return JobFailure("deleted", f"job {job.job}: its Job was deleted, by hand or after it had ended")
        pods = pods_of(there, client.pods(selector(ledger, job.job)))
        verdict = self._judge(ledger, definition, there, pods, datetime.now(UTC))
        if verdict is None:
            return JobFailure("gone", f"job {job.job} was not found, and is there again")
        log = ""
        if verdict.pod is not None:
            log = client.log_tail(verdict.pod["metadata"]["name"], TRAINER, LOG_TAIL) or last_words(verdict.pod)
        kind, message = _with_events(verdict, client, there)
        return JobFailure(kind, f"job {job.job}: {message}", log)

    def cancel(self, ledger: Ledger, jobs: Collection[str] | None = None) -> None:
        """Delete the Jobs, and wait until their pods have ended."""
        _, client = self._search(ledger)
        for chosen in _selectors(ledger, jobs):
            there = [job for job in client.jobs(chosen) if not finished(job)]
            for job in there:
                ledger.cancel_launch(job_id(job))  # before it is gone, or it would seem to have vanished
            client.delete_jobs(chosen)
        deadline = time.monotonic() + _TIME_TO_END
        pause = 0.1
        while left := self._left(ledger, client, jobs):
            if time.monotonic() > deadline:
                raise LaunchError(f"cancelled {_TIME_TO_END:.0f} s ago and still running: {', '.join(sorted(left))}")
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _judge(
        self, ledger: Ledger, definition: Definition, job: Object, pods: Sequence[Object], moment: datetime
    ) -> JobEnd | None:
        """Why the job is over, or None: by the cluster's words, and where those give hope, by what its pods achieved.

        Args:
            ledger: of the run.
            definition: of the search.
            job: the Job.
            pods: its own, the earliest first.
            moment: now.
        """
        _, client = self._search(ledger)
        busy = self._busy.get(ledger.url)
        verdict = judge(job, pods, definition.limits.pending, moment, busy, lambda pod: trouble(_warnings(client, pod)))
        if verdict is not None or len(dead := deaths(pods)) < _FUTILE:
            return verdict
        own = ledger.job(job_id(job))
        dead = dead if own.session is None else deaths(pods, since=_progress(ledger, own))
        return never_began(dead) if len(dead) - _starts(ledger, own) >= _FUTILE else None

    def _is_over(self, ledger: Ledger, client: Client, job: Object) -> bool:
        """Whether a Job brings nothing about any more, though the cluster may not be done with it."""
        pods = pods_of(job, client.pods(selector(ledger, job_id(job)), _NOT_DONE))
        return out_of_time(job, pods) or any(map(outlived, pods))

    def _outlived(self, ledger: Ledger, client: Client, job: Object) -> bool:
        return any(map(outlived, pods_of(job, client.pods(selector(ledger, job_id(job)), _NOT_DONE))))

    def _release(self, ledger: Ledger, client: Client, jobs: Iterable[Object], pods: Sequence[Object]) -> None:
        """Delete jobs that are done but for containers beside the trainer's: they would hold their places for ever."""
        for job in jobs:
            over = any(map(outlived, pods_of(job, pods)))
            if over and "deletionTimestamp" not in job["metadata"] and not owed(ledger, ledger.job(job_id(job))):
                client.delete_job(job)

    def _tell(self, ledger: Ledger, pods: Iterable[Object]) -> None:
        """Leave word of what took pods down: the trainer in the next pod cannot see it."""
        for pod in pods:
            ending = taken_down(pod)
            if ending is None or pod["metadata"]["uid"] in self._told:
                continue
            verdict, moment = ending
            for unit, attempt in _held(ledger, ledger.job(job_id(pod)), moment):
                ledger.mark_taken_down(unit, attempt, verdict.kind, verdict.message)
            self._told.add(pod["metadata"]["uid"])

    def _left(self, ledger: Ledger, client: Client, jobs: Collection[str] | None) -> set[str]:
        """Of these jobs, those that still have Jobs, or pods on nodes that answer."""
        moment = datetime.now(UTC)
        there = {job_id(job) for job in client.jobs(selector(ledger))}
        for pod in client.pods(selector(ledger), _NOT_DONE):
            if ending(pod, moment) or "deletionTimestamp" not in pod["metadata"]:
                there.add(job_id(pod))
        return there if jobs is None else there & set(jobs)

    def _search(self, ledger: Ledger) -> tuple[Definition, Client]:
        if ledger.url not in self._known:
            self._known[ledger.url] = definition_of(ledger)
        definition = self._known[ledger.url]
        return definition, self._client(definition.resources.namespace)


def _starts(ledger: Ledger, job: Job) -> int:
    """How often the job has begun one of its units."""
    units = job.units if job.session is None else [claim.unit for claim in _claimed(ledger, job)]
    return sum(attempt.job == job.job for unit in units for attempt in ledger.attempts(unit))


def _claimed(ledger: Ledger, lane: Job) -> list[Claim]:
    """What a lane holds and has no result yet."""
    return under_way(Claims(ledger).listing().values(), ledger.ended(), lane.job)


def _progress(ledger: Ledger, lane: Job) -> datetime:
    """When a lane last claimed a unit, or a unit of its had a result, by the store's clock."""
    own = [claim for claim in Claims(ledger).listing().values() if claim.lane == lane.job]
    ended = ledger.outcomes() if own else {}
    moments = [*(claim.since for claim in own), *(ended[one.unit].recorded for one in own if one.unit in ended)]
    return datetime.fromtimestamp(max(moments, default=0.0), UTC)


def _held(ledger: Ledger, job: Job, moment: datetime) -> Iterator[tuple[str, Attempt]]:
    """The units without a result that the job had begun last before a moment, each with that start."""
    latest = (moment + _SECOND).isoformat()  # the cluster's clock tells whole seconds
    for unit in ledger.owed(job) if job.session is None else [claim.unit for claim in _claimed(ledger, job)]:
        begun = [one for one in ledger.attempts(unit) if one.job == job.job and one.started < latest]
        if begun and not begun[-1].preempted:
            yield unit, begun[-1]


def _selectors(ledger: Ledger, jobs: Collection[str] | None) -> list[str]:
    if jobs is None:
        return [selector(ledger)]
    names = sorted(jobs)
    chunks = [names[first : first + _SELECTED] for first in range(0, len(names), _SELECTED)]
    return [f"{selector(ledger)},{JOB} in ({','.join(chunk)})" for chunk in chunks]


def _with_events(verdict: JobEnd, client: Client, job: Object) -> tuple[str, str]:
    """The verdict on a job that waited, with what the cluster said meanwhile."""
    if verdict.kind != "pending":
        return verdict.kind, verdict.message
    about = verdict.pod or job
    events = _warnings(client, about)
    if not events:
        return verdict.kind, verdict.message
    reason, warning = events[-1].get("reason"), events[-1].get("message", "")
    message = verdict.message if warning in verdict.message else f"{verdict.message}; {reason}: {warning}"
    kind = "quota" if "exceeded quota" in warning else "refused" if reason == "FailedCreate" else verdict.kind
    return kind, message


def _warnings(client: Client, about: Object) -> list[Object]:
    return client.events(f"involvedObject.uid={about['metadata']['uid']},type=Warning")
