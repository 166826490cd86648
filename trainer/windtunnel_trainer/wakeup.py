"""What wakes a job that waits: the end of one of its children, or a signal that tells it to go."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def wake_up(told_to_go: Callable[[], None]) -> Iterator[int]:
    """A descriptor that can be read as soon as a child has ended or the job is told to go.

    Args:
        told_to_go: called when a signal tells it.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)

    def note(number: int, frame: object) -> None:
        if number != signal.SIGCHLD:
            told_to_go()

    numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, note) for number in numbers]
    wake_before = signal.set_wakeup_fd(write)
    try:
        yield read
    finally:
        signal.set_wakeup_fd(wake_before)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        os.close(read)
        os.close(write)
