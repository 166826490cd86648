"""Gaussian processes whose hyperparameters and warp are the likeliest ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from windtunnel.strategies.pareto.growing import Growing
from windtunnel.strategies.pareto.kernel import Array, Features, Kernel
from windtunnel.strategies.pareto.warp import Warp, tamed, warps

FITTED = 250  # trials that hyperparameters are fitted to; more change them little
_STEPS = 40  # of the search for the likeliest hyperparameters
_LAST_STEPS = 10  # once half of the trials were searched for theirs
_JITTER = 1e-6
_BOUND = 4.0  # standard deviations of the prior within which a hyperparameter stays


@dataclass
class Process:
    """A fitted Gaussian process.

    Attributes:
        kernel: of it.
        theta: its hyperparameters.
        warp: between values and what is Gaussian.
        center: mean of the warped values.
        scale: of the warped values; variances are relative to its square.
        features: of the trials, and then of what is believed since.
        root: (n, n), lower Cholesky factor of the trials' covariance.
        below: (k, n + k), its further rows, of what is believed since.
        white: (n + k,), what the factor makes of the warped values.
    """

    kernel: Kernel
    theta: Array
    warp: Warp
    center: float
    scale: float
    features: Features
    root: Array
    below: Growing
    white: Array

    def predict(self, features: Features) -> "Posterior":
        """What is expected of configurations, given the trials and what was believed since."""
        cross = self.kernel.covariance(self.theta, self.features, features)
        explained = self._explained(cross)
        variance = self.kernel.variance(self.theta, features) - np.einsum("ij,ij->j", explained, explained)
        return Posterior(self, features, explained.T @ self.white, np.maximum(variance, 1e-10), explained)

    def believe(self, one: Features, explained: Array, deviation: float, worse: float) -> None:
        """Take a configuration for a trial.

        Args:
            one: the configuration.
            explained: (n,), what the root makes of its covariances with the trials.
            deviation: of what a trial of it would show.
            worse: standard deviations that it turns out worse than expected.
        """
        self.below.grow(1, 1)
        self.below.filled[-1] = np.append(explained, deviation)
        self.below.filled[:-1, -1] = 0.0
        self.features = self.features.joined(one)
        self.white = np.append(self.white, worse)

    def _explained(self, cross: Array) -> Array:
        """(n + k, m): what the factor makes of covariances with the trials and with what is believed."""
        count = len(self.root)
        explained: Array = solve_triangular(self.root, cross[:count], lower=True, check_finite=False)
        below = self.below.filled
        if not len(below):
            return explained
        rest = cross[count:] - below[:, :count] @ explained
        return np.vstack([explained, solve_triangular(below[:, count:], rest, lower=True, check_finite=False)])

    def noise(self, features: Features) -> Array:
        """(n,): the noise's variance of trials, relative to the scale's square."""
        return self.kernel.noise(self.theta, features) + _JITTER


class Posterior:
    """What a process expects of candidates, and how that changes as some of them are taken into the batch.

    Attributes:
        mean: (n,), warped and relative to the scale.
        variance: (n,), likewise.
    """

    def __init__(self, process: Process, features: Features, mean: Array, variance: Array, explained: Array) -> None:
        """A posterior before anything is taken."""
        self.mean = mean
        self.variance = variance
        self._process = process
        self._features = features
        self._explained = Growing(explained)

    def take(self, index: int, worse: float = 0.0) -> None:
        """Believe what a candidate will turn out as: what resembles it becomes less uncertain.

        Args:
            index: of the candidate.
            worse: standard deviations that it turns out worse than expected, and with it what resembles it.
        """
        process = self._process
        one = self._features[index : index + 1]
        explained = self._explained.filled
        own = explained[:, index].copy()
        cross = process.kernel.covariance(process.theta, one, self._features)[0] - own @ explained
        deviation = float(np.sqrt(self.variance[index] + process.noise(one)[0]))
        row = cross / deviation
        self.variance = np.maximum(self.variance - row * row, 1e-10)
        self.mean = self.mean + worse * row
        self._explained.grow(1, 0)
        self._explained.filled[-1] = row
        process.believe(one, own, deviation, worse)

    def keep(self, rows: NDArray[np.int_]) -> None:
        """Forget all candidates but some, in this order."""
        self.mean, self.variance, self._features = self.mean[rows], self.variance[rows], self._features[rows]
        self._explained = Growing(self._explained.filled[:, rows])

    def extend(self, features: Features) -> None:
        """Let further candidates in."""
        more = self._process.predict(features)
        self.mean = np.concatenate([self.mean, more.mean])
        self.variance = np.concatenate([self.variance, more.variance])
        self._features = self._features.joined(features)
        before = self._explained.filled.shape[1]
        self._explained.grow(0, len(features))
        self._explained.filled[:, before:] = more._explained.filled


def fit(
    kernel: Kernel,
    features: Features,
    values: Array,
    rng: np.random.Generator,
    *,
    warp: "bool | Warp" = True,
    cautious: bool = False,
    most: int = FITTED,
) -> Process:
    """The process that makes the values likeliest, given the prior of the hyperparameters.

    Args:
        kernel: over the features' groups.
        features: of the trials.
        values: (n,), to be minimised.
        rng: decides which trials the hyperparameters are fitted to, where there are many.
        most: trials that hyperparameters are fitted to.
        warp: the warp; or whether the likeliest one is taken, rather than none.
        cautious: see `warps`.
    """
    values = tamed(values)
    few = rng.permutation(len(features))[:most]
    choice = [warp] if isinstance(warp, Warp) else warps(values, cautious=cautious)
    choice = choice if warp else choice[:1]
    theta, steps = kernel.prior_mean, _STEPS
    if len(few) < len(features):  # half of so many say nearly all
        half = np.sort(few[: most // 2])
        theta, _ = _fit(kernel, theta, features[half], values[half], choice, steps)
        steps = _LAST_STEPS
    few = np.sort(few)
    theta, chosen = _fit(kernel, theta, features[few], values[few], choice, steps)
    warped = chosen.forward(values)
    center, scale = float(warped.mean()), float(warped.std()) or 1.0
    root = _root(kernel, theta, features)
    white = solve_triangular(root, (warped - center) / scale, lower=True, check_finite=False)
    return Process(kernel, theta, chosen, center, scale, features, root, Growing(np.empty((0, len(root)))), white)


def _fit(
    kernel: Kernel, theta: Array, features: Features, values: Array, choice: list[Warp], steps: int
) -> tuple[Array, Warp]:
    warp = _likeliest_warp(kernel, theta, features, values, choice)
    for _ in range(2):
        theta = _likeliest(kernel, theta, features, _standard(warp.forward(values)), steps)
        better = _likeliest_warp(kernel, theta, features, values, choice)
        if better == warp:
            break
        warp = better
    return theta, warp


def _likeliest(kernel: Kernel, start: Array, features: Features, values: Array, steps: int) -> Array:
    def loss(theta: Array) -> tuple[float, Array]:
        covariance, gradient = kernel.differentiable(theta, features)
        try:
            root = _lower(covariance)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse = _inverse(root)
        weights = inverse @ values
        away = (theta - kernel.prior_mean) / kernel.prior_deviation
        fit = 0.5 * values @ weights + np.log(np.diag(root)).sum() + 0.5 * away @ away
        inverse -= np.outer(weights, weights)
        return float(fit), 0.5 * gradient(inverse) + away / kernel.prior_deviation

    reach = _BOUND * kernel.prior_deviation
    bounds = list(zip(kernel.prior_mean - reach, kernel.prior_mean + reach, strict=True))
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    return np.asarray(optimum.x)


def _likeliest_warp(kernel: Kernel, theta: Array, features: Features, values: Array, choice: list[Warp]) -> Warp:
    if len(choice) == 1:
        return choice[0]
    root = _root(kernel, theta, features)
    warped = [warp.forward(values) for warp in choice]
    white = solve_triangular(root, np.column_stack([*map(_standard, warped)]), lower=True, check_finite=False)
    count = len(values)
    # The amplitude that suits a warp best is taken for granted: only the shape is compared.
    losses = [
        0.5 * count * np.log(column @ column / count + 1e-12)
        + count * np.log(each.std() or 1.0)
        - warp.log_slope(values)
        - warp.log_prior
        for warp, each, column in zip(choice, warped, white.T, strict=True)
    ]
    return choice[int(np.argmin(losses))]


def _standard(values: Array) -> Array:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def _root(kernel: Kernel, theta: Array, features: Features) -> Array:
    covariance = kernel.covariance(theta, features, features)
    covariance[np.diag_indices(len(features))] += kernel.noise(theta, features)
    return _lower(covariance)


def _inverse(root: Array) -> Array:
    """The inverse of what this is the lower Cholesky factor of."""
    lower, _ = dpotri(root, lower=1)  # above the diagonal it leaves the factor's zeros
    inverse = lower + lower.T
    inverse[np.diag_indices(len(inverse))] /= 2
    return np.asarray(inverse)


def _lower(covariance: Array) -> Array:
    covariance[np.diag_indices(len(covariance))] += _JITTER
    return np.asarray(cholesky(covariance, lower=True, check_finite=False, overwrite_a=True))
