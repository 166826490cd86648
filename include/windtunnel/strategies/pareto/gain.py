"""What a point would add to the hypervolume of a front. All objectives are to be minimised."""

from collections.abc import Iterator

import moocore
import numpy as np

from windtunnel.strategies.pareto.kernel import Array

_DIRECTIONS = 256  # over which the gain is averaged, from three objectives on
_CACHED = 768  # values of points at once


class Front:
    """A front that grows, up to a worst corner.

    With one objective the gain is the improvement, with two it is exact. From three on it is the mean over directions λ
    of the gain of max over the front of (min_i (r_i - y_i) / λ_i)^m, which is the hypervolume but for a constant (Zhang
    and Golovin, "Random Hypervolume Scalarizations for Provable Multi-Objective Black Box Optimization", 2020).
    """

    def __init__(self, points: Array, reference: Array, rng: np.random.Generator | None = None) -> None:
        """A front of some points.

        Args:
            points: (n, m); dominated ones do no harm.
            reference: (m,), the worst corner.
            rng: shifts the directions, so that what lies between those of one search lies on those of the next.
        """
        self._reference = reference
        self._points = points[(points < reference).all(1)]
        count = len(reference)
        if count > 2:
            from scipy.stats import norm, qmc

            quantiles = qmc.Sobol(count, scramble=False).random(_DIRECTIONS) + 0.5 / _DIRECTIONS
            if rng is not None:
                quantiles = (quantiles + rng.random(count)) % 1.0
            directions = norm.ppf(0.5 + quantiles / 2)  # the positive part of a sphere, evenly
            lengths = np.linalg.norm(directions, axis=1, keepdims=True)
            self._inverses = 1 / np.maximum(directions / lengths, 1e-3)
            self._reached = np.zeros(_DIRECTIONS)
            for point in self._points:
                self.add(point)
        else:
            self._steps()

    def add(self, point: Array) -> None:
        """Let a point join the front."""
        if len(self._reference) > 2:
            self._reached = np.maximum(self._reached, self._reach(point[None])[0])
        elif (point < self._reference).all():
            self._points = np.vstack([self._points, point])
            self._steps()

    def gain(self, points: Array) -> Array:
        """What each of the points would add by itself.

        Args:
            points: (..., m).
        """
        if len(self._reference) == 1:
            return np.asarray(np.maximum(self._best - points[..., 0], 0.0))
        if len(self._reference) > 2:
            gains = [np.maximum(self._reach(few) - self._reached, 0.0).mean(-1) for few in _portions(points)]
            return np.concatenate(gains)
        first, second = points[..., 0], points[..., 1]
        step = np.searchsorted(self._edges[1:-1], first, side="right")  # that the point is above or below of
        stop = np.searchsorted(-self._levels, -second)  # the first step that is better in the second objective
        whole = np.maximum(stop, step + 1)
        gain = np.maximum(self._edges[step + 1] - first, 0.0) * np.maximum(self._levels[step] - second, 0.0)
        gain += self._areas[whole] - self._areas[step + 1] - second * (self._edges[whole] - self._edges[step + 1])
        return np.asarray(np.maximum(gain, 0.0))

    def levels(self, others: Array, objective: int) -> Array:
        """What one objective must be better than for a gain; -inf where nothing would be. With up to two objectives.

        Args:
            others: (...,), values of the other objective; with a single one their shape alone counts.
            objective: 0 or 1, which one is asked for.
        """
        if len(self._reference) == 1:
            return np.full(others.shape, self._best)
        firsts, seconds = self._points.T
        if objective:
            levels = np.r_[self._reference[1], seconds][np.searchsorted(firsts, others, side="right")]
        else:
            levels = np.r_[firsts, self._reference[0]][np.searchsorted(-seconds, -others, side="left")]
        return np.asarray(np.where(others < self._reference[1 - objective], levels, -np.inf))

    def _steps(self) -> None:
        """The staircase of two objectives: between two edges of the first, the best of the second so far."""
        self._best = min(self._points[:, 0], default=self._reference[0])
        if len(self._reference) == 2:
            order = np.lexsort((self._points[:, 1], self._points[:, 0]))
            lowest = np.minimum.accumulate(self._points[order, 1]) if len(order) else np.empty(0)
            kept = np.flatnonzero(np.r_[True, lowest[1:] < lowest[:-1]]) if len(order) else np.empty(0, int)
            self._points = self._points[order[kept]] if len(order) else self._points
            self._edges = np.r_[-np.inf, self._points[:, 0], self._reference[0]]
            self._levels = np.r_[self._reference[1], self._points[:, 1]]
            areas = np.diff(self._edges[1:]) * self._levels[1:]  # of whole steps down to 0; the first has no end
            self._areas = np.r_[0.0, 0.0, np.cumsum(areas)]

    def _reach(self, points: Array) -> Array:
        lengths = np.maximum(self._reference - points, 0.0)
        reach = lengths[..., 0, None] * self._inverses[:, 0]
        for axis in range(1, points.shape[-1]):
            np.minimum(reach, lengths[..., axis, None] * self._inverses[:, axis], out=reach)
        power = reach.copy()
        for _ in range(points.shape[-1] - 1):
            power *= reach
        return np.asarray(power)


def _portions(points: Array) -> Iterator[Array]:
    """The points in portions whose reach in all directions a processor's cache holds."""
    size = max(1, _CACHED // max(1, points[0].size if len(points) else 1))
    return (points[start : start + size] for start in range(0, max(1, len(points)), size))


def reference(points: Array) -> Array:
    """The worst corner that a search measures its progress from: (m,).

    A tenth beyond the worst of the front, and of the other points but for outliers, such as trainings that diverged.
    """
    low, high = points.min(0), points.max(0)
    first, third = np.quantile(points, [0.25, 0.75], axis=0)
    usual = np.minimum(high, third + 3 * (third - first))
    best = points[non_dominated(points)]
    worst = np.maximum(best.max(0), usual)
    extent = np.where(worst > low, worst - low, np.where(worst != 0, np.abs(worst), 1.0))
    return np.asarray(worst + 0.1 * extent)


def non_dominated(points: Array) -> Array:
    """(n,): whether no other point is better."""
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True))


def ranks(points: Array) -> Array:
    """(n,): 0 on the front, 1 on the front of the others, and so on."""
    return np.asarray(moocore.pareto_rank(points))
