"""Publishing: the front and the verified models, as files of the run."""

from dataclasses import dataclass
from typing import Any

from windtunnel.errors import SearchError
from windtunnel.ledger import State, Trial
from windtunnel.ledger.ids import verification_id
from windtunnel.objectives.direction import loss
from windtunnel.objectives.front import knee
from windtunnel.stages.finalists import full_stage
from windtunnel.stages.history import History
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
    history = History(search.ledger)
    write_front(search, history)
    models = _models(search, history)
    search.ledger.write_json("models.json", {"search": search.definition.name, "models": models})
    verified = [model for model in models if model["verified"]]
    if not verified:
        reasons = "; ".join(f"{model['trial']}: {model['error'] or model['state']}" for model in models)
        raise SearchError(
            f"{search.ledger.url}: no finalist passed, so nothing is published ({reasons or 'no finalists'})"
        )
    name, direction = next(iter(search.definition.objectives.items()))
    best = min(verified, key=lambda model: (model["violation"] > 0, loss(model["objectives"][name], direction)))
    search.ledger.finish(search.session.session)
    return Published(
        trial=best["trial"],
        objectives=best["objectives"],
        test=best["test"],
        onnx=f"{search.ledger.url}/{best['onnx']}",
        models=len(verified),
    )


def refuse(search: Search) -> None:
    """End a run whose finalists nobody wants: the front is written, nothing is trained fully or published."""
    write_front(search)
    search.ledger.finish(search.session.session)


def write_front(search: Search, history: History | None = None) -> None:
    """Write `pareto.json`: the front that the last selection knew, and which trial is at its knee.

    Args:
        search: at work.
        history: of the run, where it has been read.
    """
    history = history or History(search.ledger)
    k = history.iterations_done
    selection, requests = history.selection(k), history.requests(k)
    front = [Trial(requests[trial], history.results[trial]) for trial in (selection.front if selection else [])]
    bend = knee(front, search.definition.objectives)
    search.ledger.write_json(
        "pareto.json",
        {
            "search": search.definition.name,
            "run": search.ledger.run,
            "objectives": dict(search.definition.objectives),
            "hypervolume": selection.hypervolume if selection else None,
            "reference": selection.reference if selection else [],
            "knee": bend.trial if bend else None,
            "trials": [_described(trial) for trial in front],
        },
    )


def _models(search: Search, history: History) -> list[dict[str, Any]]:
    plan = history.plans.get(full_stage(search, history))
    checks = search.ledger.step_outcomes()
    models = []
    for request in plan.requests if plan else []:
        if request.trial not in history.results:
            continue
        trial = Trial(request, history.results[request.trial])
        check = checks.get(verification_id(trial.trial))
        verified = check is not None and check.state is State.COMPLETED
        models.append(
            _described(trial)
            | {
                "state": trial.state,
                "test": check.metrics if check else {},
                "verified": verified,
                "onnx": f"trials/{trial.trial}/model.onnx",
                "error": _error(search, trial, verified),
            }
        )
    return models


def _described(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "config": trial.config,
        "params": trial.params,
        "epochs": trial.request.epochs,
        "iteration": trial.iteration,
        "objectives": trial.objectives,
        "metrics": trial.metrics,
        "violation": trial.violation,
    }


def _error(search: Search, trial: Trial, verified: bool) -> str:
    if verified:
        return ""
    unit = trial.trial if trial.state is State.FAILED else verification_id(trial.trial)
    result = search.ledger.result(unit)
    return f"{result.kind}: {result.message}" if result else "not verified"
