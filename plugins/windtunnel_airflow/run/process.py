"""The process that Airflow runs in, seen from the one that started it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any, Self

_END_TIME = 5.0  # seconds that the process gets to end


class AirflowProcess:
    """Performs one DAG run; it ends with the block, and should this process be killed, by itself."""

    def __init__(
        self,
        definition: Path,
        params: Mapping[str, Any],
        at: datetime,
        *,
        environment: Mapping[str, str],
        log: Path,
        hold: int,
    ) -> None:
        """Start the process.

        Args:
            definition: the search's file.
            params: the trigger's choices.
            at: the DAG run's time, which makes its id.
            environment: Airflow's settings, beside this process's own environment.
            log: gets everything that the process prints.
            hold: a descriptor that stays open as long as the process lives.
        """
        self._events, write = os.pipe()
        self._buffer = b""
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "windtunnel_airflow.run.worker"],
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                pass_fds=(write, hold),
                start_new_session=True,  # a terminal's Ctrl-C reaches this process alone, which then sees to the rest
            )
        os.close(write)
        self._write(definition=str(definition), params=dict(params), at=at.isoformat(), events=write)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def events(self, seconds: float) -> Iterator[dict[str, Any]]:
        """What the process tells within some seconds; returns with the first news."""
        if not select([self._events], [], [], seconds)[0]:
            return
        self._buffer += os.read(self._events, 1 << 20)
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            yield json.loads(line)

    def answer(self, option: str) -> None:
        """Answer the question that the process asked."""
        self._write(option=option)

    @property
    def exit_code(self) -> int | None:
        """How the process ended; None while it lives."""
        return self._process.poll()

    def end(self) -> None:
        """End the process, if it has not ended by itself, with all that it started and that has not left its group."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_END_TIME)
        with suppress(OSError):
            os.close(self._events)

    def _write(self, **message: Any) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
