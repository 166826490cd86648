"""Several models of one objective, believed alike."""

from collections.abc import Sequence

import numpy as np

from windtunnel.strategies.pareto.kernel import Array, Features
from windtunnel.strategies.pareto.model import Prediction, Process


class Ensemble:
    """Processes whose values are averaged.

    Equal weights are hard to beat where it takes more trials than there are to tell which model is right (Timmermann,
    "Forecast combinations", 2006).
    """

    def __init__(self, members: Sequence[Process]) -> None:
        """An ensemble of at least one process."""
        self._members = members

    def predict(self, features: Features) -> "Average":
        """What is expected of configurations."""
        return Average([member.predict(features) for member in self._members])


class Average:
    """What an ensemble expects of candidates; see `Prediction`."""

    def __init__(self, predictions: Sequence[Prediction]) -> None:
        """The average of at least one prediction."""
        self._predictions = predictions

    def values(self, deviations: float, rows: "slice | Array" = slice(None)) -> Array:
        """The objective's values so many standard deviations above the mean: the average of the members' own."""
        return np.asarray(sum(each.values(deviations, rows) for each in self._predictions) / len(self._predictions))

    def take(self, index: int) -> None:
        """Believe that a candidate will turn out as expected."""
        for each in self._predictions:
            each.take(index)
