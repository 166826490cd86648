"""A script's processes: what they write as it comes, and their end."""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from windtunnel.errors import WorkloadError
from windtunnel_trainer.processes import children

GRACE = 8.0  # seconds that a script gets to end by itself; less than a unit gets when its job is told to go
_TICK = 0.1  # seconds between two looks at what does not wake
_DRAIN = 1.0  # seconds in which what a script has written before its end is read, where others hold its output open
_CHUNK = 64 * 1024


class Processes:
    """The processes that train one trial: one of a script, or several that torch's variables tell of each other.

    They stay in the group of the unit's own process, so that whoever ends that one ends them too.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], count: int = 1) -> None:
        """Start them.

        Args:
            command: what is run.
            folder: to run it in.
            environment: all of it.
            count: how many train together.

        Raises:
            WorkloadError: the program cannot be started.
        """
        self._others = children(os.getpid())
        self._started: list[subprocess.Popen[bytes]] = []
        group = _group(count)
        for rank in range(count):
            own = {**group, "RANK": str(rank), "LOCAL_RANK": str(rank)} if group else {}
            try:
                started = subprocess.Popen(
                    list(command),
                    cwd=folder,
                    env={**environment, **own},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            except (OSError, ValueError) as error:
                self.end(0)
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise WorkloadError(f"script.command: {command[0]!r} cannot be started: {reason}") from error
            self._started.append(started)

    def output(self) -> Iterator[tuple[int, bytes]]:
        """What they write, each piece with the process's number; now and then an empty piece, until all have ended.

        Where one fails, the others are ended.
        """
        with selectors.DefaultSelector() as selector:
            for rank, started in enumerate(self._started):
                assert started.stdout is not None
                os.set_blocking(started.stdout.fileno(), False)
                selector.register(started.stdout, selectors.EVENT_READ, rank)
            ended_at: float | None = None
            while selector.get_map():
                ready = selector.select(_TICK)
                for key, _ in ready:
                    with suppress(BlockingIOError):
                        piece = os.read(key.fd, _CHUNK)
                        if piece:
                            yield key.data, piece
                        else:
                            selector.unregister(key.fileobj)
                codes = [started.poll() for started in self._started]
                if None in codes and any(codes):
                    self.end()
                if None not in codes:
                    ended_at = ended_at or time.monotonic()
                    if time.monotonic() > ended_at + _DRAIN and not ready:
                        break
                yield 0, b""
        while any(started.poll() is None for started in self._started):
            yield 0, b""
            time.sleep(_TICK)

    @property
    def code(self) -> int:
        """How they ended: the code of the one that failed, 0 if none did, minus the number of a signal."""
        codes = [started.returncode for started in self._started if started.returncode]
        failed = [code for code in codes if code != -signal.SIGTERM]  # which ends the others
        return next(iter(failed or codes), 0)

    def end(self, grace: float = GRACE) -> None:
        """End them and all that they have started: politely first, by force once the grace is over.

        Args:
            grace: in seconds.
        """
        family = self._family()
        _signal(family, signal.SIGTERM)
        end = time.monotonic() + grace
        while time.monotonic() < end and self._lives(family):
            time.sleep(0.02)
        _signal({*family, *self._family()}, signal.SIGKILL)
        for started in self._started:
            started.wait()

    def close(self) -> None:
        """See that nothing is left of them."""
        if self._lives(self._family()):
            self.end()
        for started in self._started:
            if started.stdout is not None:
                started.stdout.close()

    def _family(self) -> set[psutil.Process]:
        """All that live of what they have started, daemons that this process has adopted among it."""
        family: set[psutil.Process] = set()
        for process in psutil.Process().children():
            if process.pid not in self._others:
                with suppress(psutil.Error):
                    family |= {process, *process.children(recursive=True)}
        return family

    def _lives(self, family: set[psutil.Process]) -> bool:
        for started in self._started:
            started.poll()
        return any(map(_is_alive, family))


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(family: set[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.Error):
            process.send_signal(number)


def _group(count: int) -> dict[str, str]:
    """The variables that torchrun gives to all processes of a group; none to one that trains alone."""
    if count == 1:
        return {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    size = str(count)
    return {
        "WORLD_SIZE": size,
        "LOCAL_WORLD_SIZE": size,
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
