"""Which candidate promises most."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from windtunnel.strategies.pareto.kernel import Array

Places = NDArray[np.intp]
LogGains = Callable[[float, Places], Array]  # of candidates, where so many standard deviations count

_LAZY = 16  # candidates whose gain is brought up to date at once, and twice as many each time that does not settle it
_WIDEST = 4.0  # times what counts of a normal distribution


class Ranking:
    """Candidates by the logarithms of their gains.

    Gains only shrink as the front grows, so a gain that was worked out earlier is an upper bound. The largest one is
    found by a new look at those few whose bounds are largest (Minoux, "Accelerated greedy algorithms for maximizing
    submodular set functions", 1978).
    """

    def __init__(self, log_gains: LogGains, exploration: float, count: int) -> None:
        """A ranking of so many candidates, by gains to which so many standard deviations count."""
        self._log_gains = log_gains
        self._exploration = exploration
        self._bounds = log_gains(exploration, np.arange(count))
        self._exact = np.ones(count, bool)
        self._struck = np.zeros(count, bool)

    def first(self) -> int:
        """The candidate with the largest gain; where none gains anything, less likely values count as well."""
        place = self._largest()
        while self._bounds[place] == -np.inf and self._exploration < _WIDEST:
            self._exploration = max(1.0, 2 * self._exploration)
            self._bounds = self._log_gains(self._exploration, np.arange(len(self._bounds)))
            self._exact[:] = True
            place = self._largest()
        return place

    def best(self, n: int) -> list[int]:
        """The n candidates with the largest gains, as they were last seen; if any, the first one gains something."""
        self.first()
        return [int(place) for place in np.argsort(-self._left(), kind="stable")[:n]]

    def extend(self, count: int) -> None:
        """Let further candidates in, until there are so many."""
        new = np.arange(len(self._bounds), count)
        if len(new):
            self._bounds = np.concatenate([self._bounds, self._log_gains(self._exploration, new)])
            self._exact = np.concatenate([self._exact, np.ones(len(new), bool)])
            self._struck = np.concatenate([self._struck, np.zeros(len(new), bool)])

    def strike(self, place: int) -> None:
        """Never return this candidate again; what is believed of it may have left the others less to gain."""
        self._struck[place] = True
        self._exact[:] = False

    def _left(self) -> Array:
        """The bounds of the candidates that are left; -inf for those that are not."""
        return np.where(self._struck, -np.inf, self._bounds)

    def _largest(self) -> int:
        """The candidate with the largest gain; where none gains anything, the first that is left."""
        few = _LAZY
        while True:
            bounds = self._left()
            place = int(bounds.argmax())
            if bounds[place] == -np.inf:
                return int(self._struck.argmin())
            if self._exact[place]:
                return place
            stale = np.where(self._exact, -np.inf, bounds)
            looked = np.argpartition(-stale, min(few, len(stale) - 1))[:few]
            looked = looked[~(self._exact | self._struck)[looked]]
            self._bounds[looked] = self._log_gains(self._exploration, looked)
            self._exact[looked] = True
            few *= 2
