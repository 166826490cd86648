"""The first trials: spread over what is known of configurations before training, and over the space."""

import random

import numpy as np
from numpy.typing import NDArray

from windtunnel.strategies.pareto.kernel import Array, Features

Places = NDArray[np.intp]

_NEAR = 60  # configurations of nearly the same cost among which the one most unlike the others is taken
_FEW = 12  # the same where nothing is known: more would drive all trials into the space's corners


def design(known: Array, features: Features, n: int, rng: random.Random) -> list[int]:
    """Places of n candidates: for each known objective the best, the worst, and then evenly between.

    Configurations of nearly the same cost are the most unlike those already chosen. The order is that of a
    low-discrepancy sequence, so a first batch of any size is spread well, and a second one goes on where it ended.

    Args:
        known: (c, k), of the candidates the objectives known before training, from 0 for the best to 1.
        features: of the c candidates, and then of the trials that there are already.
        n: how many.
        rng: the generator of all randomness.
    """
    count, objectives = known.shape
    trials = len(features) - count
    far = np.full(count, np.inf)
    for place in features.place[count:]:
        far = np.minimum(far, _distance(features.place[:count], place))
    free = np.ones(count, bool)
    chosen = []
    for step in range(trials, trials + min(n, count)):
        places: Places = np.flatnonzero(free)
        if objectives:
            turn, axis = divmod(step, objectives)
            window = 0.0 if turn < 2 else 0.5 * objectives / n
            places = _near(np.abs(known[:, axis] - _target(turn)), places, window)
        few = rng.sample(places.tolist(), min(_NEAR if objectives else _FEW, len(places)))
        best = max(few, key=lambda place: float(far[place]))
        chosen.append(best)
        free[best] = False
        far = np.minimum(far, _distance(features.place[:count], features.place[best]))
    return chosen


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


def _distance(places: Array, place: Array) -> Array:
    """How unlike; beyond half its range a number is no more unlike, or else all trials would be in the corners."""
    return np.asarray((1 - np.exp(-8 * (places - place) ** 2)).sum(1))
