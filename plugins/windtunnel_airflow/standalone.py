"""All parts of an Airflow on this machine, as children of one process: `python -m windtunnel_airflow.standalone`.

`airflow standalone` starts the same parts, and beside them two servers of logs that other machines can reach. Here all
parts read the same files, so nobody needs those. A part that ends by itself is started again: on a busy machine SQLite
takes the scheduler with it now and then. The settings are `airflow_environment`'s, in the environment.
"""

import signal
import subprocess
import sys
import time
from typing import Any

_PARTS = (
    ("api-server",),
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
)
_LASTING = 60.0  # seconds: a part that ends sooner does not begin at all, and would not when it is started again


def main() -> int:
    """Run all parts until one of them cannot be kept running, or until this process is told to end; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    parts: list[Part] = []
    try:
        # What this writes first, Airflow's keys and its database, is for this user alone.
        if status := _airflow("db", "migrate", umask=0o077).wait():
            return status
        parts += [Part(*command) for command in _PARTS]
        while all(part.runs() for part in parts):
            time.sleep(0.5)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for part in parts:
            part.process.terminate()
        for part in parts:
            part.process.wait()


class Part:
    """A part of Airflow that is kept running."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._start()

    def runs(self) -> bool:
        """Whether the part runs, started again if need be; not if it ended within a minute of its start."""
        if self.process.poll() is None:
            return True
        print(f"Ended by itself ({self.process.returncode}): {self._command[0]}", file=sys.stderr, flush=True)  # noqa: T201
        if time.monotonic() - self._started < _LASTING:
            return False
        self._start()
        return True

    def _start(self) -> None:
        self._started = time.monotonic()
        self.process = _airflow(*self._command)


def _airflow(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "airflow", *arguments], **options)


if __name__ == "__main__":
    sys.exit(main())
