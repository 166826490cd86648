"""Verifying the finalists' exported models."""

from windtunnel.lanes import deal
from windtunnel.ledger import Job, JobKind, Plan, State
from windtunnel.stages.finalists import full_stage
from windtunnel.stages.search import Search


def verification_id(trial: str) -> str:
    """The id of the unit that verifies a trial's model."""
    return f"verify-{trial}"


def plan_verification(search: Search) -> Plan:
    """Fix the verification of every fully trained finalist that has a model."""
    stage = full_stage(search).replace("full-", "verify-")
    fixed = search.ledger.plan(stage)
    if fixed is not None:
        return fixed
    training = search.ledger.plan(full_stage(search))
    outcomes = search.ledger.outcomes()
    trained = [
        request
        for request in (training.requests if training else [])
        if request.trial in outcomes and outcomes[request.trial].state is State.COMPLETED
    ]
    done = search.ledger.step_outcomes()
    to_do = [request for request in trained if verification_id(request.trial) not in done]
    jobs = [
        Job(
            job=f"{stage}-{lane}",
            kind=JobKind.VERIFY,
            stage=stage,
            units=[verification_id(request.trial) for request in requests],
            lane=lane,
        )
        for lane, requests in enumerate(deal(to_do, search.definition.limits.parallel or 1))
        if requests
    ]
    jobs = jobs or [Job(job=f"{stage}-0", kind=JobKind.VERIFY, stage=stage, units=[])]
    return search.ledger.create_plan(Plan(stage=stage, requests=[], jobs=jobs))
