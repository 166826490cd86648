"""How alike two configurations are, as a covariance of Gaussian processes.

    k(x, y) = a Σ_g v_g φ_g(x)·φ_g(y)  +  p Matérn(√(Σ_g w_g |x_g - y_g|²))  +  noise if x is y

The first term is additive: what each column does by itself, and what known values such as FLOPs do, on a small basis
φ_g, which for a number is a line, a parabola and waves. It learns from few trials. The second is a Matérn-5/2 with a
relevance w_g per column, over all columns together: what columns do with each other. Both are matrix products, so
thousands of candidates cost milliseconds.

Values after fewer epochs differ from the last ones by something like them, the more the fewer the epochs: with gaps s
and t, from 0 for all epochs to 1,

    k(x, s, y, t) = k(x, y) + b s t (1 + k(x, y))  +  n s² if x is y

so that they tell much, or nothing, of the last ones, as the trials have it (after the linear truncated fidelity kernel
of Wu et al., "Practical Multi-fidelity Bayesian Optimization for Hyperparameter Tuning", 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Configurations as numbers.

    Attributes:
        place: (n, p); squared distances between rows of a group's columns are 0 to about 1.
        basis: (n, q); what the additive term is linear in.
        gap: (n,); how far from all epochs each is, from 0 to 1.
    """

    place: Array
    basis: Array
    gap: Array

    def __len__(self) -> int:
        """The number of configurations."""
        return len(self.place)

    def __getitem__(self, rows: "NDArray[np.int_] | slice") -> "Features":
        """Some of the configurations."""
        return Features(self.place[rows], self.basis[rows], self.gap[rows])

    def joined(self, others: "Features") -> "Features":
        """These configurations, and then others."""
        return Features(
            np.vstack([self.place, others.place]),
            np.vstack([self.basis, others.basis]),
            np.concatenate([self.gap, others.gap]),
        )


@dataclass(frozen=True)
class Groups:
    """Which group each column of `Features` is of.

    Attributes:
        place: (p,), of the columns of `place`.
        basis: (q,), of the columns of `basis`.
        count: of the groups.
    """

    place: NDArray[np.int_]
    basis: NDArray[np.int_]
    count: int


class _Values(NamedTuple):
    """Hyperparameters as they are multiplied with: w (p,), v (q,), p, the noise, b and n."""

    relevance: Array
    amplitude: Array
    product: float
    noise: float
    drift: float
    early: float


class Kernel:
    """The covariance. Its hyperparameters are logarithms of w (one a group), v (one a group), p, the noise, b and n."""

    def __init__(self, groups: Groups, *, additive: bool = True) -> None:
        """A kernel over such groups of columns, with or without the additive term."""
        self.groups = groups
        self._additive = float(additive)
        self.size = 2 * groups.count + 4
        # Relevances shrink with the number of groups, so that far corners stay related in wide spaces (Hvarfner et al.,
        # "Vanilla Bayesian Optimization Performs Great in High Dimensions", 2024).
        count = max(groups.count, 1)
        self.prior_mean = np.r_[
            np.full(groups.count, np.log(9 / count)), np.full(groups.count, np.log(1 / count)), -0.7, -5.0, -0.7, -3.0
        ]
        self.prior_deviation = np.r_[np.full(2 * groups.count, 1.5), 1.5, 2.0, 1.5, 2.0]

    def covariance(self, theta: Array, first: Features, second: Features) -> Array:
        """(n, m): between two sets of configurations, without the noise."""
        values = self._values(theta)
        weights = np.sqrt(values.relevance)
        covariance = _matern(_squares(first.place * weights, second.place * weights))
        covariance *= values.product
        covariance += (first.basis * values.amplitude) @ second.basis.T
        if first.gap.any() and second.gap.any():
            covariance += values.drift * np.outer(first.gap, second.gap) * (1 + covariance)
        return covariance

    def variance(self, theta: Array, features: Features) -> Array:
        """(n,): of each configuration by itself, without the noise."""
        values = self._values(theta)
        variance = np.full(len(features), values.product) + (features.basis**2) @ values.amplitude
        return np.asarray(variance + values.drift * features.gap**2 * (1 + variance))

    def noise(self, theta: Array, features: Features) -> Array:
        """(n,): the variance that repeating each trial would show, and what no column explains."""
        values = self._values(theta)
        return np.asarray(values.noise + values.early * features.gap**2)

    def differentiable(self, theta: Array, features: Features) -> tuple[Array, Callable[[Array], Array]]:
        """The covariance of configurations with each other and its noise, and a function for its slopes.

        Returns:
            (n, n), and what makes of symmetric weights (n, n) the gradient (size,) of Σ weights ∘ K by the
            hyperparameters.
        """
        relevance, amplitude, product, noise, drift, early = self._values(theta)
        scaled = features.place * np.sqrt(relevance)
        root = _squares(scaled, scaled)
        root *= 5
        np.sqrt(root, out=root)
        decay = np.negative(root)
        np.exp(decay, out=decay)
        decay_by_root = 1 + root
        decay_by_root *= decay
        matern = np.multiply(root, root, out=root)
        matern /= 3
        matern *= decay
        matern += decay_by_root
        last = np.multiply(product, matern, out=decay)
        last += (features.basis * amplitude) @ features.basis.T
        gapless = not features.gap.any()  # as nearly always, and half of the work
        gaps = np.zeros(()) if gapless else drift * np.outer(features.gap, features.gap)
        covariance = last if gapless else last + gaps * (1 + last)
        covariance[np.diag_indices(len(features))] += self.noise(theta, features)

        def gradient(weights: Array) -> Array:
            of_last = weights if gapless else weights * (1 + gaps)
            inner = of_last * decay_by_root
            inner *= -5 / 6 * product
            spread = 2 * (inner.sum(1) @ features.place**2 - (features.place * (inner @ features.place)).sum(0))
            linear = (features.basis * (of_last @ features.basis)).sum(0)
            slopes = np.r_[
                np.bincount(self.groups.place, spread * relevance, self.groups.count),
                np.bincount(self.groups.basis, linear * amplitude, self.groups.count),
                product * np.vdot(of_last, matern),
                noise * np.trace(weights),
                0.0 if gapless else np.vdot(weights, gaps * (1 + last)),
                early * (np.diag(weights) @ features.gap**2),
            ]
            return np.asarray(slopes)

        return covariance, gradient

    def _values(self, theta: Array) -> _Values:
        count = self.groups.count
        values = np.exp(theta)
        relevance, amplitude = values[:count][self.groups.place], values[count : 2 * count][self.groups.basis]
        return _Values(relevance, self._additive * amplitude, *map(float, values[2 * count :]))


def _squares(first: Array, second: Array) -> Array:
    cross = first @ second.T
    cross *= -2
    cross += (first**2).sum(1)[:, None]
    cross += (second**2).sum(1)[None]
    return np.maximum(cross, 0.0, out=cross)


def _matern(squares: Array) -> Array:
    """In place, where it can be: with thousands of candidates memory is what takes the time."""
    squares *= 5
    root = np.sqrt(squares)
    squares /= 3
    squares += root
    squares += 1
    np.negative(root, out=root)
    squares *= np.exp(root, out=root)
    return squares
