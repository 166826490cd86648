"""The job's own log, and its units': files on this host, brought to the ledger now and then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from windtunnel.errors import NotFoundError, StoreError
from windtunnel.host.machine import host, now
from windtunnel.host.private import private_folder
from windtunnel.ledger import Attempt, Job, Ledger
from windtunnel.stores.base import Store
from windtunnel_trainer.left import remove_left
from windtunnel_trainer.write_interval import WriteInterval

_INTERVAL = WriteInterval(share=2.0, shortest=10.0, longest=20.0, metered=3600.0)  # of the log's age


def say(text: str) -> None:
    """Write a line to the job's own log."""
    with suppress(OSError):  # a full disk must not end the job
        print(f"{now()} {text}", flush=True)  # noqa: T201


def log_folder(ledger: Ledger, job: Job) -> Path:
    """Where the job's units write their logs: if it is killed, its next start on this host finds them there.

    Pods may share a host's folder, and one may still leave, and clear up, while its replacement begins.
    """
    name = sha256(f"{host()} {ledger.url} {job.job}".encode()).hexdigest()[:16]
    return private_folder() / name


class UnitLog:
    """What a unit's processes write, the starts one after another.

    Raises:
        StoreError: from all methods but `sync`, where this host's disk refuses.
    """

    def __init__(self, ledger: Ledger, unit: str, folder: Path) -> None:
        """A log that is written to in `folder`."""
        self.file = folder / f"{unit}.log"
        self._store: Store = ledger.store
        self._path = ledger.trial_path(unit, "log.txt")
        self._size, self._refused = 0, False
        self._began = time.monotonic()
        self._next = self._began + _INTERVAL.shortest

    def begin(self, attempt: Attempt) -> None:
        """Go on after what earlier starts wrote, wherever they ran."""
        if attempt.number > 1:
            self._fetch()
        with self._disk(), self.file.open("a") as log:
            if attempt.number > 1:
                log.write(f"--- start {attempt.number}, {attempt.started}, {attempt.host} ---\n")

    def tail(self, size: int) -> str:
        """The last `size` bytes."""
        self._fetch()
        with self._disk(), self.file.open("rb") as log:
            log.seek(max(0, self.file.stat().st_size - size))
            return log.read().decode(errors="replace")

    def sync(self, at_once: bool = False) -> None:
        """Bring the log to the ledger if it has grown and its time has come."""
        moment = time.monotonic()
        if not at_once and moment < self._next:
            return
        self._next = moment + _INTERVAL.pause(self._store, moment - self._began)
        size = self.file.stat().st_size
        if size == self._size:
            return
        try:
            self._store.upload(self._path, self.file)
            self._size, self._refused = size, False
        except StoreError as error:
            if not self._refused:
                say(f"the log stays here for now: {error}")
            self._refused = True

    def remove(self) -> None:
        """Leave nothing of the unit on this host; what it wrote is in the ledger."""
        for file in (self.file, *(self.file.with_suffix(suffix) for suffix in (".done", ".peak"))):
            with suppress(OSError):
                file.unlink()
        remove_left(self.file)

    def _fetch(self) -> None:
        """Take over what an earlier start of the job left here or brought to the ledger."""
        if self.file.exists():
            return
        with suppress(NotFoundError):
            self._store.download(self._path, self.file)
        with self._disk():
            self.file.touch()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"cannot use the log {self.file}: {error}") from error
