"""What wakes a job that waits: the end of one of its children, or a signal that tells it to go."""

import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from socket import socket

PREEMPTED = 128 + signal.SIGTERM  # exit code of a job that was told to go

Wait = Callable[[float, Sequence[socket]], list[socket]]
"""Waits for some seconds at most; returns those of the lines that something came in by."""


@contextmanager
def wake_up(told_to_go: Callable[[], None]) -> Iterator[Wait]:
    """A function that waits until a child has ended, the job is told to go, or something came in by a line.

    Args:
        told_to_go: called when a signal tells the job to go.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)

    def note(number: int, frame: object) -> None:
        if number != signal.SIGCHLD:
            told_to_go()

    def wait(seconds: float, lines: Sequence[socket]) -> list[socket]:
        watched: list[int | socket] = [read, *lines]
        ready = select.select(watched, [], [], seconds)[0]
        if read in ready:
            os.read(read, 512)
        return [line for line in lines if line in ready]

    numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, note) for number in numbers]
    wake_before = signal.set_wakeup_fd(write)
    try:
        yield wait
    finally:
        signal.set_wakeup_fd(wake_before)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        os.close(read)
        os.close(write)
