"""Microsoft's emulator of Azure Blob Storage, the real npm package, for tests: `with azurite() as server: …`."""

import base64
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

VERSION = "3.35.0"
ACCOUNT = "windtunneltest"

_START_TIME = 300.0  # seconds for what takes one on an idle machine
_MARK = "log-mark"


class Azurite:
    """One server on a port of its own, with an account whose key nobody else has; its data outlives a restart.

    Attributes:
        key: of the account.
        url: of the account: `http://<address>:<port>/<account>`.
        connection_string: for clients.
        log: file with a line for each request, some of which may be yet to come.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        """A server that is not started yet, with its data in `folder`.

        Any other address of this machine than its own loopback's lets others in, who know the key.
        """
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen | None = None
        self.log = folder / "access.log"
        self._host = address if address == "127.0.0.1" else "0.0.0.0"
        self.url = f"http://{address}:{self._port}/{ACCOUNT}"
        self.connection_string = (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={self.key};BlobEndpoint={self.url};"
        )

    def start(self) -> None:
        """Start the server, or start it again with its data, and return once it answers."""
        command = [str(_program()), "--blobHost", self._host, "--blobPort", str(self._port)]
        command += ["--location", str(self._folder / "data"), "--skipApiVersionCheck", "--disableTelemetry"]
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.key}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + _START_TIME
        while not self._answers():
            assert self._process.poll() is None, f"Azurite ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < end, "Azurite does not answer"
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the server; `signal.SIGKILL` as a power failure would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait(120)
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal: `SIGSTOP` makes it hang, `SIGCONT` go on."""
        os.killpg(self._process.pid, number)

    def requests(self) -> list[tuple[str, str]]:
        """All requests that have been answered so far, as the server's log has them: method, and path with query."""
        return [(method, path) for method, path, *_ in self.answers()]

    def answers(self) -> list[tuple[str, str, int, int]]:
        """All requests that have been answered so far: method, path with query, status, and bytes of the answer.

        The log lags behind, so a request of this method's own is waited for, which is left out.
        """
        mark = secrets.token_hex(8)
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"{self.url}?{_MARK}={mark}", timeout=_START_TIME)
        end = time.monotonic() + _START_TIME
        while mark not in (content := self.log.read_text(errors="replace")):
            assert time.monotonic() < end, "Azurite's log does not go on"
            time.sleep(0.02)
        found = re.findall(r'"(\S+) (\S+) [^"]*" (\d+) (\d+|-)', content.partition(mark)[0])
        return [
            (method, path, int(status), int(size) if size.isdigit() else 0)
            for method, path, status, size in found
            if _MARK not in path
        ]

    def cpu(self) -> float:
        """Seconds of processor time that the server has used since it was started."""
        used = psutil.Process(self._process.pid).cpu_times()
        return used.user + used.system

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=30)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


@contextmanager
def azurite(address: str = "127.0.0.1") -> Iterator[Azurite]:
    """A running server at an address of this machine, gone with its data afterwards."""
    with tempfile.TemporaryDirectory(prefix="azurite-", ignore_cleanup_errors=True) as folder:
        server = Azurite(Path(folder), address)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)


def missing() -> str:
    """Why Azurite cannot run here; empty if it can."""
    absent = [name for name in ("node", "npm") if shutil.which(name) is None]
    return f"Azurite needs {' and '.join(absent)}, which are not installed" if absent else ""


def _program() -> Path:
    """Azurite's program, which is installed on first use: into `$WINDTUNNEL_TOOLS`, else the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    tools = Path(os.environ.get("WINDTUNNEL_TOOLS") or Path(cache) / "windtunnel" / "tools")
    folder = tools / f"azurite-{VERSION}"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            command = ["npm", "install", "--prefix", str(folder), f"azurite@{VERSION}"]
            subprocess.run([*command, "--no-audit", "--no-fund", "--loglevel=error"], check=True, timeout=300)
            (folder / ".ready").touch()
    return program


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
