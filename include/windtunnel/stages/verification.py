"""Verifying the finalists' exported models."""

from windtunnel.definition.program import workload_of
from windtunnel.ledger import Plan, State
from windtunnel.ledger.ids import verification_id
from windtunnel.ledger.records import owed
from windtunnel.ledger.trial import ended
from windtunnel.stages.finalists import full_stage
from windtunnel.stages.history import History
from windtunnel.stages.planning import jobs_of
from windtunnel.stages.search import Search


def plan_verification(search: Search) -> Plan:
    """Fix the verification of every fully trained finalist; of none where the workload has no `verify`."""
    history = History(search.ledger)
    training = full_stage(search, history)
    stage = training.verification
    plan = history.plan(stage)
    if plan is not None:
        return plan
    requests = history.plans[training].requests if training in history.plans else []
    verifies = workload_of(search.definition).verify is not None
    trained = ended(requests, history.results) if verifies else []
    checked = search.ledger.step_outcomes()
    units = owed((verification_id(trial.trial) for trial in trained if trial.state is State.COMPLETED), checked)
    jobs = jobs_of(search, stage, units)
    return history.create_plan(Plan(stage=stage, requests=[], jobs=jobs))
