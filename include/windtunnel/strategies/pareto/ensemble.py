"""Several models of the same values, averaged."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from windtunnel.strategies.pareto.kernel import Array, Features, Kernel
from windtunnel.strategies.pareto.model import FITTED, Posterior, Process, fit


class Ensemble:
    """Processes with one warp, whose means and standard deviations are averaged.

    Equal weights are hard to beat where it takes more trials than there are to tell which model is right (Timmermann,
    "Forecast combinations", 2006).

    Attributes:
        members: the processes.
    """

    def __init__(self, members: Sequence[Process]) -> None:
        """An ensemble of at least one process."""
        self.members = members

    @classmethod
    def fitted(
        cls,
        kernels: Sequence[Kernel],
        features: Features,
        values: Array,
        rng: np.random.Generator,
        *,
        warp: bool,
        cautious: bool = False,
        most: int = FITTED,
    ) -> "Ensemble":
        """One process a kernel; the first one's likelihood chooses the warp; for the arguments see `model.fit`."""
        first = fit(kernels[0], features, values, rng, warp=warp, cautious=cautious, most=most)
        others = [fit(kernel, features, values, rng, warp=first.warp, most=most) for kernel in kernels[1:]]
        return cls([first, *others])

    def predict(self, features: Features) -> "Prediction":
        """What is expected of configurations."""
        return Prediction(self.members[0], [member.predict(features) for member in self.members])


class Prediction:
    """What an ensemble expects of candidates, and how that changes as some of them are taken into the batch.

    Attributes:
        mean: (n,), warped and relative to the scale.
        deviation: (n,), likewise.
    """

    def __init__(self, process: Process, posteriors: Sequence[Posterior]) -> None:
        """The average of at least one posterior; the process says how values are warped."""
        self._process = process
        self._posteriors = posteriors
        self._average()

    def values(self, deviations: float | Array, rows: Any = slice(None)) -> Array:
        """The values so many standard deviations above the mean."""
        process = self._process
        return process.warp.back(process.center + process.scale * (self.mean[rows] + deviations * self.deviation[rows]))

    def deviations(self, values: Array | float, rows: Any = slice(None)) -> Array:
        """How many standard deviations above the mean these values are."""
        process = self._process
        at = (process.warp.forward(np.asarray(values)) - process.center) / process.scale
        return np.asarray((at - self.mean[rows]) / self.deviation[rows])

    def log_between(self, low: float, high: float, rows: Any = slice(None)) -> Array:
        """The logarithm of the probability that a value lies between two, either of which may be infinite."""
        if np.isinf(low):
            return np.asarray(log_ndtr(self.deviations(high, rows)))
        if np.isinf(high):
            return np.asarray(log_ndtr(-self.deviations(low, rows)))
        lower, upper = self.deviations(low, rows), self.deviations(high, rows)
        beyond = lower > 0  # where both probabilities round to 1; the other tail tells them apart
        lower, upper = np.where(beyond, -upper, lower), np.where(beyond, -lower, upper)
        return np.asarray(log_ndtr(upper) + np.log1p(-np.exp(np.minimum(log_ndtr(lower) - log_ndtr(upper), -1e-12))))

    def take(self, index: int, worse: float = 0.0) -> None:
        """Believe what a candidate will turn out as, so many standard deviations worse than expected."""
        for each in self._posteriors:
            each.take(index, worse)
        self._average()

    def keep(self, rows: NDArray[np.int_]) -> None:
        """Forget all candidates but some, in this order."""
        for each in self._posteriors:
            each.keep(rows)
        self._average()

    def extend(self, features: Features) -> None:
        """Let further candidates in."""
        for each in self._posteriors:
            each.extend(features)
        self._average()

    def _average(self) -> None:
        self.mean = np.asarray(sum(each.mean for each in self._posteriors) / len(self._posteriors))
        self.deviation = np.asarray(sum(np.sqrt(each.variance) for each in self._posteriors) / len(self._posteriors))
