"""What is expected of candidates, and what they would add to the front."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from windtunnel.direction import loss, sign
from windtunnel.space import Params
from windtunnel.strategies.base import Problem
from windtunnel.strategies.pareto import Pareto
from windtunnel.strategies.pareto.candidates import Pool
from windtunnel.strategies.pareto.encoding import Encoder
from windtunnel.strategies.pareto.ensemble import Average, Ensemble
from windtunnel.strategies.pareto.evidence import Evidence
from windtunnel.strategies.pareto.gain import Front, reference
from windtunnel.strategies.pareto.kernel import Array, Kernel
from windtunnel.strategies.pareto.model import Process, fit
from windtunnel.strategies.pareto.ranking import Ranking

View = tuple[Array, Array]  # points that stand for what objectives may turn out to be, and their weights

_NODES = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])  # standard deviations that stand for a normal distribution
_WEIGHTS = np.array([0.12, 0.23, 0.30, 0.23, 0.12])
_DRAWS = 16  # the same for several objectives together
_FEW = 3  # trials a group of columns, below which the additive term alone tells more
_MANY = 250  # trials beyond which two models would take too long
_SURELY = 1e-3  # the least probability of success: a model of failures may be wrong


class Outlook:
    """Models of what must be trained for, and their view of the candidates."""

    def __init__(
        self, problem: Problem, evidence: Evidence, pool: Pool, options: Pareto.Options, rng: np.random.Generator
    ) -> None:
        """Fit the models.

        Args:
            problem: what is searched for.
            evidence: at least two trials that count.
            pool: the candidates.
            options: of the strategy.
            rng: decides which trials the models are fitted to, where there are many.
        """
        self._problem = problem
        self._evidence = evidence
        self._pool = pool
        self._options = options
        self._exact = pool.exact(problem.objectives) if options.exact else []
        self._learnt = [name for name in problem.objectives if name not in self._exact]
        rows = evidence.rows(earlier=options.earlier) + pool.rows(evidence.epochs)
        self._encoder = Encoder(problem.space, rows, self._hints())
        self._kernel = Kernel(self._encoder.groups, additive=options.additive)
        self._models = [self._model(name, rng) for name in self._learnt]
        self._fitness = self._failures(rng)
        self._front = self._known_front()
        self._look()

    def best(self, n: int) -> list[int]:
        """Places of the candidates with the largest gains."""
        return Ranking(self.gains, self._options.exploration).best(n)

    def extend(self, configurations: Sequence[Params]) -> None:
        """Let further candidates into the pool."""
        self._pool.add(configurations)
        self._look()

    def batch(self, n: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Places of n candidates, each with a note; one by one the one that adds most to those before.

        With several objectives, in turn one that may turn out better than expected and one that the means alone speak
        for (a portfolio, after Hoffman, Brochu and de Freitas, "Portfolio Allocation for Bayesian Optimization", 2011).
        What is chosen, or is under way, is believed to turn out as expected (Ginsbourger, Le Riche and Carraro,
        "Kriging is well-suited to parallelize optimization", 2010).
        """
        for place in range(len(self._pool), len(self._pool) + len(self._under_way)):
            self._believe(place)
        rankings = [Ranking(self.gains, self._options.exploration)]
        # With one objective, the means would crowd the batch around a single place.
        if len(self._problem.objectives) > 1 and self._options.exploration:
            rankings.append(Ranking(self.gains, 0.0))
        for step in range(min(n, len(self._pool))):
            index = rankings[step % len(rankings)].first()
            yield index, self._note(index)
            self._believe(index)
            for each in rankings:
                each.strike(index)

    def _hints(self) -> list[str]:
        if not self._options.hints:
            return []
        return list(dict.fromkeys([*self._exact, *self._pool.known[0]]))

    def _model(self, name: str, rng: np.random.Generator) -> Ensemble:
        """With the additive term; where there are neither few nor very many trials, together with one without it."""
        rows, values = self._evidence.values(name, earlier=self._options.earlier)
        kernels, options = [self._kernel], self._options
        if options.additive and options.ensemble and _FEW * self._encoder.groups.count <= len(rows) <= _MANY:
            kernels.append(Kernel(self._encoder.groups, additive=False))
        features = self._encoder(rows)
        return Ensemble([fit(kernel, features, values, rng, warp=options.warp) for kernel in kernels])

    def _failures(self, rng: np.random.Generator) -> Process | None:
        """A model of what fails or breaks measured constraints; None where nothing did."""
        ended = [trial for trial in self._evidence.trials if trial.ended]
        unfit = np.array([float(not trial.counts) for trial in ended])
        if not self._options.fitness or not unfit.any():
            return None
        return fit(self._kernel, self._encoder([trial.row() for trial in ended]), unfit, rng, warp=False)

    def _known_front(self) -> Front:
        """The front of the trials; values after fewer epochs than the most are replaced by what they promise."""
        counting = [trial for trial in self._evidence.trials if trial.counts]
        points = np.array([trial.values for trial in counting])
        early = np.array([trial.trial.epochs < self._evidence.epochs for trial in counting])
        features = self._encoder([trial.row(self._evidence.epochs) for trial in counting])
        for name, model in zip(self._learnt, self._models, strict=True):
            place = list(self._problem.objectives).index(name)
            if early.any():
                points[early, place] = model.predict(features[np.flatnonzero(early)]).values(0.0)
        return Front(points, reference(points))

    def _look(self) -> None:
        """Predict what the candidates, and the trials under way, come to."""
        self._under_way = [trial for trial in self._evidence.trials if not trial.ended]
        rows = self._pool.rows(self._evidence.epochs)
        rows += [trial.row(self._evidence.epochs) for trial in self._under_way]
        features = self._encoder(rows)
        self._predictions: list[Average] = [model.predict(features) for model in self._models]
        self._certain = np.array([[row.known.get(name, np.nan) for row in rows] for name in self._exact])
        success = 1 - self._fitness.predict(features).values(0.0) if self._fitness else np.ones(len(rows))
        self._success = np.clip(success, _SURELY, 1.0)

    def _points(self, deviations: Array, rows: Any) -> Array:
        """(n, m): the objectives so many standard deviations above what is expected, one number a learnt objective."""
        columns = {}
        for name, prediction, away in zip(self._learnt, self._predictions, deviations, strict=True):
            columns[name] = prediction.values(float(away), rows)
        for name, values in zip(self._exact, self._certain, strict=True):
            columns[name] = sign(self._problem.objectives[name]) * values[rows]
        return np.column_stack([columns[name] for name in self._problem.objectives])

    def gains(self, exploration: float, rows: NDArray[np.int_] | None = None) -> Array:
        """(n,): what candidates, or some of them, are expected to add to the front as it is believed to be."""
        rows = np.arange(len(self._pool)) if rows is None else rows
        view = _nodes(len(self._learnt), exploration)
        expected = sum(weight * self._front.gain(self._points(node, rows)) for node, weight in zip(*view, strict=True))
        gains = np.asarray(expected * self._success[rows])
        return np.where(np.isfinite(gains), gains, 0.0)

    def _believe(self, place: int) -> None:
        if self._success[place] > 0.5:  # what will fail adds nothing, and must not make others look needless
            self._front.add(self._points(np.zeros(len(self._learnt)), [place])[0])
        for prediction in self._predictions:
            prediction.take(place)

    def _note(self, index: int) -> dict[str, Any]:
        expected = self._points(np.zeros(len(self._learnt)), [index])[0]
        directions = self._problem.objectives.items()
        named = {name: loss(value, way) for (name, way), value in zip(directions, expected, strict=True)}
        return {"expected": {name: float(f"{named[name]:.6g}") for name in self._learnt}}


@functools.lru_cache
def _nodes(count: int, exploration: float) -> View:
    """Points that stand for a normal distribution over so many objectives, and their weights."""
    if count == 0 or exploration == 0:
        return np.zeros((1, count)), np.ones(1)
    if count == 1:
        return exploration * _NODES[:, None], _WEIGHTS
    draws = norm.ppf(qmc.Sobol(count, scramble=False).random(_DRAWS) + 0.5 / _DRAWS)
    return exploration * np.asarray(draws), np.full(_DRAWS, 1 / _DRAWS)
