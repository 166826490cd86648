"""The expected gain of candidates, as a logarithm that tells them apart however small it is.

Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", 2023, show what is lost where
it is 0 in floating point. Here the value that is integrated over is drawn from where it gains something: with the front's
level t at a candidate, E[gain] = P(y < t) E[gain | y < t], and the logarithm of the probability has no end.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp, ndtri, ndtri_exp
from scipy.stats import qmc

from windtunnel.strategies.pareto.ensemble import Prediction
from windtunnel.strategies.pareto.gain import Front
from windtunnel.strategies.pareto.kernel import Array
from windtunnel.strategies.pareto.model import Posterior

_NODES = 8  # quantiles that stand for a distribution
_DRAWS = 32  # of several objectives together, from three on
_QUANTILES = (np.arange(_NODES) + 0.5) / _NODES

Column = Prediction | Array  # an objective that is learnt, or one that is known
Member = Posterior | Array


def expected_gain(front: Front, columns: Sequence[Column], exploration: float, rows: NDArray[np.int_]) -> Array:
    """(n,): the logarithm of the gain that is expected of candidates; -inf where there is none.

    Args:
        front: as it is believed to be.
        columns: for each objective what it is expected to come to, or what it is.
        exploration: standard deviations that count as one; with 0 the means are taken for certain.
        rows: places of the candidates.
    """
    count = max(len(each.members) if isinstance(each, Prediction) else 1 for each in columns)
    expected = []
    for turn in range(count):  # of the members of the mixtures
        members = [each.members[turn % len(each.members)] if isinstance(each, Prediction) else each for each in columns]
        if len(columns) > 2 or exploration == 0 or not any(isinstance(each, Posterior) for each in members):
            expected.append(_by_draws(front, members, exploration, rows))
        else:
            expected.append(_by_levels(front, members, exploration, rows))
    return np.asarray(logsumexp(expected, 0) - np.log(count))


def _by_levels(front: Front, members: Sequence[Member], exploration: float, rows: NDArray[np.int_]) -> Array:
    """With one or two objectives: of the last learnt one only what is better than the front's level counts."""
    inner = max(place for place, each in enumerate(members) if isinstance(each, Posterior))
    outer = _others(members, inner, exploration, rows)  # (n, q) or nothing
    levels = front.levels(outer, inner)  # (n, q)
    member = members[inner]
    assert isinstance(member, Posterior)
    possible = np.isfinite(levels)
    away = member.deviations(np.where(possible, levels, 0.0), rows[:, None]) / exploration
    chance = np.asarray(log_ndtr(away))
    inside = np.asarray(ndtri_exp(np.log(_QUANTILES) + chance[..., None]))  # (n, q, nodes)
    values = member.values(exploration * inside, rows[:, None, None])
    points = np.empty((*values.shape, len(members)))
    points[..., inner] = values
    if len(members) == 2:
        points[..., 1 - inner] = outer[..., None]
    with np.errstate(divide="ignore"):
        gains = np.log(front.gain(points).mean(-1))
    return np.asarray(logsumexp(np.where(possible, gains + chance, -np.inf), 1) - np.log(levels.shape[1]))


def _others(members: Sequence[Member], inner: int, exploration: float, rows: NDArray[np.int_]) -> Array:
    """(n, q): the other objective's value, or its quantiles where it is learnt; (n, 1) of nothing without another."""
    if len(members) == 1:
        return np.zeros((len(rows), 1))
    other = members[1 - inner]
    if isinstance(other, Posterior):
        return other.values(exploration * ndtri(_QUANTILES)[None], rows[:, None])
    return np.asarray(other[rows][:, None])


def _by_draws(front: Front, members: Sequence[Member], exploration: float, rows: NDArray[np.int_]) -> Array:
    learnt = sum(isinstance(each, Posterior) for each in members)
    draws = np.zeros((1, learnt))
    if exploration and learnt:
        draws = ndtri(qmc.Sobol(learnt, scramble=False).random(_DRAWS) + 0.5 / _DRAWS)
    deviations = itertools.count()
    columns = []
    for each in members:
        if isinstance(each, Posterior):
            columns.append(each.values(exploration * draws[:, next(deviations)][None], rows[:, None]))
        else:
            columns.append(np.broadcast_to(each[rows][:, None], (len(rows), len(draws))))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(front.gain(np.stack(columns, -1)).mean(1)))
