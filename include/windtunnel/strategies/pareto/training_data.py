"""What the history gives a model to learn from: values, failures, and what is under way."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from windtunnel.ledger import Trial
from windtunnel.objectives.constraint import Constraint
from windtunnel.objectives.direction import sign, told
from windtunnel.space import Params
from windtunnel.strategies.base import Problem
from windtunnel.strategies.pareto.encoding import Row
from windtunnel.strategies.pareto.gain import ranks
from windtunnel.strategies.pareto.kernel import Array

_TRIALS = 500  # that two models are made of, where there are more


@dataclass(frozen=True)
class Example:
    """One trial of the space.

    Attributes:
        trial: as the history has it, its parameters canonical.
        known: values known before training.
        values: (m,), its objectives, all turned so that less is better; nan where it has none.
        failed: whether it ended without values, or breaks constraints whose values nobody knows.
    """

    trial: Trial
    known: Mapping[str, float]
    values: Array
    failed: bool

    @property
    def ended(self) -> bool:
        """Whether it has a result, be it a failure."""
        return self.trial.state is not None

    @property
    def counts(self) -> bool:
        """Whether it may be on a front: it has all objectives and keeps all constraints."""
        return bool(np.isfinite(self.values).all()) and self.trial.violation == 0

    def row(self, epochs: float | None = None) -> Row:
        """The configuration after its own epochs, or after others."""
        return Row(self.trial.params, self.known, self.trial.epochs if epochs is None else epochs)


class TrainingData:
    """What is known of the trials.

    Attributes:
        trials: those that models are made of: of very many the ones on the best fronts, those under way, and others.
        epochs: the most that a trial was trained to, which candidates are compared at.
        ended: how many of all trials have a result, be it a failure.
        valued: how many of all trials have all objectives, whether they keep the constraints or not.
        signs: -1 for objectives to be maximised, 1 for others, by name.
        worst: (m,), the objectives' bounds, turned as the values are; infinite where there is none.
        bounds: name, least and greatest value of each constraint; objectives' are turned as their values are.
    """

    def __init__(self, problem: Problem, past: Sequence[Trial], rng: np.random.Generator) -> None:
        """Gather it.

        Args:
            problem: what is searched for.
            past: all that was asked for so far, with canonical parameters.
            rng: decides which trials are kept of very many.
        """
        self.signs = {name: sign(direction) for name, direction in problem.objectives.items()}
        self.bounds = [(name, *self._turned(name, bound)) for name, bound in problem.constraints.items()]
        greatest = {name: high for name, _, high in self.bounds}
        self.worst = np.array([greatest.get(name, math.inf) for name in self.signs])
        self.epochs = max((trial.epochs for trial in past if trial.state is not None), default=0.0)
        trials = [self._example(trial) for trial in past]
        self.ended = sum(trial.ended for trial in trials)
        self.valued = sum(bool(np.isfinite(trial.values).all()) for trial in trials)
        most = shared(_TRIALS, len(self.signs) + len(self.bounds))
        kept = trials if len(trials) <= most else _best(trials, most, rng)
        self.trials = [
            replace(one, known={**(problem.known_or_none(one.trial.params) or {}), **one.known}) for one in kept
        ]

    def rows(self, *, earlier: bool) -> list[Row]:
        """The trials' configurations after their own epochs, and after the fewer ones that values are known of.

        Those under way may have been asked for more epochs than any that has ended: that many tell nothing yet.
        """
        rows = []
        for trial in self.trials:
            before = trial.trial.earlier if earlier else ()
            epochs = [min(trial.trial.epochs, self.epochs), *(one for one in before if one < self.epochs)]
            rows += [trial.row(one) for one in epochs]
        return rows

    def values(self, name: str, *, earlier: bool) -> tuple[list[Row], Array]:
        """What is known of one objective: the configurations, and their values, of which less is better.

        Args:
            name: of the objective.
            earlier: whether values after fewer epochs are wanted too.
        """
        rows, values = [], []
        place = list(self.signs).index(name)
        for trial in self.trials:
            own = [self._value(name, one.objectives) for one in trial.trial.repeats]
            for value in own or [trial.values[place]]:  # of each seed: that is how the noise is learnt
                if np.isfinite(value):
                    rows.append(trial.row())
                    values.append(value)
            for epochs, objectives in trial.trial.earlier.items() if earlier else ():
                value = self._value(name, objectives)
                if np.isfinite(value) and epochs < self.epochs:
                    rows.append(trial.row(epochs))
                    values.append(value)
        return rows, np.array(values)

    def measured(self, name: str) -> tuple[list[Row], Array]:
        """What is known of a measured value that is no objective: the configurations, and what it came to."""
        pairs = [(trial.row(), trial.trial.metrics.get(name)) for trial in self.trials if trial.ended]
        kept = [(row, value) for row, value in pairs if value is not None and told(value)]
        return [row for row, _ in kept], np.array([value for _, value in kept])

    def elites(self, n: int) -> list[Params]:
        """The n best configurations: front by front, and then those that break the constraints least."""
        counting = [trial for trial in self.trials if trial.counts]
        if counting:
            order = np.argsort(ranks(np.array([trial.values for trial in counting])), kind="stable")
            counting = [counting[index] for index in order]
        others = [trial for trial in self.trials if np.isfinite(trial.values).all() and not trial.counts]
        others.sort(key=lambda trial: trial.trial.violation)
        return [each.trial.params for each in [*counting, *others][:n]]

    def _turned(self, name: str, bound: Constraint) -> tuple[float, float]:
        low = -math.inf if bound.min is None else bound.min
        high = math.inf if bound.max is None else bound.max
        return (-high, -low) if self.signs.get(name, 1.0) < 0 else (low, high)

    def _value(self, name: str, objectives: Mapping[str, float]) -> float:
        """An objective, turned so that less is better; nan where there is none, or one that says nothing."""
        value = objectives.get(name, math.nan)
        return self.signs[name] * value if told(value) else math.nan

    def _example(self, trial: Trial) -> Example:
        values = np.array([self._value(name, trial.objectives) for name in self.signs])
        measured = {**trial.objectives, **trial.metrics, **trial.known}
        explained = bool(self.bounds) and all(told(measured.get(name)) for name, _, _ in self.bounds)
        failed = not np.isfinite(values).all() or (trial.violation > 0 and not explained)
        return Example(trial, trial.known, values, failed)


def shared(trials: int, models: int) -> int:
    """So many trials that more than two models made of them take little longer than two of as many as given."""
    return int(trials * math.sqrt(2 / max(models, 2)))


def _best(trials: list[Example], most: int, rng: np.random.Generator) -> list[Example]:
    counting = [index for index, trial in enumerate(trials) if trial.counts]
    kept: list[int] = []
    if counting:
        order = np.argsort(ranks(np.array([trials[index].values for index in counting])), kind="stable")
        kept = [counting[index] for index in order[: most * 2 // 3]]
    others = np.setdiff1d(np.arange(len(trials)), kept)
    first = sorted(rng.permutation(others).tolist(), key=lambda index: trials[index].ended)  # those under way
    kept += first[: most - len(kept)]
    return [trials[index] for index in sorted(kept)]
