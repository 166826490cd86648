"""Waiting for the user's evaluation of the gathered table."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from windtunnel.errors import FleetError, LaunchError
from windtunnel.fleet.beginning import EVALUATION, evaluation_job
from windtunnel.launchers.base import Launcher
from windtunnel.ledger import Job, Ledger, State
from windtunnel.ledger.writer import Heart


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """Whether the evaluation has ended, what it returned, and its job where that is to be launched again."""

    done: bool
    metrics: dict[str, float | None]
    wanted: tuple[Job, ...] = ()

    @property
    def message(self) -> str:
        """The progress as one line."""
        if not self.done:
            return "the evaluation is at work"
        values = ", ".join(f"{name} {value:.6g}" for name, value in self.metrics.items() if value is not None)
        return f"evaluated: {values}" if values else "evaluated"


class EvaluationMonitor:
    """Looks now and then whether the evaluation has ended."""

    def __init__(self, ledger: Ledger, launcher: Launcher, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch over the run's evaluation, which was launched.

        Args:
            ledger: of the run.
            launcher: that launched it.
            clock: seconds from any beginning.
        """
        self._ledger = ledger
        self._launcher = launcher
        self._absent = 0
        self._heart = Heart(ledger.own_turn, clock)

    def poll(self) -> EvaluationProgress:
        """Look once: one listing of live jobs, and the result.

        Raises:
            FleetError: the evaluation failed.
            LaunchError: its job is gone without a result, as two looks in a row found, and may not be launched again.
            LedgerError: a later session has begun, whose job this is now.
        """
        self._heart.beat()
        lives = EVALUATION in self._launcher.live(self._ledger)  # first: it may end between the two looks
        result = self._ledger.result(EVALUATION)
        if result is not None:
            if result.state is State.FAILED:
                raise FleetError(f"the evaluation failed: {result.message}")
            return EvaluationProgress(True, result.metrics)
        self._absent = 0 if lives else self._absent + 1
        if self._absent < 2:
            return EvaluationProgress(False, {})
        self._absent, job = 0, evaluation_job(self._ledger)
        if self._launcher.may_relaunch(self._ledger, job):
            return EvaluationProgress(False, {}, (job,))
        reason = self._launcher.failure_reason(self._ledger, job)
        raise LaunchError(f"the evaluation: {reason.kind}: {reason.message}\n{reason.log}")
