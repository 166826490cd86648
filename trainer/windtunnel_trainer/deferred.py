"""Work on units that the store refuses for now: it is done again until the store takes it."""

import time
from collections.abc import Callable
from functools import partial

from windtunnel.errors import StoreError, UnavailableError
from windtunnel_trainer.logs import say

_ROUND = 30.0  # seconds until a lane tries what was left
PAUSE = 5.0  # seconds until a store that failed for now is tried again


class DeferredWork:
    """Does work for units one by one; whatever the store refuses of one, others go on.

    Attributes:
        left: work that the store refuses for good, and why, by unit: for the job's next start, or for `try_left`.
    """

    def __init__(self) -> None:
        """Nothing is deferred yet."""
        self.left: dict[str, tuple[Callable[[], None], StoreError]] = {}
        self._next_round = 0.0
        self._waiting: list[tuple[str, Callable[[], None]]] = []
        self._next_try = 0.0

    def __bool__(self) -> bool:
        """Whether some work waits for the store; nothing new should be begun meanwhile."""
        return bool(self._waiting)

    def do(self, unit: str, work: Callable[[], None]) -> None:
        """Do something for a unit: now, or, where the store cannot take it for now, as a full disk cannot, later."""
        try:
            work()
        except UnavailableError as error:
            if not self._waiting:
                say(f"{unit}: waiting: {error}")
            self._waiting.append((unit, work))
            self._next_try = time.monotonic() + PAUSE
        except StoreError as error:
            self._leave(unit, work, error)

    def try_left(self, give_up: Callable[[str, StoreError], None]) -> None:
        """Do once more what was left, after a while: a lane may have no next start for a long time.

        Args:
            give_up: told of a unit whose work is refused for good once more; what it does may be deferred too.
        """
        if not self.left or time.monotonic() < self._next_round:
            return
        left, self.left = self.left, {}
        for unit, (work, _) in left.items():
            self.do(unit, work)
        refused, self.left = self.left, {}
        for unit, (_, error) in refused.items():
            self.do(unit, partial(give_up, unit, error))

    def try_again(self) -> None:
        """Do what waits, once its time has come and the store takes the first of it."""
        if not self._waiting or time.monotonic() < self._next_try:
            return
        waiting, self._waiting = self._waiting, []
        (unit, first), *others = waiting
        try:
            first()
        except UnavailableError:  # told before
            self._waiting = waiting
            self._next_try = time.monotonic() + PAUSE
            return
        except StoreError as error:
            self._leave(unit, first, error)
        say("the store answers again")
        for unit, work in others:
            self.do(unit, work)

    def _leave(self, unit: str, work: Callable[[], None], error: StoreError) -> None:
        say(f"{unit}: {error}; it is left to the job's next start")
        self.left[unit] = work, error
        self._next_round = time.monotonic() + _ROUND
