"""What candidates are expected to add to the front, by models of what must be trained for."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from windtunnel.space import Params
from windtunnel.strategies.base import Problem
from windtunnel.strategies.pareto import Pareto
from windtunnel.strategies.pareto.candidates import Pool
from windtunnel.strategies.pareto.encoding import Encoder, Row
from windtunnel.strategies.pareto.ensemble import Ensemble, Prediction
from windtunnel.strategies.pareto.expectation import expected_gain
from windtunnel.strategies.pareto.feasibility import Feasibility
from windtunnel.strategies.pareto.gain import Front, reference
from windtunnel.strategies.pareto.kernel import Array, Kernel
from windtunnel.strategies.pareto.model import FITTED
from windtunnel.strategies.pareto.ranking import Ranking
from windtunnel.strategies.pareto.training_data import TrainingData

_FEW = 3  # trials a group of columns, below which the additive term alone tells more
_MANY = 250  # trials beyond which two models would take too long


class Acquisition:
    """The logarithm of the expected gain times the probability that a candidate succeeds and keeps all constraints.

    While nothing is known to be feasible, the probability alone counts.
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
        self._problem = problem
        self._data = data
        self._pool = pool
        self._options = options
        self._rng = rng
        self._exact = pool.exact(problem.objectives) if options.exact else []
        self._learnt = [name for name in problem.objectives if name not in self._exact]
        rows = data.rows(earlier=options.earlier) + pool.rows(data.epochs)
        self._encoder = Encoder(problem.space, rows, self._hints())
        self._kernel = Kernel(self._encoder.groups, additive=options.additive)
        count = max(2, len(self._learnt) + len(data.bounds))
        self._fitted = int(FITTED * np.sqrt(2 / count))  # of many models none may take long
        self._models = {name: self._model(*data.values(name, earlier=options.earlier)) for name in self._learnt}
        self._feasibility = Feasibility(self._constraints(), self._failures())
        self._feasible = any(trial.counts for trial in data.trials)
        self._front = self._known_front()
        self._certain: dict[str, Array] = {}
        under_way = [trial.row(data.epochs) for trial in data.trials if not trial.ended]
        if under_way:
            self._look(under_way)
            for place in range(len(under_way)):
                self._believe(place)
        self._look(pool.rows(data.epochs))
        self._taken: list[int] = []
        self._rankings = self._portfolio()

    def best(self, n: int) -> list[int]:
        """Places of the candidates that promise most now."""
        return self._turn().best(n)

    def keep(self, n: int) -> None:
        """Forget all candidates but the n that promise most; before any is taken."""
        if n >= len(self._pool):
            return
        rows = np.array(self.best(n))
        self._pool.keep(rows)
        for prediction in self._predictions.values():
            prediction.keep(rows)
        self._certain = {name: certain[rows] for name, certain in self._certain.items()}
        self._feasibility.keep(rows)
        self._rankings = self._portfolio()

    def extend(self, configurations: Sequence[Params]) -> None:
        """Let further candidates into the pool."""
        before = len(self._pool)
        self._pool.add(configurations)
        rows = self._pool.rows(self._data.epochs)[before:]
        if not rows:
            return
        features = self._encoder(rows)
        for prediction in self._predictions.values():
            prediction.extend(features)
        for name, certain in self._certain.items():
            self._certain[name] = np.concatenate([certain, self._known(name, rows)])
        self._feasibility.extend(features)
        for ranking in self._rankings:
            ranking.extend(len(self._pool))

    def batch(self, n: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Places of n candidates, each with a note; one by one the one that adds most to those before.

        With several objectives, in turn one that may turn out better than expected and one that the means alone speak
        for (a portfolio, after Hoffman, Brochu and de Freitas, "Portfolio Allocation for Bayesian Optimization", 2011).
        Each is believed to turn out as expected (Ginsbourger, Le Riche and Carraro,
        "Kriging is well-suited to parallelize optimization", 2010).
        """
        while n > len(self._taken) < len(self._pool):
            index = self._turn().first()
            yield index, self._note(index)
            self._taken.append(index)
            before = self._feasible
            self._believe(index)
            if not (before and self._feasible):  # what is likely to be feasible changes with every belief
                self._rankings = self._portfolio()
            for each in self._rankings:
                each.strike(index)

    def log_gains(self, exploration: float, rows: NDArray[np.int_] | None = None) -> Array:
        """(n,): of all candidates, or of some, when so many standard deviations count; -inf where nothing is added."""
        rows = np.arange(len(self._pool)) if rows is None else rows
        chance = self._feasibility.log_probability(rows)
        if not self._feasible:
            return chance
        columns = [self._predictions.get(name, self._certain.get(name)) for name in self._problem.objectives]
        gains = expected_gain(self._front, columns, exploration, rows)  # type: ignore[arg-type]
        return np.asarray(np.where(np.isnan(gains), -np.inf, gains + chance))

    def _turn(self) -> Ranking:
        """The ranking that has the next word."""
        return self._rankings[len(self._taken) % len(self._rankings)]

    def _portfolio(self) -> list[Ranking]:
        # With one objective, the means would crowd the batch around a single place.
        both = len(self._problem.objectives) > 1 and self._feasible
        explorations = dict.fromkeys([self._options.exploration, *([0.0] if both else [])])
        rankings = [Ranking(self.log_gains, each) for each in explorations]
        for ranking in rankings:
            for index in self._taken:
                ranking.strike(index)
        return rankings

    def _hints(self) -> list[str]:
        if not self._options.hints:
            return []
        return list(dict.fromkeys([*self._exact, *self._pool.known[0]]))

    def _model(self, rows: Sequence[Row], values: Array, *, alone: bool = False) -> Ensemble:
        """With the additive term; where there are neither few nor very many trials, together with one without it."""
        kernels, options = [self._kernel], self._options
        if (
            not alone
            and options.additive
            and options.ensemble
            and _FEW * self._encoder.groups.count <= len(rows) <= _MANY
        ):
            kernels.append(Kernel(self._encoder.groups, additive=False))
        return Ensemble.fitted(kernels, self._encoder(rows), values, self._rng, warp=options.warp, most=self._fitted)

    def _constraints(self) -> list[tuple[Ensemble, float, float]]:
        """A model of each measured constraint's values, with the bounds that they must keep to."""
        if not self._options.fitness:
            return []
        found = []
        for name, low, high in self._data.bounds:
            if name in self._learnt:
                found.append((self._models[name], low, high))
            elif name not in self._pool.known[0]:
                rows, values = self._data.measured(name)
                if len(values) > 1:
                    found.append((self._model(rows, values, alone=True), low, high))
        return found

    def _failures(self) -> Ensemble | None:
        """A model of what fails; None where nothing did."""
        ended = [trial for trial in self._data.trials if trial.ended]
        failed = np.array([float(trial.failed) for trial in ended])
        if not self._options.fitness or not failed.any():
            return None
        features = self._encoder([trial.row() for trial in ended])
        return Ensemble.fitted([self._kernel], features, failed, self._rng, warp=False)

    def _known_front(self) -> Front:
        """The front of the trials; values after fewer epochs than the most are replaced by what they promise.

        So are all values of a single objective: the best of many noisy ones is better than its configuration.
        """
        valued = [trial for trial in self._data.trials if np.isfinite(trial.values).all()]
        counting = [trial for trial in valued if trial.counts]
        points = np.array([trial.values for trial in counting]).reshape(len(counting), len(self._problem.objectives))
        changed = np.array([trial.trial.epochs < self._data.epochs for trial in counting], bool)
        if len(self._problem.objectives) == 1:
            changed[:] = True
        features = self._encoder([trial.row(self._data.epochs) for trial in counting]) if counting else None
        for name, model in self._models.items():
            place = list(self._problem.objectives).index(name)
            if features is not None and changed.any():
                points[changed, place] = model.predict(features[np.flatnonzero(changed)]).values(0.0)
        corner = reference(points if counting else np.array([trial.values for trial in valued]))
        return Front(points, np.minimum(corner, self._data.worst), self._rng)

    def _look(self, rows: Sequence[Row]) -> None:
        """Predict what configurations come to."""
        features = self._encoder(rows)
        self._predictions: dict[str, Prediction] = {
            name: model.predict(features) for name, model in self._models.items()
        }
        self._certain = {name: self._known(name, rows) for name in self._exact}
        self._feasibility.look(features, {id(self._models[name]): self._predictions[name] for name in self._learnt})

    def _known(self, name: str, rows: Sequence[Row]) -> Array:
        return self._data.signs[name] * np.array([row.known.get(name, np.nan) for row in rows])

    def _expected(self, place: int) -> Array:
        """(m,): what a candidate is expected to come to."""
        values = {name: prediction.values(0.0, [place])[0] for name, prediction in self._predictions.items()}
        values |= {name: certain[place] for name, certain in self._certain.items()}
        return np.array([values[name] for name in self._problem.objectives])

    def _believe(self, place: int) -> None:
        if self._feasibility.log_probability(np.array([place]))[0] > np.log(0.5):
            # What will fail adds nothing, and must not make others look needless.
            self._front.add(self._expected(place))
            self._feasible = True
        for prediction in self._predictions.values():
            prediction.take(place)
        self._feasibility.take(place)

    def _note(self, index: int) -> dict[str, Any]:
        values = dict(zip(self._problem.objectives, self._expected(index), strict=True))
        signs = self._data.signs
        return {"expected": {name: float(f"{signs[name] * values[name]:.6g}") for name in self._learnt}}
