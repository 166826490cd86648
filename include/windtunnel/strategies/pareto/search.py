"""One suggestion: gather the training data, weigh candidates, and take the batch that promises most."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from windtunnel.ledger import Trial
from windtunnel.objectives.direction import sign
from windtunnel.strategies.base import Batch, Problem, generator
from windtunnel.strategies.builder import BatchBuilder
from windtunnel.strategies.pareto import Pareto
from windtunnel.strategies.pareto.candidates import Pool, bred, draw, whole
from windtunnel.strategies.pareto.design import design
from windtunnel.strategies.pareto.encoding import Encoder, Row
from windtunnel.strategies.pareto.kernel import Array, Kernel
from windtunnel.strategies.pareto.models import Models
from windtunnel.strategies.pareto.training_data import TrainingData

if TYPE_CHECKING:
    from windtunnel.strategies.pareto.acquisition import Acquisition

_GENERATIONS = 2  # of candidates bred from the most promising, in a space that is not weighed whole
_BREEDERS = 24
_CHILDREN = 450  # a generation
_KEPT = 600  # candidates for the batch, once all were weighed
_NEAREST = 4  # parents after every choice: what is now the most promising
_NEAR = 60  # children of theirs
_NEAR_FRONT = 200  # with several objectives, for a front has many places
_QUICK = 250  # trials at most, for models of more take too long to weigh that many
_ENOUGH = 10  # trials for a model of many parameters


class Search:
    """What one suggestion works on."""

    def __init__(
        self, problem: Problem, history: Sequence[Trial], options: Pareto.Options, seed: int, iteration: int
    ) -> None:
        """The search as it stands.

        Args:
            problem: what is searched for.
            history: all that was asked for so far.
            options: of the strategy.
            seed: of the search.
            iteration: counted from 1.
        """
        self._problem = problem
        self._options = options
        self._rng = generator(seed, iteration)
        self._numbers = np.random.default_rng(self._rng.getrandbits(64))
        self._draft = BatchBuilder(problem, history, self._rng)
        self._data = TrainingData(problem, self._draft.past, self._numbers)

    def batch(self, n: int) -> Batch:
        """The next n configurations.

        Raises:
            SearchError: nothing was ever found that keeps the constraints.
        """
        pool = Pool(self._problem, self._draft.taken)
        draw(pool, self._problem, self._rng)
        telling = self._data.valued > 0 and self._is_enough()
        if telling and not whole(self._problem):
            pool.add(bred(self._problem, self._data.elites(_BREEDERS), self._rng))
        if len(pool) and telling:
            self._promising(pool, n)
        elif len(pool) and self._options.spread:
            self._first(pool, n)
        return self._draft.batch(n)

    def expected(self, trials: Sequence[Trial]) -> list[Mapping[str, float]]:
        """What the models expect of trials; their own values where there are too few for a model."""
        pool = Pool(self._problem, ())
        pool.add(trial.params for trial in trials)
        if not len(pool) or self._data.valued < self._enough():
            return [trial.objectives for trial in trials]
        models = Models(self._problem, self._data, pool, self._options, self._numbers)
        rows = [Row(trial.params, trial.known, trial.epochs) for trial in trials]
        features = models.features(rows)
        means = {name: models.values[name].predict(features).values(0.0) for name in models.learnt}
        signs = self._data.signs
        return [
            {**trial.objectives, **{name: float(signs[name] * values[place]) for name, values in means.items()}}
            for place, trial in enumerate(trials)
        ]

    def _is_enough(self) -> bool:
        """Whether as many trials as a model needs have been suggested, and half as many have ended."""
        return len(self._draft.past) >= self._enough() <= 2 * self._data.ended

    def _enough(self) -> int:
        """Trials that a model needs, failures among them."""
        return self._options.initial or min(2 + len(self._problem.space.columns()), _ENOUGH)

    def _first(self, pool: Pool, n: int) -> None:
        """Spread out the first trials. The very first is the default, unless costs say what the first ones are."""
        default = self._problem.space.default()
        pool.add([default])
        middle = [place for place, params in enumerate(pool.params) if params == default]
        rows = pool.rows(0.0)
        rows += [trial.row(0.0) for trial in self._data.trials]
        names = pool.exact(self._problem.objectives) if self._options.exact else []
        encoder = Encoder(self._problem.space, rows, names if self._options.hints else [])
        costs = [self._cost(name, pool.known) for name in names]
        known = np.array(costs).T if costs else np.empty((len(pool), 0))
        spread = max(n, self._enough())
        first = middle if not names and not self._data.trials else []
        # The ends of ranges tell an additive model most. Fronts reach there; a single best seldom does.
        kernel = Kernel(encoder.groups, additive=len(self._problem.objectives) > 1)
        for index in design(known, encoder(rows), kernel, n, spread, self._rng, first):
            self._draft.offer(pool.params[index], **{"from": "design"})

    def _cost(self, name: str, known: Sequence[Mapping[str, float]]) -> Array:
        """From 0 for the best to 1; not on a logarithmic scale, for hypervolumes have none."""
        values = np.array([one[name] for one in known])
        share = (values - values.min()) / (np.ptp(values) or 1.0)
        return np.asarray(share if sign(self._problem.objectives[name]) > 0 else 1 - share)

    def _promising(self, pool: Pool, n: int) -> None:
        """Take what the models expect most of."""
        from windtunnel.strategies.pareto.acquisition import Acquisition  # and scipy, which the first trials do without

        acquisition = Acquisition(self._problem, self._data, pool, self._options, self._numbers)
        large = not whole(self._problem)
        many = len(self._problem.objectives) > 1 and len(self._draft.past) <= _QUICK
        near = _NEAR_FRONT if many else _NEAR
        for _ in range(_GENERATIONS if large else 0):
            self._breed(acquisition, pool, _BREEDERS, _CHILDREN)
        if large:
            acquisition.keep(max(_KEPT, 10 * n))
        for index, note in acquisition.batch(n):
            self._draft.offer(pool.params[index], **{"from": "model", **note})
            if large and len(self._draft.suggestions) < n:
                self._breed(acquisition, pool, _NEAREST, near)

    def _breed(self, acquisition: "Acquisition", pool: Pool, parents: int, children: int) -> None:
        best = [pool.params[index] for index in acquisition.best(parents)]
        acquisition.extend(bred(self._problem, best, self._rng, children))
