"""Where a job's units come from: a list, or a lane that claims them."""

from collections import deque
from collections.abc import Iterable
from typing import Protocol


class Source(Protocol):
    """Gives a job its units, one after the other."""

    def next(self) -> str | None:
        """The next unit; None where there is none for now.

        Raises:
            StoreError: the store refused; asking again does no harm.
        """
        ...

    def settle(self, unit: str) -> None:
        """Hear that a unit has its result."""
        ...

    def done(self) -> bool:
        """Whether there will be no more, now that nothing runs."""
        ...

    def trial_time(self, unit: str) -> float | None:
        """The seconds that a unit of its may take; None where there is no limit."""
        ...


class Listed:
    """Units that a job was given, in order."""

    def __init__(self, units: Iterable[str], trial_time: float | None = None) -> None:
        """Give these units.

        Args:
            units: their ids.
            trial_time: the seconds that each may take.
        """
        self._units = deque(units)
        self._trial_time = trial_time

    def next(self) -> str | None:
        """The next one; None after the last."""
        return self._units.popleft() if self._units else None

    def settle(self, unit: str) -> None:
        """Nothing is remembered of it."""

    def done(self) -> bool:
        """Whether all were given."""
        return not self._units

    def trial_time(self, unit: str) -> float | None:
        """The same for all."""
        return self._trial_time
