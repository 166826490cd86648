"""A small search of digits, and what must be the same however often it is hit: its front."""

from pathlib import Path
from typing import Any

from windtunnel.ledger import Ledger, State
from windtunnel.ledger.claims import Claims

SEARCH: dict[str, Any] = {
    "workload": "windtunnel_trainer.workloads.cnn",
    "data": {"dataset": "digits"},
    "settings": {"image_size": 8, "batch_size": 32, "lr": 5e-3},
    "space": {
        "nb_layers": {"type": "int", "low": 1, "high": 4},
        "kernel_size": [1, 3, 5],
        "hidden_dim": [8, 16, 32],
    },
    "objectives": {"val_acc": "maximize", "flops": "minimize"},
    "iterations": 3,
    "trials": {"initial": 6, "per_iteration": 6},
    "epochs": {"partial": 2, "full": 5},
    "finalists": {"max": 3},
    "limits": {"parallel": 2, "trial_retries": 50},
    "seed": 3,
}
CHOICES: dict[str, Any] = {}


def definition(folder: Path, kills: int) -> dict[str, Any]:
    """Its fields. All kills may hit one trial, which has not failed for that."""
    limits = SEARCH["limits"]
    return SEARCH | {"limits": limits | {"trial_retries": max(limits["trial_retries"], kills)}}


def last_stage(paths: list[Path]) -> str:
    """The stage that was planned last, by the files of a store's runs."""
    plans = [path for path in paths if path.match("iterations/*/plan.json")]
    return plans[-1].parent.name if plans else "prepare"


def outcome(ledger: Ledger) -> dict[str, dict[str, float]]:
    """The run's front, and its models' values: what must not depend on who was killed."""
    pareto, models = ledger.read_json("pareto.json"), ledger.read_json("models.json")
    assert pareto is not None and models is not None
    return {trial["trial"]: trial["objectives"] for trial in [*pareto["trials"], *models["models"]]}


def trained_twice(ledger: Ledger) -> list[str]:
    """Trials that were started again after they had a result."""
    found = []
    for trial in ledger.outcomes():
        result = ledger.result(trial)
        assert result is not None
        found += [trial for attempt in ledger.attempts(trial) if attempt.started > result.ended]
    return found


def check(ledger: Ledger, expected: dict[str, dict[str, float]]) -> None:
    """Hold a disturbed run against the undisturbed one."""
    found = outcome(ledger)
    if ledger.search_record()["definition"]["continuous"]:
        expected = found
    differ = {trial: (expected.get(trial), found.get(trial)) for trial in expected.keys() | found.keys()}
    differ = {trial: both for trial, both in differ.items() if both[0] != both[1]}
    failed = {name: result.message for name, result in ledger.outcomes().items() if result.state is State.FAILED}
    assert not differ, f"{ledger.url}: another front: what was expected and found: {differ}; failed: {failed}"
    assert not trained_twice(ledger), f"{ledger.url}: trained twice"
    asked = [
        request.trial
        for stage in ledger.stages()
        for request in ledger.plan(stage).requests  # type: ignore[union-attr]
    ]
    assert set(asked) == set(ledger.outcomes()), f"{ledger.url}: not every trial has a result"
    listed = ledger.store.list(ledger.path("results/"))
    recorded = {entry.path.rpartition("/")[2].removesuffix(".json") for entry in listed}
    others = recorded - set(asked) - set(ledger.step_outcomes())
    assert not others, f"{ledger.url}: second results, or of nobody: {others}"
    forgotten = [claim for claim in Claims(ledger).listing().values() if claim.unit not in recorded]
    assert not forgotten, f"{ledger.url}: claimed, and never done: {forgotten}"


def starts(ledger: Ledger) -> str:
    """How often its trials were begun."""
    trials = ledger.outcomes()
    return f"{sum(len(ledger.attempts(trial)) for trial in trials)} starts of {len(trials)} trials"
