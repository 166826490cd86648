"""Planning: which trials a stage runs, and which jobs it launches for itself."""

from collections.abc import Sequence
from typing import Any

from windtunnel.ledger import Job, Plan, Request
from windtunnel.ledger.stage import Stage
from windtunnel.stages.history import History
from windtunnel.stages.search import Search
from windtunnel.stages.warm_start import adopt_results


def plan_trials(search: Search, history: History, stage: Stage, requests: Sequence[Request], **facts: Any) -> Plan:
    """Fix a stage that runs these trials; lanes claim those without a result, here or in an earlier run.

    Args:
        search: at work.
        history: of the run.
        stage: an iteration, or a full training.
        requests: the stage's trials; infeasible ones have their result with the plan.
        facts: other fields of the plan.
    """
    adopt_results(search, history, requests)
    return history.create_plan(Plan(stage=stage, requests=list(requests), jobs=[], **facts))


def jobs_of(search: Search, stage: Stage, units: Sequence[str]) -> list[Job]:
    """Jobs that do these units between them, as many as there may be lanes.

    Returns:
        At least one, be it without units: Airflow skips all that follows an empty expansion.
    """
    limits = search.definition.limits
    count = max(1, min(limits.parallel or len(units), len(units)))
    return [
        Job(
            job=f"{stage.jobs}{lane}",
            stage=stage,
            units=[*units[lane::count]],
            lane=lane,
            slots=limits.slots,
        )
        for lane in range(count)
    ]
