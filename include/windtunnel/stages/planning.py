"""Planning: which trials a stage runs, and in which jobs."""

from collections.abc import Collection, Mapping

from windtunnel.lanes import deal
from windtunnel.ledger import Job, JobKind, Plan, Request, Result, State
from windtunnel.stages.search import Search
from windtunnel.stages.warm_start import adopt_results


def plan_trials(search: Search, stage: str, asked: list[Request], busy: Collection[int] = (), note: str = "") -> Plan:
    """Fix a stage that runs these trials: those without a result, here or in an earlier run, are dealt into jobs.

    Args:
        search: at work.
        stage: an iteration's number, or `full-<k>`.
        asked: the stage's trials; infeasible ones get their result here and now.
        busy: lanes that stragglers still hold; they get no job, but one lane always does.
        note: for people.
    """
    for request in asked:
        search.ledger.begin_trial(request)
        if request.infeasible:
            search.ledger.record(_infeasible(request))
    adopt_results(search, asked)
    have = search.ledger.outcomes()
    to_do = [request for request in asked if request.trial not in have]
    jobs = deal_into_jobs(search, stage, JobKind.TRAIN, {request.trial: request for request in to_do}, busy)
    return search.ledger.create_plan(Plan(stage=stage, requests=asked, jobs=jobs, note=note))


def deal_into_jobs(
    search: Search, stage: str, kind: JobKind, units: Mapping[str, Request], busy: Collection[int] = ()
) -> list[Job]:
    """Jobs that do these units: one on each free lane, or where lanes are not limited, one a unit.

    Args:
        search: at work.
        stage: that the jobs are of.
        kind: of the jobs.
        units: by id, each with the trial that it is about; the trial's cost is the unit's.
        busy: lanes that get no job.

    Returns:
        At least one: an empty expansion would skip all that follows in Airflow, so an idle job stands for nothing.
    """
    limits = search.definition.limits
    free = _free_lanes(limits.parallel, len(units), busy)
    names = {request.trial: unit for unit, request in units.items()}
    dealt = deal(list(units.values()), len(free)) or [[]]
    return [
        Job(
            job=f"{stage}-{lane}",
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


def _infeasible(request: Request) -> Result:
    return Result(
        trial=request.trial,
        state=State.INFEASIBLE,
        metrics=dict(request.known),
        kind="infeasible",
        message=request.infeasible or "",
        attempts=0,
    )
