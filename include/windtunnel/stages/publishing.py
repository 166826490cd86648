"""Publishing: the front and the verified models, as files of the run."""

from dataclasses import dataclass
from typing import Any

from windtunnel.errors import SearchError
from windtunnel.front import knee
from windtunnel.ledger import Request, Result, State
from windtunnel.ledger.ids import verification_id
from windtunnel.stages.finalists import full_stage
from windtunnel.stages.history import requests
from windtunnel.stages.search import Search


@dataclass(frozen=True, slots=True)
class Published:
    """The best verified model.

    Attributes:
        trial: its trial.
        objectives: of the fully trained trial.
        test: what verification measured on the test data.
        onnx: URL of the model.
        models: how many models are verified.
    """

    trial: str
    objectives: dict[str, float]
    test: dict[str, float | None]
    onnx: str
    models: int


def publish(search: Search) -> Published:
    """Write `pareto.json` and `models.json`, and tell the best verified model.

    That is the best by the first objective of those that keep the constraints, or of all where none does.

    Raises:
        SearchError: no finalist passed verification.
    """
    write_front(search)
    models = _models(search)
    search.ledger.write_json("models.json", {"search": search.definition.name, "models": models})
    verified = [model for model in models if model["verified"]]
    if not verified:
        reasons = "; ".join(f"{model['trial']}: {model['error'] or model['state']}" for model in models)
        raise SearchError(
            f"{search.ledger.url}: no finalist passed, so nothing is published ({reasons or 'no finalists'})"
        )
    name, direction = next(iter(search.definition.objectives.items()))
    sign = 1 if direction == "maximize" else -1
    best = max(verified, key=lambda model: (not model["violation"], sign * model["objectives"][name]))
    search.ledger.finish(search.session.session)
    return Published(
        trial=best["trial"],
        objectives=best["objectives"],
        test=best["test"],
        onnx=f"{search.ledger.url}/{best['onnx']}",
        models=len(verified),
    )


def write_front(search: Search) -> None:
    """Write `pareto.json`: the front that the last selection knew, and which trial is at its knee."""
    k = search.ledger.iterations_done()
    known = search.ledger.known(str(k))
    asked = requests(search.ledger, k)
    outcomes = search.ledger.outcomes()
    front = known.front if known is not None else []
    bend = knee((outcomes[trial] for trial in front), search.definition.objectives)
    search.ledger.write_json(
        "pareto.json",
        {
            "search": search.definition.name,
            "run": search.ledger.run,
            "objectives": dict(search.definition.objectives),
            "hypervolume": known.hypervolume if known else None,
            "reference": known.reference if known else [],
            "knee": bend.trial if bend else None,
            "trials": [_described(asked[trial], outcomes[trial]) for trial in front],
        },
    )


def _models(search: Search) -> list[dict[str, Any]]:
    plan = search.ledger.plan(full_stage(search))
    outcomes = search.ledger.outcomes()
    checks = search.ledger.step_outcomes()
    models = []
    for request in plan.requests if plan else []:
        outcome, check = outcomes.get(request.trial), checks.get(verification_id(request.trial))
        if outcome is None:
            continue
        verified = check is not None and check.state is State.COMPLETED
        models.append(
            _described(request, outcome)
            | {
                "state": outcome.state,
                "test": check.metrics if check else {},
                "verified": verified,
                "onnx": f"trials/{request.trial}/model.onnx",
                "error": _error(search, request, outcome, verified),
            }
        )
    return models


def _described(request: Request, outcome: Result) -> dict[str, Any]:
    return {
        "trial": request.trial,
        "config": request.config,
        "params": request.params,
        "epochs": request.epochs,
        "iteration": request.iteration,
        "objectives": outcome.objectives,
        "metrics": outcome.metrics,
        "violation": outcome.violation,
    }


def _error(search: Search, request: Request, outcome: Result, verified: bool) -> str:
    if verified:
        return ""
    unit = request.trial if outcome.state is State.FAILED else verification_id(request.trial)
    result = search.ledger.result(unit)
    return f"{result.kind}: {result.message}" if result else "not verified"
