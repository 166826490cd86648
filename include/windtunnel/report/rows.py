"""What a trial's view has of its request, and of its result."""

from collections.abc import Mapping
from typing import Any

from windtunnel.ledger import Job, Request, Result


def asked(request: Request, job: Job | None, objectives: Mapping[str, str]) -> dict[str, Any]:
    """What a `TrialView` has of a request."""
    return {
        "trial": request.trial,
        "config": request.config,
        "stage": request.stage,
        "iteration": request.iteration,
        "epochs": request.epochs,
        "params": request.params,
        "parents": request.parents,
        "note": request.note,
        "job": job.job if job else "",
        "lane": job.lane if job else 0,
        "objectives": {name: value for name, value in request.known.items() if name in objectives},
        "metrics": {name: value for name, value in request.known.items() if name not in objectives},
        "message": f"breaks {request.infeasible}" if request.infeasible else "",
        "continue_from": request.continue_from,
        "source": None if job else request.source,  # a job takes up weights of that ledger, no result
    }


def ended(
    request: Mapping[str, Any], outcome: Result, whole: Result | None, objectives: Mapping[str, str]
) -> dict[str, Any]:
    """What it has of a result."""
    return {
        "objectives": request["objectives"] | outcome.objectives,
        "metrics": request["metrics"] | {name: at for name, at in outcome.metrics.items() if name not in objectives},
        "violation": outcome.violation,
        "kind": outcome.kind,
        "message": whole.message if whole else request["message"],
        "log_tail": whole.log_tail if whole else "",
        "seconds": outcome.seconds,
        "started": outcome.started,
        "recorded": outcome.recorded,
        "attempts": outcome.attempts,
        "gpus": outcome.gpus,
        "peak_memory": outcome.peak_memory,
    }
