"""Verifying the finalists' exported models."""

from windtunnel.ledger import JobKind, Plan, State
from windtunnel.ledger.ids import verification_id
from windtunnel.stages.finalists import full_stage
from windtunnel.stages.planning import deal_into_jobs
from windtunnel.stages.search import Search


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
    to_do = {verification_id(request.trial): request for request in trained}
    left = {unit: request for unit, request in to_do.items() if unit not in done}
    jobs = deal_into_jobs(search, stage, JobKind.VERIFY, left)
    return search.ledger.create_plan(Plan(stage=stage, requests=[], jobs=jobs))
