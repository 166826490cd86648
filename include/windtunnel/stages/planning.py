"""Planning: which trials a stage runs, and in which jobs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from windtunnel.ledger import Job, JobKind, Plan, Request
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.trial import outstanding
from windtunnel.stages.history import History
from windtunnel.stages.lanes import deal
from windtunnel.stages.search import Search
from windtunnel.stages.warm_start import adopt_results


def plan_trials(
    search: Search,
    history: History,
    stage: Stage,
    requests: Sequence[Request],
    live: Collection[str],
    **facts: Any,
) -> Plan:
    """Fix a stage that runs these trials: those without a result, here or in an earlier run, are dealt into jobs.

    Args:
        search: at work.
        history: of the run.
        stage: an iteration, or a full training.
        requests: the stage's trials; infeasible ones have their result with the plan.
        live: names of the run's jobs that live; lanes that stragglers still hold get no job, but one lane always does.
        facts: other fields of the plan.
    """
    infeasible = {request.trial for request in requests if request.infeasible}
    settled = infeasible | adopt_results(search, history, requests)
    to_do = {
        request.trial: request for request in outstanding(requests, history.results) if request.trial not in settled
    }
    jobs = deal_into_jobs(search, stage, JobKind.TRAIN, to_do, history.busy_lanes(live))
    return history.create_plan(Plan(stage=stage, requests=list(requests), jobs=jobs, **facts))


def deal_into_jobs(
    search: Search, stage: Stage, kind: JobKind, units: Mapping[str, Request], busy: Collection[int] = ()
) -> list[Job]:
    """Jobs that do these units: one on each free lane, or where lanes are not limited, one a unit.

    Args:
        search: at work.
        stage: that the jobs are of.
        kind: of the jobs.
        units: by id, each with the trial that it is about; the trial's cost is the unit's.
        busy: lanes that get no job.

    Returns:
        At least one, be it without units: Airflow skips all that follows an empty expansion.
    """
    limits = search.definition.limits
    free = _free_lanes(limits.parallel, len(units), busy)
    names = {request.trial: unit for unit, request in units.items()}
    dealt = deal(list(units.values()), len(free)) or [[]]
    return [
        Job(
            job=f"{stage.jobs}{lane}",
            kind=kind,
            stage=stage,
            units=[names[request.trial] for request in requests],
            lane=lane,
            slots=limits.slots,
        )
        for lane, requests in zip(free, dealt, strict=False)
    ]


def _free_lanes(parallel: int | None, units: int, busy: Collection[int]) -> list[int]:
    if parallel is None:
        return list(range(units)) or [0]
    return [lane for lane in range(parallel) if lane not in busy] or [0]
