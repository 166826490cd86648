"""Publishing: the front and the finalists' models, as files of the run."""

from typing import Any

from windtunnel.errors import SearchError
from windtunnel.ledger import Ledger, Model, Verdict
from windtunnel.ledger.artifacts import artifacts, is_model
from windtunnel.ledger.model import best_first
from windtunnel.ledger.stragglers import newcomers
from windtunnel.ledger.trial import Trial, ended
from windtunnel.objectives.front import knee
from windtunnel.stages.finalists import full_stage
from windtunnel.stages.history import History
from windtunnel.stages.search import Search


def publish(search: Search) -> list[Model]:
    """Write `pareto.json` and `models.json`, and tell the models that may be used, the best first.

    Which is the best is for `best_first` to say.

    Raises:
        SearchError: no finalist is trained, or none passed verification.
    """
    history = History(search.ledger)
    write_front(search, history)
    models = _models(search, history)
    described = [_described_model(search, model) for model in models]
    search.ledger.write_json("models.json", {"search": search.definition.name, "models": described})
    usable = [model for model in models if model.usable]
    if not usable:
        reasons = "; ".join(f"{each['trial']}: {each['error'] or Verdict.UNVERIFIED}" for each in described)
        raise SearchError(
            f"{search.ledger.url}: no finalist passed, so nothing is published ({reasons or 'no finalists'})"
        )
    search.ledger.finish(search.session.session)
    return best_first(usable, *next(iter(search.definition.objectives.items())))


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
    selection = history.selection(k)
    requests = history.requested(selection.front, k) if selection else []
    known = {trial.trial: trial for trial in history.trials(k)}
    front = [known[request.trial] for request in requests if request.trial in known]
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
            "late": [_described(trial) for trial in _late(search, history, k)],
        },
    )


def _late(search: Search, history: History, k: int) -> list[Trial]:
    """Trials that ended after the finalists were chosen, and belong on the front."""
    selection = history.selection(k)
    tried = ended(history.requests(k).values(), history.results) if selection else []
    return newcomers(tried, selection.results, search.problem.objectives) if selection else []


def _models(search: Search, history: History) -> list[Model]:
    stage, steps = full_stage(search, history), search.ledger.step_outcomes()
    requests = history.plans[stage].requests if stage in history.plans else []
    verification = history.plans.get(stage.verification)
    return [
        Model.of(trial, steps, verification, search.ledger.onnx_digest(trial.trial))
        for trial in ended(requests, history.results)
    ]


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
        "repeats": max(1, len(trial.repeats)),
        "errors": dict(trial.errors),
    }


def _described_model(search: Search, model: Model) -> dict[str, Any]:
    failure = model.failure and search.ledger.result(model.failure.trial)  # the whole of it: a listing cuts messages
    return _described(model.trial) | {
        "state": model.trial.state,
        "verdict": model.verdict,
        "test": model.test,
        "onnx": model.onnx,
        "sha256": model.sha256,
        "files": [] if model.onnx else _own_files(search.ledger, model.trial.trial),
        "error": f"{failure.kind}: {failure.message}" if failure else "",
    }


def _own_files(ledger: Ledger, trial: str) -> list[str]:
    """Paths, in the run's folder, of the models that a trial saved in formats of their own."""
    base = ledger.path("")
    return [entry.path.removeprefix(base) for entry in artifacts(ledger, trial).values() if is_model(entry)]
