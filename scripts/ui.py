"""Starts Airflow on this machine with the repository's searches, and says when and where it is ready: `make ui`."""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from windtunnel_airflow.environment import airflow_environment
from windtunnel_airflow.home import USER, BusyError, only_one, password, private_home

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run Airflow until it ends or is interrupted; its exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--home", type=Path, default=ROOT / ".airflow" / "ui", help="folder for Airflow's own files, for this user only"
    )
    arguments = parser.parse_args()
    port, home = arguments.port, arguments.home.resolve()
    store = os.environ.get("WINDTUNNEL_STORE", ROOT / "runs")
    settings = airflow_environment(home, ROOT / "dags", store=store, port=port)
    private_home(home)
    if not _is_free(port):
        print(
            f"Port {port} is taken, by another Airflow perhaps: make ui PORT={port + 1}",
            file=sys.stderr,
        )
        return 2
    try:
        with only_one(home, "another Airflow"):
            return _serve(home, port, settings)
    except BusyError as error:
        print(error, file=sys.stderr)
        return 3


def _serve(home: Path, port: int, settings: Mapping[str, str]) -> int:
    password(home)  # before Airflow makes one up itself
    log = home / "airflow.log"
    print("Airflow is starting; the first time takes about half a minute.", flush=True)
    with log.open("wb") as output:
        command = [sys.executable, "-m", "windtunnel_airflow.standalone"]
        # A session of its own: Ctrl-C in the terminal must reach Airflow once and not all its processes, or they hang.
        airflow = subprocess.Popen(
            command, env=os.environ | settings, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while airflow.poll() is None and not _healthy(port):
            time.sleep(0.5)
        if airflow.poll() is None:
            if not _refuses_others(port):
                print("Airflow answers to other names than its own: is Windtunnel's plugin installed?", file=sys.stderr)
                return 1
            print(f"Airflow is ready: http://localhost:{port} (for this machine only)")
            print(f"Log in as {USER} with the password {password(home)}")
            print(f"Its log is {log}. Ctrl-C ends it.", flush=True)
        status = airflow.wait()
        print(f"Airflow ended by itself. Its log ends:\n{_tail(log)}", file=sys.stderr)
        return status or 1
    except KeyboardInterrupt:
        print("\nAirflow is ending.", flush=True)
        airflow.send_signal(signal.SIGINT)
        return 0
    finally:
        _end(airflow)


def _end(airflow: subprocess.Popen[bytes]) -> None:
    """Wait for Airflow to end, and end by force what is left of it."""
    with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        airflow.wait(8)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(airflow.pid, signal.SIGKILL)


def _is_free(port: int) -> bool:
    """Whether nobody listens on the port; a server that has just ended is nobody."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _refuses_others(port: int) -> bool:
    """Whether a request under another name than this machine's own is refused."""
    foreign = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/version", headers={"Host": "example.org"})
    try:
        with urllib.request.urlopen(foreign, timeout=10):
            return False
    except urllib.error.HTTPError as refusal:
        return refusal.code == 403


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


if __name__ == "__main__":
    sys.exit(main())
