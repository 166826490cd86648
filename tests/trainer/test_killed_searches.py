"""Searches with early stopping whose trainer is killed in every configuration end as those that were left alone."""

import os
import signal
import subprocess
import sys

import pytest

from windtunnel.definition.model import Definition
from windtunnel.ledger import Job, Ledger, State
from windtunnel.ledger.queue import open_queue, unfinished
from windtunnel.stages import begin, goes_on, prepare_job, select, suggest
from windtunnel.stores.local import LocalStore

pytestmark = [pytest.mark.slow, pytest.mark.long]

RULES = {
    "halving": {"halving": {"rungs": [3], "factor": 2}},
    "bandit": {"bandit": {"slack_amount": 0.05, "delay_evaluation": 2}},
}


@pytest.mark.parametrize("rule", RULES)
def test_a_killed_search_ends_the_same(tmp_path, rule):
    whole = search(tmp_path / "whole", RULES[rule], kill=False)
    killed = search(tmp_path / "killed", RULES[rule], kill=True)
    stages = whole.stages()
    assert killed.stages() == stages
    assert [killed.plan(stage) for stage in stages] == [whole.plan(stage) for stage in stages]
    assert [killed.selection(stage) for stage in stages] == [whole.selection(stage) for stage in stages]
    assert outcomes(killed) == outcomes(whole)
    assert sum(outcome.attempts > 1 for outcome in killed.outcomes().values()) >= 4
    what = {decision.what for stage in stages for decision in whole.selection(stage).decisions}
    if rule == "halving":
        assert {"promote", "hold"} <= what
        assert {request.epochs for stage in stages for request in whole.plan(stage).requests} == {3, 6}
    else:
        assert "stop" in what
        stopped = [trial for trial, outcome in whole.outcomes().items() if outcome.state is State.STOPPED]
        for trial in stopped:
            assert decisions(killed, trial) == decisions(whole, trial)
            assert whole.store.get(whole.trial_path(trial, "model.onnx"))


def search(folder, early_stopping, *, kill):
    """A search of two iterations on one lane, by real trainer processes."""
    definition = Definition.model_validate(
        {
            "name": "toy",
            "workload": "tests.workloads.quick",
            "space": {"width": [1, 2, 4, 8], "depth": [1, 2, 4, 8]},
            "objectives": {"val_acc": "maximize", "params": "minimize"},
            "strategy": {"name": "random"},
            "iterations": 2,
            "trials": {"initial": 4, "per_iteration": 3},
            "epochs": {"partial": 6, "full": 6},
            "early_stopping": early_stopping,
            "limits": {"parallel": 1, "linger": 0.1},
        }
    )
    session = begin(definition, Ledger(LocalStore(folder), "toy", "run"), "s1")
    ledger = session.ledger
    died = folder / "died"
    died.mkdir()
    settings = {"DIE_ONCE_IN": str(died)} if kill else {}
    train(ledger, prepare_job(session).job)
    for group in (1, 2):
        if not goes_on(session, group):
            break
        stage = suggest(session, group).stage
        open_queue(ledger, stage)
        while unfinished(ledger, [stage], ledger.ended()):
            assert train(ledger, Job.of_lane(ledger.own_turn.number, 0).job, **settings) in (0, -signal.SIGKILL)
        select(session, group)
    return ledger


def train(ledger, job, **settings):
    """Run a job; its exit code."""
    environment = os.environ | {"WINDTUNNEL_CHECKPOINT_SECONDS": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "windtunnel_trainer", ledger.url, job, "--digest", ledger.digest]
    return subprocess.run(command, env=environment | settings, check=False).returncode


def outcomes(ledger):
    return {
        trial: (outcome.state, outcome.objectives, outcome.kind, outcome.epoch)
        for trial, outcome in ledger.outcomes().items()
    }


def decisions(ledger, trial):
    return ledger.store.get(ledger.trial_path(trial, "decisions.json"))
