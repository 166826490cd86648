"""Values made nearly Gaussian: errors crowd at their best and have a long tail, other values the other way round."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LONG = 0.05  # the median's distance from the best, as a share of the worst's: a tail is long below it
_TINY = tuple(10.0**-power for power in range(2, 12))
_LEAST = 1e-200  # an extent that others can be divided by
_BEYOND = 100.0  # times the median's distance from the best, the most that is told apart
_LEAP = 10.0  # times as far from the best as the next better value


@dataclass(frozen=True)
class Warp:
    """A logarithm of the distance to a bound a little beyond the best (or the worst) value; or nothing.

    Attributes:
        low: the best value, of those to be minimised.
        extent: from the best to the worst.
        offset: how far the bound is beyond, as a share of the extent; positive beyond the best, negative beyond the
            worst, infinite where values are taken as they are.
        log_prior: how likely it is before any value is known; only differences count.
    """

    low: float
    extent: float
    offset: float
    log_prior: float = 0.0

    def forward(self, values: Array) -> Array:
        """Values as the model sees them; still the smaller the better."""
        share = (values - self.low) / self.extent
        if np.isinf(self.offset):
            return np.asarray(share)
        if self.offset > 0:
            return np.log(np.maximum(share + self.offset, 1e-3 * self.offset))
        return -np.log(np.maximum(1 - share - self.offset, -1e-3 * self.offset))

    def back(self, warped: Array) -> Array:
        """The values themselves."""
        if np.isinf(self.offset):
            share = warped
        elif self.offset > 0:
            share = np.exp(np.minimum(warped, 20.0)) - self.offset
        else:
            share = 1 - self.offset - np.exp(np.minimum(-warped, 20.0))
        return np.asarray(self.low + self.extent * share)

    def log_slope(self, values: Array) -> float:
        """Sum of the logarithms of the slope, which makes likelihoods of different warps comparable."""
        if np.isinf(self.offset):
            return 0.0
        warped = self.forward(values)
        return float(-warped.sum() if self.offset > 0 else warped.sum())


def warps(values: Array, *, cautious: bool = False) -> list[Warp]:
    """The warps among which the likelihood chooses; of values with a long tail also such as tell the best apart.

    Args:
        values: (n,), to be minimised.
        cautious: whether that values are taken as they are is beforehand as likely as all others together, rather than
            as each of them: of so many, few values make one look better by chance.
    """
    low, extent = float(values.min()), float(np.ptp(values))
    extent = extent if extent > _LEAST else 1.0
    shares = np.quantile((values - low) / extent, [0.1, 0.5])
    offsets = [float("inf"), *(sign * offset for sign in (1, -1) for offset in (0.02, 0.05, 0.1, 0.3, 1.0))]
    if shares[1] < _LONG:
        offsets += [offset for offset in _TINY if offset > shares[0] / 10]
    log_prior = -float(np.log(len(offsets) - 1)) if cautious else 0.0
    return [Warp(low, extent, offset, 0.0 if np.isinf(offset) else log_prior) for offset in offsets]


def tamed(values: Array) -> Array:
    """The values, those that are worse than the best beyond all measure, as of a training that diverged, brought near.

    How much worse is out of proportion tells a model nothing, and would drown all differences that matter. That are
    those in the worse half from the first on that is many times as far from the best as the one before it.
    """
    worse = np.sort(values - values.min())
    worse = worse[worse > 0]
    if not worse.size:
        return values
    half = worse[(len(worse) - 1) // 2 :]
    leaps = np.flatnonzero(half[1:] > _LEAP * half[:-1])
    most = half[leaps[0]] if leaps.size else half[-1]
    return np.asarray(np.minimum(values, values.min() + min(most, _BEYOND * half[0])))
