"""Several models of one objective, believed alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import log_ndtr, logsumexp

from windtunnel.strategies.pareto.kernel import Array, Features
from windtunnel.strategies.pareto.model import Posterior, Process


class Ensemble:
    """Processes that count alike.

    Equal weights are hard to beat where it takes more trials than there are to tell which model is right (Timmermann,
    "Forecast combinations", 2006).
    """

    def __init__(self, members: Sequence[Process]) -> None:
        """An ensemble of at least one process."""
        self._members = members

    def predict(self, features: Features) -> "Prediction":
        """What is expected of configurations."""
        return Prediction([member.predict(features) for member in self._members])


class Prediction:
    """What an ensemble expects of candidates: a mixture of what its members do.

    Attributes:
        members: their posteriors.
    """

    def __init__(self, members: Sequence[Posterior]) -> None:
        """The mixture of at least one posterior."""
        self.members = members

    def values(self, deviations: float, rows: Any = slice(None)) -> Array:
        """The values so many standard deviations above the mean: the average of the members' own."""
        return np.asarray(sum(each.values(deviations, rows) for each in self.members) / len(self.members))

    def log_between(self, low: float, high: float, rows: Any = slice(None)) -> Array:
        """The logarithm of the probability that a value lies between two, either of which may be infinite."""
        return np.asarray(logsumexp([_log_between(each, low, high, rows) for each in self.members], 0)) - np.log(
            len(self.members)
        )

    def take(self, index: int) -> None:
        """Believe that a candidate will turn out as expected."""
        for each in self.members:
            each.take(index)


def _log_between(member: Posterior, low: float, high: float, rows: Any) -> Array:
    if np.isinf(low):
        return np.asarray(log_ndtr(member.deviations(np.array(high), rows)))
    if np.isinf(high):
        return np.asarray(log_ndtr(-member.deviations(np.array(low), rows)))
    lower, upper = member.deviations(np.array(low), rows), member.deviations(np.array(high), rows)
    flipped = lower > 0  # on the far side logarithms of both would be 0
    lower, upper = np.where(flipped, -upper, lower), np.where(flipped, -lower, upper)
    return np.asarray(log_ndtr(upper) + np.log1p(-np.exp(np.minimum(log_ndtr(lower) - log_ndtr(upper), -1e-12))))
