"""Which parameters decide how good a trial is."""

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from windtunnel.ledger import Trial
from windtunnel.ledger.trial import feasible_trials
from windtunnel.objectives.direction import loss
from windtunnel.report.snapshot import Snapshot

_LEAST = 10  # trials, below which nothing can be said
_MOST = 1000  # trials, above which every other or third one tells as much
_ABSENT = "absent"
_BINS = 4  # that a number falls into where some trials do not have the parameter


def importance(snapshot: Snapshot) -> dict[str, Any]:
    """How much each parameter decides whether a trial is among the best tenth, for each objective.

    By PED-ANOVA (Watanabe, Bansal and Hutter, "PED-ANOVA: efficiently quantifying hyperparameter importance in
    arbitrary subspaces", 2023), as Optuna has it. Shares of an objective add up to 1.

    Returns:
        `objectives` by name: pairs of a parameter and its share, the largest first; how many configurations, `trials`,
        were compared `of` how many; and `missing`, why there are none, where there are none.
    """
    completed = feasible_trials(snapshot.trials)  # under halving a configuration is there once, as far as it has come
    fit = completed[:: math.ceil(len(completed) / _MOST) or 1]
    answer: dict[str, Any] = {"trials": len(fit), "of": len(completed)}
    answer |= {"method": "PED-ANOVA", "objectives": {}, "missing": ""}
    if len(fit) < _LEAST:
        return answer | {"missing": f"It takes {_LEAST} completed configurations; there are {len(fit)}."}
    try:
        import optuna
    except ImportError:
        return answer | {"missing": 'It takes Optuna: pip install "windtunnel[strategies]".'}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    columns = _columns(fit)
    if not columns:
        return answer | {"missing": "Every parameter has one value only."}
    names = [name for name in snapshot.objectives if _tells([trial.objectives.get(name) for trial in fit])]
    return answer | {"objectives": _shares(columns, fit, {name: snapshot.objectives[name] for name in names})}


def _tells(values: Sequence[float | None]) -> bool:
    """Whether there are enough values of an objective, and not all the same."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return len(finite) >= _LEAST and len(set(finite)) > 1


def _shares(
    columns: dict[str, list[Any]], trials: Sequence[Trial], objectives: Mapping[str, str]
) -> dict[str, list[list[Any]]]:
    """The shares by objective. The trials are one study for all of them, for copying them into it takes the time."""
    from optuna import create_study
    from optuna.trial import create_trial

    if not objectives:
        return {}
    spaces = {name: _distribution(column) for name, column in columns.items()}
    study = create_study(directions=["minimize"] * len(objectives))
    for place, trial in enumerate(trials):
        study.add_trial(
            create_trial(
                params={name: column[place] for name, column in columns.items()},
                distributions=spaces,
                values=[_loss(trial, name, direction) for name, direction in objectives.items()],
            )
        )
    return {name: _shares_of(study, place) for place, name in enumerate(objectives)}


def _shares_of(study: Any, place: int) -> list[list[Any]]:
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is for minimising, which `_loss` has seen to
        shares = get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(), target=lambda trial: trial.values[place]
        )
    return [[name, share if math.isfinite(share) else 0.0] for name, share in shares.items()]


def _loss(trial: Trial, objective: str, direction: str) -> float:
    """The value turned so that less is better; an infinite one, which is never compared, where there is none."""
    return loss(trial.objectives[objective], direction) if objective in trial.objectives else math.inf


def _columns(trials: Sequence[Trial]) -> dict[str, list[Any]]:
    """One value a trial of each parameter that varies: a number, or text of anything else."""
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    columns = {name: _column([trial.params.get(name) for trial in trials]) for name in names}
    return {name: column for name, column in columns.items() if len(set(column)) > 1}


def _column(values: list[Any]) -> list[Any]:
    present = [value for value in values if value is not None]
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present)
    if numbers and len(present) == len(values):
        return [float(value) for value in values]
    if numbers and len(set(present)) > _BINS:
        edges = statistics.quantiles(present, n=_BINS)
        return [_ABSENT if value is None else str(sum(value > edge for edge in edges)) for value in values]
    return [_ABSENT if value is None else str(value) for value in values]


def _distribution(column: list[Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(column[0], str):
        return CategoricalDistribution(sorted(set(column)))
    low, high = min(column), max(column)
    return FloatDistribution(low, high, log=low > 0 and high / low > 100)
