"""The starts of a unit that are held against it: it has so many, whichever job makes them."""

import time
from collections.abc import Callable

from windtunnel.host.machine import host
from windtunnel.ledger import Attempt, Ledger

TICK = 0.2  # seconds between two looks
_GIVEN_BACK = 50  # by a unit; one that leaves more often may itself tell its job to go, and would begin for ever
_HANDOVER = 30.0  # seconds that Kubernetes lets a pod take to leave, in which it may give its start back


def counted(attempts: list[Attempt]) -> int:
    """How many of the starts are held against the unit: those that were not given back, and those given back too often.

    Each that is given back beyond the fiftieth counts: what tells the job to go may be the unit's own process.
    """
    return len(attempts) - min(_GIVEN_BACK, sum(attempt.preempted for attempt in attempts))


def handed_over(ledger: Ledger, unit: str, most: int, told_to_go: Callable[[], bool]) -> list[Attempt]:
    """The unit's starts; where they are used up, once the last one is given back, if another host may still do so.

    A cluster may replace a pod that is still leaving.

    Args:
        ledger: of the run.
        unit: its id.
        most: how many starts it has.
        told_to_go: whether this job is to leave, and so waits no longer.
    """
    attempts, end = ledger.attempts(unit), time.monotonic() + _HANDOVER
    while counted(attempts) >= most and attempts[-1].host != host() and time.monotonic() < end:
        if told_to_go() or attempts[-1].kind or attempts[-1].preempted:
            break
        time.sleep(TICK)
        attempts = ledger.attempts(unit)
    return attempts
