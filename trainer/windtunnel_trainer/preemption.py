"""Preemption: a trial that saves its state as it trains does so once more when its job is told to go, and then ends."""

import os
import signal
import threading
from types import FrameType

_process: int | None = None  # a unit's, which whoever tells it to go waits for
_requested = False


def allow() -> None:
    """Let this process, a unit's own, heed SIGTERM once its workload shows that it saves its state."""
    global _process, _requested
    _process, _requested = os.getpid(), False


def heed() -> None:
    """From now on SIGTERM does not end this process, where that is allowed: `requested` says that it came."""
    alone = os.getpid() == _process and threading.current_thread() is threading.main_thread()
    if alone and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _note)


def is_unit() -> bool:
    """Whether this process is a unit's own, whose end by a signal is seen and told by the job."""
    return os.getpid() == _process


def requested() -> bool:
    """Whether this process was told to go."""
    return _requested


def go() -> None:
    """End this process as the signal would have."""
    die_of(signal.SIGTERM)


def die_of(number: int) -> None:
    """End this process by a signal's own doing, whatever heeds it here."""
    if number != signal.SIGKILL:  # which nothing can heed
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _note(number: int, frame: FrameType | None) -> None:
    global _requested
    if os.getpid() != _process:  # a process that the workload has forked
        die_of(number)
    _requested = True
