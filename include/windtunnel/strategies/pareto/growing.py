"""A matrix that takes in further rows and columns without being copied each time."""

import numpy as np

from windtunnel.strategies.pareto.kernel import Array

_SPARE = 3  # times what is needed is set aside: what is never written to takes no memory


class Growing:
    """A matrix with room at its right and at its bottom."""

    def __init__(self, filled: Array) -> None:
        """A matrix that is filled so far."""
        self._room = filled
        self._rows, self._columns = filled.shape

    @property
    def filled(self) -> Array:
        """What it holds: a view, to be written to after it has grown."""
        return self._room[: self._rows, : self._columns]

    def grow(self, rows: int, columns: int) -> None:
        """Take in so many more rows and columns; what they hold is not defined before it is written."""
        before = self.filled
        needed = self._rows + rows, self._columns + columns
        if any(need > there for need, there in zip(needed, self._room.shape, strict=True)):
            grows = zip(needed, self._room.shape, (rows, columns), strict=True)
            self._room = np.empty([max(there, _SPARE * need if more else need) for need, there, more in grows])
            self._room[: self._rows, : self._columns] = before
        self._rows, self._columns = needed
