"""Signals that ask a command to end."""

import signal
from collections.abc import Iterable
from types import FrameType
from typing import NoReturn

from windtunnel.errors import Stopped

_ENDING = (signal.SIGINT, signal.SIGTERM)


def heed_signals(numbers: Iterable[signal.Signals] = _ENDING) -> None:
    """From now on a signal to end raises `Stopped`."""
    for number in numbers:
        signal.signal(number, _stop)


def ignore_signals() -> None:
    """From now on nothing interrupts what ends the run."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    ignore_signals()  # what runs is being ended
    raise Stopped(number)
