"""What candidates are expected to add to the front, and which of them to take."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from windtunnel.space import Params
from windtunnel.strategies.base import Problem
from windtunnel.strategies.pareto import Pareto
from windtunnel.strategies.pareto.candidates import Pool
from windtunnel.strategies.pareto.ensemble import Prediction
from windtunnel.strategies.pareto.expectation import expected_gain
from windtunnel.strategies.pareto.gain import Front, non_dominated, reference
from windtunnel.strategies.pareto.kernel import Array
from windtunnel.strategies.pareto.models import Forecast, Models
from windtunnel.strategies.pareto.ranking import Places, Ranking
from windtunnel.strategies.pareto.training_data import TrainingData

_DOUBT = 2.0  # standard deviations that a young model is believed to be wrong by
_LIKELY = np.log(0.05)  # the probability from which a candidate may keep all constraints


class Acquisition:
    """The logarithm of the expected gain times the probability that a candidate succeeds and keeps all constraints.

    While nothing is known to be feasible, the probability alone counts.
    """

    def __init__(
        self, problem: Problem, data: TrainingData, pool: Pool, options: Pareto.Options, rng: np.random.Generator
    ) -> None:
        """Fit models to the trials, and weigh the candidates by them.

        Args:
            problem: what is searched for.
            data: at least one trial with values.
            pool: the candidates.
            options: of the strategy.
            rng: decides which trials the models are fitted to, where there are many.
        """
        self._objectives = list(problem.objectives)
        self._data, self._pool, self._exploration = data, pool, options.exploration
        self._models = Models(problem, data, pool, options, rng)
        self._feasible = any(trial.counts for trial in data.trials)
        # With several objectives the front's ends keep a batch apart, and nothing can be gained before it is feasible.
        doubtful = self._models.young and self._feasible and len(self._objectives) == 1
        self._worse = _DOUBT if doubtful else 0.0
        measured = self._measured()  # by the models' means, before anything is believed
        under_way = [trial.row(data.epochs) for trial in data.trials if not trial.ended]
        believed = self._believed(Forecast(self._models, under_way)) if under_way else []
        self._in_doubt = bool(self._worse and under_way)
        self._forecast = Forecast(self._models, pool.rows(data.epochs))
        self._front = self._front_of(measured, rng)
        for point in believed:
            self._front.add(point)
        self._taken: list[int] = []
        self._rankings = self._portfolio()

    def best(self, n: int) -> list[int]:
        """Places of the candidates that promise most now."""
        return self._turn().best(n)

    def keep(self, n: int) -> None:
        """Forget all candidates but the n that promise most; before any is taken."""
        if n >= len(self._pool):
            return
        places = np.array(self.best(n))
        self._pool.keep(places)
        self._forecast.keep(places)
        self._rankings = self._portfolio()

    def extend(self, configurations: Sequence[Params]) -> None:
        """Let further candidates into the pool."""
        before = len(self._pool)
        self._pool.add(configurations)
        rows = self._pool.rows(self._data.epochs, before)
        if not rows:
            return
        self._forecast.extend(rows)
        for ranking in self._rankings:
            ranking.extend(len(self._pool))

    def batch(self, n: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Places of n candidates, each with a note; one by one the one that adds most to those before.

        With several objectives, it is in turn the best of the ranking with exploration and of the one by means alone (a
        portfolio, after Hoffman, Brochu and de Freitas, "Portfolio Allocation for Bayesian Optimization", 2011).
        Each is believed to turn out as expected (Ginsbourger, Le Riche and Carraro,
        "Kriging is well-suited to parallelize optimization", 2010). With one objective and few trials each is believed
        to disappoint instead: all that the means promise is often in one corner, and wrong together.
        """
        while n > len(self._taken) < len(self._pool):
            place = self._turn().first()
            yield place, self._note(place)
            self._taken.append(place)
            before = self._feasible
            self._believe(place)
            if not (before and self._feasible):  # what is likely to be feasible changes with every belief
                self._rankings = self._portfolio()
            for ranking in self._rankings:
                ranking.strike(place)

    def log_gains(self, exploration: float, places: Places) -> Array:
        """(n,): of some candidates, when so many standard deviations count; -inf where nothing is added."""
        chance = self._forecast.log_feasible(places)
        if not self._feasible:
            return chance
        columns = [self._forecast[name] for name in self._objectives]
        gains = expected_gain(self._front, columns, exploration, places)
        return np.asarray(np.where(np.isnan(gains), -np.inf, gains + chance))

    def _turn(self) -> Ranking:
        """The ranking whose turn it is."""
        return self._rankings[len(self._taken) % len(self._rankings)]

    def _portfolio(self) -> list[Ranking]:
        """The rankings that take turns, as they are after what was taken."""
        # With one objective, the means would crowd the batch around a single place.
        both = len(self._objectives) > 1 and self._feasible
        explorations = dict.fromkeys([self._exploration, *([0.0] if both else [])])
        rankings = [Ranking(self.log_gains, exploration, len(self._pool)) for exploration in explorations]
        for ranking in rankings:
            for place in self._taken:
                ranking.strike(place)
        return rankings

    def _measured(self) -> Array:
        """(n, m): the values of the trials that count; after fewer epochs than the most, what they promise.

        So are all values of a single objective: the best of many noisy ones is better than its configuration.
        """
        data = self._data
        counting = [trial for trial in data.trials if trial.counts and np.isfinite(trial.values).all()]
        points = np.array([trial.values for trial in counting]).reshape(len(counting), len(self._objectives))
        if len(self._objectives) == 1:
            changed = np.arange(len(counting))
        else:
            changed = np.flatnonzero([trial.trial.epochs < data.epochs for trial in counting])
        if len(changed):
            features = self._models.features([counting[index].row(data.epochs) for index in changed])
            for name in self._models.learnt:
                place = self._objectives.index(name)
                points[changed, place] = self._models.values[name].predict(features).values(0.0)
        return points

    def _front_of(self, measured: Array, rng: np.random.Generator) -> Front:
        """The front of what was measured, within what candidates may reach."""
        valued = np.array([trial.values for trial in self._data.trials if np.isfinite(trial.values).all()])
        corner = reference(measured if len(measured) else valued)
        if 0 < len(measured) < len(valued):
            corner = np.maximum(corner, np.minimum(self._reach(), reference(valued)))
        return Front(measured, np.minimum(corner, self._data.worst), rng)

    def _reach(self) -> Array:
        """(m,): the worst values of the front of those candidates that may keep the constraints.

        Feasible trials may all lie in one piece of what is feasible, and other pieces of the front far from it.
        """
        places = np.flatnonzero(self._forecast.log_feasible(np.arange(len(self._pool))) > _LIKELY)
        columns = [self._forecast[name] for name in self._objectives]
        values = [each.values(0.0, places) if isinstance(each, Prediction) else each[places] for each in columns]
        points = np.array(values).T
        return points[non_dominated(points)].max(0) if len(points) else np.full(len(values), -np.inf)

    def _believed(self, forecast: Forecast) -> list[Array]:
        """The values of trials under way that are likely to count; the models believe something of them all."""
        points = []
        for place in range(len(forecast)):
            points += self._likely(forecast, place)
            forecast.take(place, self._worse)
        return points

    def _believe(self, place: int) -> None:
        """Believe that a candidate will turn out as expected, or to disappoint where means are hardly to be trusted."""
        for point in self._likely(self._forecast, place):
            self._front.add(point)
        self._forecast.take(place, self._worse)
        self._in_doubt = self._worse > 0

    def _likely(self, forecast: Forecast, place: int) -> list[Array]:
        """What one is believed to add to the front; nothing where it will fail, lest others look needless."""
        if self._worse or forecast.log_feasible(np.array([place]))[0] <= np.log(0.5):
            return []
        self._feasible = True
        expected = forecast.expected(place)
        return [np.array([expected[name] for name in self._objectives])]

    def _note(self, place: int) -> dict[str, Any]:
        if self._in_doubt:  # what is expected after others disappoint is nothing to be held against a result
            return {}
        expected, signs = self._forecast.expected(place), self._data.signs
        return {"expected": {name: float(f"{signs[name] * expected[name]:.6g}") for name in self._models.learnt}}
