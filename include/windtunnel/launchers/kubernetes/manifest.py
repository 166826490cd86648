"""From a job to the `batch/v1` Job that runs it: the user's pod template, and what the definition says beside it."""

import math
import os
from copy import deepcopy
from hashlib import sha256
from typing import Any

from windtunnel.definition.model import Definition, Resources
from windtunnel.definition.template import GPU, TRAINER
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.sources import STORES_VARIABLE

Object = dict[str, Any]

RUN, JOB, LAUNCH = "windtunnel/run", "windtunnel/job", "windtunnel/launch"

_KEPT = 3600  # seconds that a finished Job stays, for a person to look at
_SPARE = 1800.0  # seconds beyond a job's own time-out: a pod's clock runs while its image is pulled
_MANY = 10_000  # deaths of a lane's pods, which are counted since it last brought something about
_OTHER_DEATHS = 1  # of a job's pods, beside those that its units may cause


def job_name(ledger: Ledger, job: str) -> str:
    """The Job's name: the same whoever launches it, so that it cannot run twice, and another in every other run."""
    return f"windtunnel-{_digest(f'{ledger.url}/{job}')}"


def selector(ledger: Ledger, job: str | None = None) -> str:
    """The labels of a run's Jobs and pods, or of one job's."""
    run = f"{RUN}={_digest(ledger.url)}"
    return run if job is None else f"{run},{JOB}={job}"


def manifest(ledger: Ledger, job: Job, definition: Definition, launch: int) -> Object:
    """The Job.

    `podFailurePolicy` keeps preemptions and drained nodes from counting as failures of the Job; clusters before 1.26
    drop the field, and count them.

    Args:
        ledger: of the run.
        job: to run.
        definition: of the search, with its pod template.
        launch: the number of this launch of the job.
    """
    labels = {
        "app.kubernetes.io/managed-by": "windtunnel",
        "windtunnel/search": safe_name(ledger.search)[:63].strip("-_."),
        RUN: _digest(ledger.url),
        "windtunnel/stage": job.stage or "lanes",
        JOB: job.job,
    }
    annotations = {"windtunnel/ledger": ledger.url, "windtunnel/units": " ".join(job.units), LAUNCH: str(launch)}
    tries = len(job.units) * (1 + definition.limits.trial_retries) if job.session is None else _MANY
    queue = definition.resources.queue
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(ledger, job.job),
            "labels": labels | ({"kueue.x-k8s.io/queue-name": queue} if queue else {}),
            "annotations": annotations,
        },
        "spec": {
            "backoffLimit": _OTHER_DEATHS + tries,
            "ttlSecondsAfterFinished": _KEPT,
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": _pod(ledger, job, definition, labels, annotations, launch),
        },
    }


def _pod(ledger: Ledger, job: Job, definition: Definition, labels: Object, annotations: Object, launch: int) -> Object:
    template = deepcopy(definition.pod_template)
    assert isinstance(template, dict), "checked where the definition is read"
    given = template.get("metadata", {})
    spec = template["spec"]
    spec["restartPolicy"] = "Never"  # each start is a pod of its own, whose end and log can be looked at
    resources = definition.resources
    if resources.priority is not None:
        spec["priorityClassName"] = resources.priority
    deadline = _deadline(job, definition)
    if deadline is not None:
        spec.setdefault("activeDeadlineSeconds", deadline)  # of the pod: waiting for a node does not count
    container = next(one for one in spec["containers"] if one.get("name") == TRAINER)
    container.setdefault("command", ["python", "-m", "windtunnel_trainer"])
    container["args"] = [ledger.url, job.job, "--digest", ledger.digest, "--launch", str(launch)]
    stores = os.environ.get(STORES_VARIABLE)
    if stores and not any(variable.get("name") == STORES_VARIABLE for variable in container.get("env") or []):
        container["env"] = [*(container.get("env") or []), {"name": STORES_VARIABLE, "value": stores}]
    container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    _ask_for(container, resources)
    return {
        "metadata": {
            "labels": {**given.get("labels", {}), **labels},
            "annotations": {**given.get("annotations", {}), **annotations},
        },
        "spec": spec,
    }


def _ask_for(container: Object, resources: Resources) -> None:
    """Put the definition's resources in place of the template's."""
    own = container.setdefault("resources", {})
    requests, limits = own.setdefault("requests", {}), own.setdefault("limits", {})
    if resources.gpus is not None:
        requests.pop(GPU, None)
        limits.pop(GPU, None)
        if resources.gpus:
            limits[GPU] = str(resources.gpus)
    if resources.cpu is not None:
        requests["cpu"] = f"{round(resources.cpu * 1000)}m"
        limits.pop("cpu", None)  # a limit would only slow down what the node has to spare
    if resources.memory is not None:
        requests["memory"] = limits["memory"] = str(resources.memory)


def _deadline(job: Job, definition: Definition) -> int | None:
    """Seconds after which a pod is ended that its trainer should have ended: only one that hangs comes so far.

    A lane has none: how many trials it will run nobody knows, and full training goes on beyond the search's time.
    """
    if job.session is not None:
        return None
    limits, trial_time = definition.limits, definition.trial_time(job.stage) if job.stage else None
    time = limits.job_time
    if time is None and trial_time is not None:
        rounds = math.ceil(len(job.units) / job.slots)
        time = trial_time * rounds * (1 + limits.trial_retries)
    return None if time is None else math.ceil(max(0.0, time) + _SPARE)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:24]
