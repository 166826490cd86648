"""The first trials: spread over what is known of configurations before training, and telling for the model."""

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from windtunnel.strategies.pareto.kernel import Array, Features, Kernel

Places = NDArray[np.intp]

_FEW = 200  # configurations of nearly the same cost among which the most telling one is taken
_SAMPLE = 256  # candidates, drawn from all, whose uncertainty is to shrink
_TRIALS = 100  # of the trials so far, the latest, that the design is spread around


def design(
    known: Array,
    features: Features,
    kernel: Kernel,
    n: int,
    spread: int,
    rng: random.Random,
    first: Sequence[int] = (),
) -> list[int]:
    """Places of n candidates: for each known objective the best, the worst, and then evenly between.

    Among configurations of nearly the same cost it takes the one after which the model, as it is before any value is
    known, would be least uncertain of all candidates on average (Sacks, Welch, Mitchell and Wynn, "Design and Analysis
    of Computer Experiments", 1989: integrated mean squared error). The order of costs is that of a low-discrepancy
    sequence, so a first batch of any size is spread well, and a second one goes on where it ended.

    Args:
        known: (c, k), of the candidates the objectives known before training, from 0 for the best to 1.
        features: of the c candidates, and then of the trials that there are already.
        kernel: by which uncertainty is reckoned.
        n: how many.
        spread: how many trials there will be before the model is used; costs are parted into so many windows.
        rng: the generator of all randomness.
        first: places that are among the n whatever the costs.
    """
    count, objectives = known.shape
    trials = range(count, len(features))
    uncertainty = _Uncertainty(kernel, features, rng.sample(range(count), min(_SAMPLE, count)))
    for place in trials[-_TRIALS:]:
        uncertainty.take(place)
    free = np.ones(count, bool)
    chosen: list[int] = []
    for place in first[:n]:
        chosen.append(place)
        free[place] = False
        uncertainty.take(place)
    for step in range(len(trials) + len(chosen), len(trials) + min(n, count)):
        places: Places = np.flatnonzero(free)
        if objectives:
            turn, axis = divmod(step, objectives)
            places = _near(np.abs(known[:, axis] - _target(turn)), places, 0.0 if turn < 2 else objectives / spread)
        few = np.array(rng.sample(places.tolist(), min(_FEW, (len(places) + 1) // 2)))  # half, so that seeds differ
        best = int(few[uncertainty.variance_reduction(few).argmax()])
        chosen.append(best)
        free[best] = False
        uncertainty.take(best)
    return chosen


class _Uncertainty:
    """The variance that a model with the prior's hyperparameters has at each place, given those that were taken."""

    def __init__(self, kernel: Kernel, features: Features, sample: list[int]) -> None:
        self._kernel = kernel
        self._features = features
        self._sample = sample
        self._noise = kernel.noise(kernel.prior_mean, features) + 1e-6
        self._variance = kernel.variance(kernel.prior_mean, features)
        self._shared = kernel.covariance(kernel.prior_mean, features, features[np.array(sample)])
        self._explained = np.empty((0, len(features)))

    def variance_reduction(self, places: Places) -> Array:
        """By how much the variances of the sample would shrink, in sum, if one of the places were taken."""
        return np.asarray((self._shared[places] ** 2).sum(1) / (self._variance[places] + self._noise[places]))

    def take(self, place: int) -> None:
        """Reckon with a trial at a place."""
        one = self._features[place : place + 1]
        covariance = self._kernel.covariance(self._kernel.prior_mean, one, self._features)[0]
        covariance -= self._explained[:, place] @ self._explained
        row = covariance / np.sqrt(self._variance[place] + self._noise[place])
        self._explained = np.vstack([self._explained, row])
        self._variance = np.maximum(self._variance - row * row, 0.0)
        self._shared -= np.outer(row, row[self._sample])


def _near(away: Array, places: Places, window: float) -> Places:
    """The places within the window; where it has none, the nearest."""
    distances = away[places]
    return np.asarray(places[distances <= max(window, distances.min())])


def _target(turn: int) -> float:
    """0, 1, and then van der Corput's sequence: 1/2, 1/4, 3/4, 1/8, …."""
    if turn < 2:
        return float(turn)
    value, share, rest = 0.0, 0.5, turn - 1
    while rest:
        rest, bit = divmod(rest, 2)
        value += share * bit
        share /= 2
    return value
