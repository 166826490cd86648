"""Which candidate promises most."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from windtunnel.strategies.pareto.kernel import Array

_LAZY = 128  # candidates whose gain is brought up to date at once
_WIDEST = 4.0  # times what counts of a normal distribution


class LogGains(Protocol):
    """What candidates would add, as a function."""

    def __call__(self, exploration: float, rows: NDArray[np.int_] | None = None, /) -> Array:
        """(n,): logarithms of the gains of all candidates, or of some, when so many standard deviations count."""
        ...


class Ranking:
    """Candidates by their gains, which only shrink as the front grows, so that few need a new look."""

    def __init__(self, log_gains: LogGains, exploration: float) -> None:
        """A ranking of all candidates, by gains to which so many standard deviations count."""
        self._look = log_gains
        self._exploration = exploration
        self._gains = log_gains(exploration)
        self._struck = np.zeros(len(self._gains), bool)

    def first(self) -> int:
        """The candidate with the largest gain; where none gains anything, less likely values count as well."""
        index = self._largest()
        while self._gains[index] == -np.inf and self._exploration < _WIDEST:
            self._exploration = max(1.0, 2 * self._exploration)
            self._gains = self._look(self._exploration)
            index = self._largest()
        return index

    def best(self, n: int) -> list[int]:
        """The n candidates with the largest gains, as they were last seen; if any, the first one gains something."""
        self.first()
        gains = np.where(self._struck, -np.inf, self._gains)
        return [int(index) for index in np.argsort(-gains, kind="stable")[:n]]

    def extend(self, count: int) -> None:
        """Let further candidates in, until there are so many."""
        new = np.arange(len(self._gains), count)
        if len(new):
            self._gains = np.concatenate([self._gains, self._look(self._exploration, new)])
            self._struck = np.concatenate([self._struck, np.zeros(len(new), bool)])

    def strike(self, index: int) -> None:
        """Never return this candidate again."""
        self._struck[index] = True

    def _largest(self) -> int:
        """The first of the largest, brought up to date until the largest one is."""
        fresh = self._struck.copy()
        while True:
            gains = np.where(self._struck, -np.inf, self._gains)
            index = int(gains.argmax())
            if gains[index] == -np.inf:
                return int(self._struck.argmin())
            if fresh[index]:
                return index
            stale = np.argpartition(-np.where(fresh, -np.inf, gains), min(_LAZY, len(fresh) - 1))[:_LAZY]
            stale = stale[~fresh[stale]]
            self._gains[stale] = self._look(self._exploration, stale)
            fresh[stale] = True
