"""Waiting for the user's evaluation of the gathered table."""

import time
from collections.abc import Callable

from windtunnel.errors import FleetError, LaunchError
from windtunnel.fleet.beginning import EVALUATION, evaluation_job
from windtunnel.launchers.base import Launcher
from windtunnel.launchers.monitor import Progress
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.writer import Heart

_AT_WORK = "the evaluation is at work"


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

    def poll(self) -> Progress:
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
            values = ", ".join(f"{name} {value:.6g}" for name, value in result.metrics.items() if value is not None)
            return Progress(True, f"evaluated: {values}" if values else "evaluated")
        self._absent = 0 if lives else self._absent + 1
        if self._absent < 2:
            return Progress(False, _AT_WORK)
        self._absent, job = 0, evaluation_job(self._ledger)
        if self._launcher.may_relaunch(self._ledger, job):
            return Progress(False, _AT_WORK, (job,))
        reason = self._launcher.failure_reason(self._ledger, job)
        raise LaunchError(f"the evaluation: {reason.kind}: {reason.message}\n{reason.log}")
