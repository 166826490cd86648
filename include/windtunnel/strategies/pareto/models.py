"""Models of what only training can tell: objectives, measured constraints, and whether a trial fails."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from windtunnel.strategies.base import Problem
from windtunnel.strategies.pareto import Pareto
from windtunnel.strategies.pareto.candidates import Pool
from windtunnel.strategies.pareto.encoding import Encoder, Row
from windtunnel.strategies.pareto.ensemble import Ensemble, Prediction
from windtunnel.strategies.pareto.kernel import Array, Features, Kernel
from windtunnel.strategies.pareto.model import FITTED
from windtunnel.strategies.pareto.training_data import TrainingData, shared

_FEW = 3  # trials a group of columns, below which models are young, and the additive term alone tells more
_MANY = 250  # trials beyond which two models would take too long
_SURELY = 1e-3  # the least probability of success: a model of failures may be wrong


class Models:
    """A model of each objective that must be trained for and of each measured constraint, and one of failures.

    Attributes:
        exact: objectives that are known before training.
        learnt: the other objectives.
        bounds: name, least and greatest value of each constraint that a model tells of.
        young: whether there are so few trials that means are hardly to be trusted.
        values: models of objectives and of measured constraints, by name.
    """

    def __init__(
        self, problem: Problem, data: TrainingData, pool: Pool, options: Pareto.Options, rng: np.random.Generator
    ) -> None:
        """Fit the models.

        Args:
            problem: what is searched for.
            data: at least one trial with values.
            pool: the candidates.
            options: of the strategy.
            rng: decides which trials the models are fitted to, where there are many.
        """
        self.exact = pool.exact(problem.objectives) if options.exact else []
        self.learnt = [name for name in problem.objectives if name not in self.exact]
        self._data, self._options, self._rng = data, options, rng
        known = list(pool.known[0])
        hints = list(dict.fromkeys([*self.exact, *known])) if options.hints else []
        rows = data.rows(earlier=options.earlier) + pool.rows(data.epochs)
        self._encoder = Encoder(problem.space, rows, hints)
        self._kernel = Kernel(self._encoder.groups, additive=options.additive)
        self.young = data.ended < _FEW * self._encoder.groups.count
        count = len(self.learnt) + len(data.bounds)
        self._fitted, self._both = shared(FITTED, count), shared(_MANY, count)
        self.values = {name: self._objective(name) for name in self.learnt}
        for name, _, _ in data.bounds if options.fitness else ():
            if name not in self.learnt and name not in known:
                self._add_constraint(name)
        self.bounds = [bound for bound in data.bounds if options.fitness and bound[0] in self.values]
        self._failures = self._failing() if options.fitness else None

    def features(self, rows: Sequence[Row]) -> Features:
        """Configurations as the models see them."""
        return self._encoder(rows)

    def log_success(self, features: Features) -> Array:
        """(n,): the logarithm of the probability that a trial does not fail."""
        if self._failures is None:
            return np.zeros(len(features))
        return np.log(np.clip(1 - self._failures.predict(features).values(0.0), _SURELY, 1.0))

    def exact_values(self, name: str, rows: Sequence[Row]) -> Array:
        """(n,): an objective that is known before training, turned so that less is better."""
        return self._data.signs[name] * np.array([row.known.get(name, np.nan) for row in rows])

    def _objective(self, name: str) -> Ensemble:
        """With the additive term; where there are neither few nor very many trials, together with one without it."""
        rows, values = self._data.values(name, earlier=self._options.earlier)
        kernels, both = [self._kernel], self._options.additive and self._options.ensemble
        if both and _FEW * self._encoder.groups.count <= len(rows) <= self._both:
            kernels.append(Kernel(self._encoder.groups, additive=False))
        return self._fit(kernels, rows, values)

    def _add_constraint(self, name: str) -> None:
        rows, values = self._data.measured(name)
        if len(values) > 1:
            self.values[name] = self._fit([self._kernel], rows, values)

    def _fit(self, kernels: Sequence[Kernel], rows: Sequence[Row], values: Array) -> Ensemble:
        # A warp may blur what is far from the best. With one objective that does not count; on a front everything does.
        cautious, warp = len(self._data.signs) > 1, self._options.warp
        features = self._encoder(rows)
        return Ensemble.fitted(kernels, features, values, self._rng, warp=warp, cautious=cautious, most=self._fitted)

    def _failing(self) -> Ensemble | None:
        """A model of what is 1 where a trial failed and 0 where it did not; None where nothing failed."""
        ended = [trial for trial in self._data.trials if trial.ended]
        failed = np.array([float(trial.failed) for trial in ended])
        if not failed.any():
            return None
        features = self._encoder([trial.row() for trial in ended])
        return Ensemble.fitted([self._kernel], features, failed, self._rng, warp=False)


class Forecast:
    """What candidates are expected to come to, and how that changes as some of them are taken into the batch."""

    def __init__(self, models: Models, rows: Sequence[Row]) -> None:
        """A forecast of these configurations."""
        features = models.features(rows)
        self._models = models
        self._predictions = {name: model.predict(features) for name, model in models.values.items()}
        self._exact = {name: models.exact_values(name, rows) for name in models.exact}
        self._log_success = models.log_success(features)

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self._log_success)

    def __getitem__(self, objective: str) -> Prediction | Array:
        """An objective of all candidates: what is expected, or what it is."""
        return self._exact[objective] if objective in self._exact else self._predictions[objective]

    def expected(self, place: int) -> dict[str, float]:
        """The objectives that a candidate is expected to come to, by name."""
        learnt = {name: float(self._predictions[name].values(0.0, [place])[0]) for name in self._models.learnt}
        return learnt | {name: float(values[place]) for name, values in self._exact.items()}

    def log_feasible(self, places: NDArray[np.int_]) -> Array:
        """(n,): the logarithm of the probability that candidates succeed and keep all measured constraints.

        It is the product of the probabilities of each (Gardner et al., "Bayesian Optimization with Inequality
        Constraints", 2014).
        """
        total = self._log_success[places].copy()
        for name, low, high in self._models.bounds:
            total += self._predictions[name].log_between(low, high, places)
        return total

    def take(self, place: int, worse: float = 0.0) -> None:
        """Believe what a candidate will turn out as: what resembles it becomes less uncertain.

        Args:
            place: of the candidate.
            worse: standard deviations that its objectives turn out worse than expected.
        """
        for name, prediction in self._predictions.items():
            prediction.take(place, worse if name in self._models.learnt else 0.0)

    def keep(self, places: NDArray[np.int_]) -> None:
        """Forget all candidates but some, in this order."""
        for prediction in self._predictions.values():
            prediction.keep(places)
        self._exact = {name: values[places] for name, values in self._exact.items()}
        self._log_success = self._log_success[places]

    def extend(self, rows: Sequence[Row]) -> None:
        """Let further candidates in."""
        features = self._models.features(rows)
        for prediction in self._predictions.values():
            prediction.extend(features)
        for name, values in self._exact.items():
            self._exact[name] = np.concatenate([values, self._models.exact_values(name, rows)])
        self._log_success = np.concatenate([self._log_success, self._models.log_success(features)])
