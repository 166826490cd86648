"""The expected gain of candidates, as a logarithm that tells them apart however small it is.

Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", 2023, show what is lost where
it is 0 in floating point. Here the value that is integrated over is drawn from where it gains something: with the
front's level t at a candidate, E[gain] = P(y < t) E[gain | y < t], and the logarithm of the probability has no end.
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp, ndtri, ndtri_exp
from scipy.stats import qmc

from windtunnel.strategies.pareto.ensemble import Prediction
from windtunnel.strategies.pareto.gain import Front
from windtunnel.strategies.pareto.kernel import Array

_NODES = 8  # quantiles by which a distribution is integrated over
_DRAWS = 16  # of several objectives together, from three on
_QUANTILES = (np.arange(_NODES) + 0.5) / _NODES


Column = Prediction | Array  # an objective that is learnt, or one that is known


def expected_gain(front: Front, columns: Sequence[Column], exploration: float, rows: NDArray[np.int_]) -> Array:
    """(n,): the logarithm of the gain that is expected of candidates; -inf where there is none.

    Args:
        front: as it is believed to be.
        columns: for each objective what it is expected to come to, or what it is.
        exploration: standard deviations that count as one; with 0 the means are taken for certain.
        rows: places of the candidates.
    """
    learnt = [place for place, each in enumerate(columns) if isinstance(each, Prediction)]
    if len(columns) > 2 or exploration == 0 or not learnt:
        return _by_draws(front, columns, exploration, rows)
    return _by_levels(front, columns, learnt[-1], exploration, rows)


def _by_levels(
    front: Front, columns: Sequence[Column], inner: int, exploration: float, rows: NDArray[np.int_]
) -> Array:
    """With one or two objectives: of the learnt one that is integrated over only what is better than the front."""
    others = _others(columns, inner, exploration, rows)  # (n, q)
    levels = front.levels(others, inner)
    possible = np.isfinite(levels)
    prediction = columns[inner]
    assert isinstance(prediction, Prediction)
    log_chance = log_ndtr(prediction.deviations(np.where(possible, levels, 0.0), rows[:, None]) / exploration)
    inside = np.asarray(ndtri_exp(np.log(_QUANTILES) + log_chance[..., None]))  # (n, q, nodes)
    values = prediction.values(exploration * inside, rows[:, None, None])
    points = np.empty((*values.shape, len(columns)))
    points[..., inner] = values
    if len(columns) == 2:
        points[..., 1 - inner] = others[..., None]
    with np.errstate(divide="ignore"):
        log_gains = np.log(front.gain(points).mean(-1)) + log_chance
    return np.asarray(logsumexp(np.where(possible, log_gains, -np.inf), 1) - np.log(levels.shape[1]))


def _others(columns: Sequence[Column], inner: int, exploration: float, rows: NDArray[np.int_]) -> Array:
    """(n, q): the other objective's value, or its quantiles where it is learnt; (n, 1) of nothing without another."""
    if len(columns) == 1:
        return np.zeros((len(rows), 1))
    other = columns[1 - inner]
    if isinstance(other, Prediction):
        return other.values(exploration * ndtri(_QUANTILES)[None], rows[:, None])
    return np.asarray(other[rows][:, None])


@functools.cache
def _draws(count: int) -> Array:
    """(d, count): of so many standard normal variables together, evenly spread."""
    return np.asarray(ndtri(qmc.Sobol(count, scramble=False).random(_DRAWS) + 0.5 / _DRAWS))


def _by_draws(front: Front, columns: Sequence[Column], exploration: float, rows: NDArray[np.int_]) -> Array:
    learnt = sum(isinstance(each, Prediction) for each in columns)
    draws = _draws(learnt) if exploration and learnt else np.zeros((1, learnt))
    of_learnt = iter(draws.T)
    values = []
    for each in columns:
        if isinstance(each, Prediction):
            values.append(each.values(exploration * next(of_learnt)[None], rows[:, None]))
        else:
            values.append(np.broadcast_to(each[rows][:, None], (len(rows), len(draws))))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(front.gain(np.stack(values, -1)).mean(1)))
