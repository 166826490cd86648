"""Where a job's units come from: a list, or a lane that claims them."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from windtunnel.errors import StoreError, UnavailableError
from windtunnel_trainer.deferred import PAUSE
from windtunnel_trainer.logs import say

_PATIENCE = 30.0  # seconds that the store may refuse for good before that is told


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


class Patient:
    """Asks a source again after a pause where the store refused, and says so once."""

    def __init__(self, source: Source, give_up: Callable[[StoreError], None]) -> None:
        """Ask this source.

        Args:
            source: of units.
            give_up: told why where the store has refused for good for too long.
        """
        self._source, self._give_up = source, give_up
        self._asks_again = False  # whether the store refused last
        self._refused_since = math.inf  # since when it refuses for good, and nothing else came in between
        self._due = -math.inf  # when to ask again then

    def next(self) -> str | None:
        """The source's next unit; None where there is none for now, or no answer."""
        moment = time.monotonic()
        if moment < self._due:
            return None
        try:
            unit = self._source.next()
        except StoreError as error:
            self._due = moment + PAUSE
            if not self._asks_again:
                say(f"asking again and again: {error}")
            self._asks_again = True
            self._refused_since = math.inf if isinstance(error, UnavailableError) else min(moment, self._refused_since)
            if moment - self._refused_since > _PATIENCE:
                self._give_up(error)
            return None
        if self._asks_again:
            say("the store answers again")
        self._asks_again, self._refused_since = False, math.inf
        return unit
