"""How likely candidates are to succeed and to keep all measured constraints."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from windtunnel.strategies.pareto.ensemble import Ensemble, Prediction
from windtunnel.strategies.pareto.kernel import Array, Features

_SURELY = 1e-3  # the least probability of success: a model of failures may be wrong


class Feasibility:
    """The product of the probabilities that each constraint is kept, every one by a model of its own values.

    After Gardner et al., "Bayesian Optimization with Inequality Constraints", 2014.
    """

    def __init__(self, constraints: Sequence[tuple[Ensemble, float, float]], failures: Ensemble | None) -> None:
        """A model of feasibility.

        Args:
            constraints: a model of each one's values, and the least and the greatest value that is allowed.
            failures: a model of what is 1 where a trial failed and 0 where it did not.
        """
        self._constraints = constraints
        self._failures = failures

    def look(self, features: Features, known: Mapping[int, Prediction]) -> None:
        """Predict the candidates.

        Args:
            features: of the candidates.
            known: predictions that others keep up to date, by the identity of their models.
        """
        self._shared = [known.get(id(model)) for model, _, _ in self._constraints]
        self._predictions = [
            shared or model.predict(features)
            for shared, (model, _, _) in zip(self._shared, self._constraints, strict=True)
        ]
        self._success = self._log_success(features)

    def keep(self, rows: NDArray[np.int_]) -> None:
        """Forget all candidates but some, in this order; predictions that others keep up to date are theirs."""
        for prediction, shared in zip(self._predictions, self._shared, strict=True):
            if shared is None:
                prediction.keep(rows)
        self._success = self._success[rows]

    def extend(self, features: Features) -> None:
        """Let further candidates in; predictions that others keep up to date are theirs to extend."""
        for prediction, shared in zip(self._predictions, self._shared, strict=True):
            if shared is None:
                prediction.extend(features)
        self._success = np.concatenate([self._success, self._log_success(features)])

    def log_probability(self, rows: NDArray[np.int_]) -> Array:
        """(n,): the logarithm for some of the candidates."""
        total = self._success[rows].copy()
        for prediction, (_, low, high) in zip(self._predictions, self._constraints, strict=True):
            total += prediction.log_between(low, high, rows)
        return total

    def take(self, index: int) -> None:
        """Believe that a candidate will turn out as expected."""
        for prediction, shared in zip(self._predictions, self._shared, strict=True):
            if shared is None:
                prediction.take(index)

    def _log_success(self, features: Features) -> Array:
        if self._failures is None:
            return np.zeros(len(features))
        return np.log(np.clip(1 - self._failures.predict(features).values(0.0), _SURELY, 1.0))
