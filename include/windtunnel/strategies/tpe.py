"""Tree-structured Parzen estimators, by Optuna: driven as a pure function of the history.

The study lives in memory for one batch and is rebuilt from the history for the next.
"""

import math
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windtunnel.ledger import Trial
from windtunnel.objectives.direction import worst
from windtunnel.objectives.front import comparable, fittest
from windtunnel.space import Column, Params
from windtunnel.strategies.base import Batch, Problem, Strategy, generator
from windtunnel.strategies.builder import BatchBuilder

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_MODELLED = 400  # trials at most: the sampler sorts all it knows anew for every parameter of every suggestion
_BEST = 100  # of them, more than the sampler ever takes for good (a tenth)
_REPAIRS = 10  # mutants tried in place of a suggestion that is not new


class TPE(Strategy):
    """Optuna's TPE sampler (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011).

    A suggestion that was tried before is replaced by a near one. Classes of one's own are drawn at random.
    """

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """Ask for n new configurations; random ones while there are few results. See `Strategy.suggest`."""
        rng = generator(seed, iteration)
        builder = BatchBuilder(problem, history, rng)
        with _quiet():
            study = _study(problem, builder, rng)
            for _ in range(n):
                params = problem.canonical(_next_suggestion(study, problem, rng))
                _offer(builder, problem, problem.repaired(params, rng), rng)
        return builder.batch(n)


def _offer(builder: BatchBuilder, problem: Problem, params: Params, rng: random.Random) -> None:
    """Offer the configuration, or the first of its mutants that is new."""
    taken = builder.offer(params, **{"from": "tpe"})
    for _ in range(0 if taken else _REPAIRS):
        mutant = problem.repaired(problem.space.mutate(params, rng, rate=0.0, scale=0.1), rng)
        if builder.offer(mutant, **{"from": "tpe, repaired"}):
            break


def _study(problem: Problem, builder: BatchBuilder, rng: random.Random) -> "Study":
    """A study that knows the past trials."""
    import optuna

    # The seed is new in every iteration: with one for all, each would draw the same numbers again. Trials without a
    # result count as bad (constant_liar), or a batch would consist of near copies of one suggestion.
    sampler = optuna.samplers.TPESampler(seed=rng.getrandbits(32), constant_liar=True)
    ways = [optuna.study.StudyDirection[way.upper()] for way in problem.objectives.values()]
    study = optuna.create_study(directions=ways, sampler=sampler)
    study.add_trials(_trials(problem, builder, rng))
    return study


def _trials(problem: Problem, builder: BatchBuilder, rng: random.Random) -> "Iterator[FrozenTrial]":
    """The past trials as Optuna has them."""
    from optuna.trial import TrialState, create_trial

    columns = problem.space.columns()
    distributions = {column.name: _distribution(column) for column in columns}
    feasible = comparable(builder.trained, problem.objectives)
    feasible_configs = {trial.config for trial in feasible}
    worst_values = _worst(problem, feasible)
    for trial in _modelled(problem, builder.past, feasible, rng):
        row = zip(columns, problem.space.encode(trial.params), strict=True)
        params = {column.name: _suggested(column, value) for column, value in row if not math.isnan(value)}
        facts: dict[str, Any] = {"params": params, "distributions": {name: distributions[name] for name in params}}
        if trial.state is None:
            yield create_trial(state=TrialState.RUNNING, **facts)
        elif trial.config in feasible_configs:
            yield create_trial(values=[trial.objectives[name] for name in problem.objectives], **facts)
        elif worst_values:
            # The sampler passes over failed trials. It learns from one that has the worst values and breaks a
            # constraint.
            yield create_trial(values=worst_values, constraints={"fails": trial.violation or 1.0}, **facts)


def _modelled(problem: Problem, past: list[Trial], feasible: list[Trial], rng: random.Random) -> list[Trial]:
    """What the sampler gets to know: all, or of a long history the best and some of the others, in order."""
    if len(past) <= _MODELLED:
        return past
    best = {trial.config for trial in fittest(feasible, problem.objectives)[:_BEST]}
    others = [place for place, trial in enumerate(past) if trial.config not in best]
    chosen = set(rng.sample(others, _MODELLED - len(best)))
    return [trial for place, trial in enumerate(past) if place in chosen or trial.config in best]


def _worst(problem: Problem, feasible: list[Trial]) -> list[float]:
    """The worst value of each objective; nothing where nothing is known."""
    directions = problem.objectives.items()
    values = (worst([trial.objectives[name] for trial in feasible], direction) for name, direction in directions)
    return [value for value in values if value is not None]


def _next_suggestion(study: "Study", problem: Problem, rng: random.Random) -> Params:
    """What the sampler suggests next: a value of each parameter that is there, which may depend on those before."""
    trial, columns = study.ask(), problem.space.columns()

    def coordinate(place: int) -> float:
        column = columns[place]
        value = trial._suggest(column.name, _distribution(column))
        return float(value if column.kind == "number" else (value + 0.5) / (column.size or 1))

    return problem.space.from_coordinates(coordinate, rng)


def _distribution(column: Column) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if column.kind == "number":
        return FloatDistribution(0.0, 1.0)
    last = (column.size or 1) - 1
    return IntDistribution(0, last) if column.ordered else CategoricalDistribution(range(last + 1))


def _suggested(column: Column, value: float) -> float:
    return value if column.kind == "number" else int(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's messages are about studies that people look at; warnings are of experiments and of repeated values."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
