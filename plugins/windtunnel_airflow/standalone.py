"""All parts of an Airflow on this machine, as children of one process: `python -m windtunnel_airflow.standalone`.

`airflow standalone` starts the same parts, and beside them two servers of logs that other machines can reach. Here all
parts read the same files, so nobody needs those. The settings are `airflow_environment`'s, in the environment.
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


def main() -> int:
    """Run all parts until one of them ends, or until this process is told to end; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    parts: list[subprocess.Popen[bytes]] = []
    try:
        # What this writes first, Airflow's keys and its database, is for this user alone.
        if status := _airflow("db", "migrate", umask=0o077).wait():
            return status
        parts += [_airflow(*part) for part in _PARTS]
        while all(part.poll() is None for part in parts):
            time.sleep(0.5)
        ended = [name for (name, *_), part in zip(_PARTS, parts, strict=True) if part.poll() is not None]
        print(f"Ended by itself: {', '.join(ended)}", file=sys.stderr, flush=True)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            part.wait()


def _airflow(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "airflow", *arguments], **options)


if __name__ == "__main__":
    sys.exit(main())
