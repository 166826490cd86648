"""Which candidate promises most."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from windtunnel.strategies.pareto.kernel import Array

_LAZY = 128  # candidates whose gain is brought up to date at once
_WIDEST = 4.0  # times what counts of a normal distribution


class Gains(Protocol):
    """What candidates would add, as a function."""

    def __call__(self, exploration: float, rows: NDArray[np.int_] | None = None, /) -> Array:
        """(n,): the gains of all candidates, or of some, when so many standard deviations count."""
        ...


class Ranking:
    """Candidates by their gains, which only shrink as the front grows, so that few need a new look."""

    def __init__(self, gains: Gains, exploration: float) -> None:
        """A ranking of all candidates, by gains to which so many standard deviations count."""
        self._look = gains
        self._exploration = exploration
        self._gains = gains(exploration)

    def first(self) -> int:
        """The candidate with the largest gain; where none gains anything, less likely values count as well."""
        index = self._largest()
        while self._gains[index] == 0 and self._exploration < _WIDEST:
            self._exploration = max(1.0, 2 * self._exploration)
            self._gains = np.where(np.isfinite(self._gains), self._look(self._exploration), -np.inf)
            index = self._largest()
        return index

    def best(self, n: int) -> list[int]:
        """The n candidates with the largest gains, as they were last seen; if any, the first one gains something."""
        self.first()
        return [int(index) for index in np.argsort(-self._gains, kind="stable")[:n]]

    def strike(self, index: int) -> None:
        """Never return this candidate again."""
        self._gains[index] = -np.inf

    def _largest(self) -> int:
        fresh = np.zeros(len(self._gains), bool)
        while True:
            index = int(self._gains.argmax())
            if fresh[index] or self._gains[index] == -np.inf:
                return index
            stale = np.argpartition(-np.where(fresh, -np.inf, self._gains), min(_LAZY, len(fresh) - 1))[:_LAZY]
            stale = stale[~fresh[stale] & (self._gains[stale] > -np.inf)]
            self._gains[stale] = self._look(self._exploration, stale)
            fresh[stale] = True
