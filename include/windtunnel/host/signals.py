"""Signals that ask a command to end."""

import os
import signal
from collections.abc import Iterable
from types import FrameType

from windtunnel.errors import Stopped

_ENDING = (signal.SIGINT, signal.SIGTERM)


def heed_signals() -> None:
    """From now on a signal to end raises `Stopped`, and others are ignored while what runs is being ended."""
    _heed(_ENDING, signal.SIG_IGN)


def heed_one_signal() -> None:
    """From now on SIGTERM raises `Stopped` once; a second one ends the process at once. Ctrl-C is Python's own."""
    _heed([signal.SIGTERM], signal.SIG_DFL)


def ignore_signals() -> None:
    """From now on nothing interrupts what ends the run."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _heed(numbers: Iterable[signal.Signals], then: signal.Handlers) -> None:
    process = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a process that was forked since is none of ours to end in order
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for each in numbers:
            signal.signal(each, then)
        raise Stopped(number)

    for each in numbers:
        signal.signal(each, stop)
